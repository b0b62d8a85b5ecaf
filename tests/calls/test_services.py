from __future__ import annotations

from telephony.calls.services import CallLimits, nobody_refers
from telephony.observe.metrics import Metrics
from tests.support.fake_call import FACTS, services


def test_the_limits_have_defaults_that_end_every_call() -> None:
    limits = CallLimits()
    assert 0 < limits.setup_timeout_s < limits.media_timeout_s < limits.max_call_s


def test_nobody_refers_by_default() -> None:
    assert nobody_refers(FACTS, "sip:100@pbx") == ""
    assert services().referral_target is nobody_refers


def test_what_is_counted_is_what_metrics_offer() -> None:
    counted = [name for name in dir(services().metrics) if name.startswith(("call_", "model_"))]
    assert {"call_started", "call_finished", "model_reconnected", "model_audio_dropped"} <= set(
        counted
    )
    assert all(hasattr(Metrics, name) for name in counted)
