from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from telephony.base.interfaces import MediaStats
from telephony.observe.call_quality import CallQuality


def observed(**fields: Any) -> Any:
    registry = CollectorRegistry()
    CallQuality(registry).leg_ended(MediaStats(**fields))

    def read(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"telephony_call_{name}", labels)

    return read


def test_both_directions_of_a_call() -> None:
    read = observed(
        packets_received=100,
        jitter_ms=4.0,
        loss_percent=2.0,
        mos=4.2,
        round_trip_ms=80.0,
        remote_loss_percent=0.0,
        remote_jitter_ms=1.5,
        remote_mos=4.35,
    )
    assert read("round_trip_seconds_sum") == 0.08
    assert read("loss_ratio_sum", direction="received") == 0.02
    assert read("loss_ratio_bucket", direction="sent", le="0.0") == 1
    assert read("jitter_seconds_sum", direction="received") == 0.004
    assert read("jitter_seconds_sum", direction="sent") == 0.0015
    assert read("mos_sum", direction="received") == 4.2
    assert read("mos_bucket", direction="sent", le="4.3") == 0
    assert read("mos_bucket", direction="sent", le="4.4") == 1


def test_the_echo_of_a_call() -> None:
    registry = CollectorRegistry()
    CallQuality(registry).echo_measured(21.5, 0.14)
    assert registry.get_sample_value("telephony_call_echo_return_loss_decibels_sum") == 21.5
    assert registry.get_sample_value("telephony_call_echo_delay_seconds_sum") == 0.14


def test_what_is_not_known_is_not_observed() -> None:
    read = observed()
    assert read("round_trip_seconds_count") == 0
    for name in ("loss_ratio", "jitter_seconds", "mos"):
        for direction in ("received", "sent"):
            assert read(f"{name}_count", direction=direction) == 0
