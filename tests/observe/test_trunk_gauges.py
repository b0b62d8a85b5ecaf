from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from telephony.observe.metrics import Metrics
from telephony.observe.trunk_gauges import TrunkSample


def test_trunks_bans_and_calls_are_exposed_by_name() -> None:
    registry = CollectorRegistry(auto_describe=True)
    metrics = Metrics(registry)
    metrics.expose_trunks(
        lambda: [TrunkSample("a", True, None, 1, 2), TrunkSample("b", False, False, 0, 0)]
    )
    metrics.trunk_call("a", "outbound", "busy")
    metrics.trunk_call("", "outbound", "busy")
    metrics.trunk_registration_failed("b")
    metrics.source_banned("scanner")
    text = generate_latest(registry).decode()
    for line in (
        'telephony_trunk_up{trunk="a"} 1.0',
        'telephony_trunk_up{trunk="b"} 0.0',
        'telephony_trunk_registered{trunk="b"} 0.0',
        'telephony_trunk_calls_active{direction="outbound",trunk="a"} 2.0',
        'telephony_trunk_calls_total{direction="outbound",result="busy",trunk="a"} 1.0',
        'telephony_trunk_registration_failures_total{trunk="b"} 1.0',
        'telephony_security_bans_total{offence="scanner"} 1.0',
    ):
        assert line in text
    assert 'telephony_trunk_registered{trunk="a"}' not in text
    assert 'trunk=""' not in text
