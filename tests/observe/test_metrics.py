from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from telephony.base.interfaces import CallMetrics, MediaStats
from telephony.observe.metrics import Metrics

LABELS = {
    "result",
    "cause",
    "source",
    "outcome",
    "direction",
    "le",
    "version",
    "limit",
    "rule",
    "side",
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry(), "1.2.3")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"telephony_{name}", labels)


def test_is_what_the_call_layer_asks_for(metrics: Metrics) -> None:
    reports: CallMetrics = metrics
    assert reports is metrics


def test_calls_by_result_and_cause(metrics: Metrics) -> None:
    metrics.call_started()
    metrics.call_started()
    assert value(metrics, "calls_active") == 2
    metrics.call_finished("answered", "caller_hung_up", 0.03)
    metrics.call_finished("rejected", "no_route", None)
    assert value(metrics, "calls_active") == 0
    assert value(metrics, "calls_total", result="answered", cause="caller_hung_up") == 1
    assert value(metrics, "calls_total", result="rejected", cause="no_route") == 1
    assert value(metrics, "call_setup_seconds_count") == 1
    assert value(metrics, "call_setup_seconds_bucket", le="0.05") == 1


def test_turns_are_measured_whole_and_in_parts(metrics: Metrics) -> None:
    metrics.turn_latency(0.75, 0.73, 0.02)
    metrics.turn_latency(0.5, None, None)
    assert value(metrics, "turn_latency_seconds_count") == 2
    assert value(metrics, "turn_latency_seconds_sum") == 1.25
    assert value(metrics, "caller_to_model_seconds_count") == 1
    assert value(metrics, "model_to_caller_seconds_sum") == 0.02


def test_barge_ins_reconnects_and_lost_audio(metrics: Metrics) -> None:
    metrics.barge_in(0.018, "local_vad")
    metrics.model_reconnected("resumed")
    metrics.model_audio_dropped(1.5)
    metrics.loop_lag(0.003)
    assert value(metrics, "barge_ins_total", source="local_vad") == 1
    assert value(metrics, "barge_in_seconds_bucket", le="0.02") == 1
    assert value(metrics, "model_reconnects_total", outcome="resumed") == 1
    assert value(metrics, "model_audio_dropped_seconds_total") == 1.5
    assert value(metrics, "event_loop_lag_seconds_count") == 1


def test_refused_tools_and_broken_rules(metrics: Metrics) -> None:
    metrics.tool_limit_reached("repeats")
    metrics.guardrail_tripped("refund", "output")
    metrics.guardrail_tripped("refund", "output")
    assert value(metrics, "tool_calls_refused_total", limit="repeats") == 1
    assert value(metrics, "guardrail_trips_total", rule="refund", side="output") == 2


def test_a_leg_is_counted_while_it_lives_and_after(metrics: Metrics) -> None:
    stats = MediaStats(packets_received=50)

    def read() -> MediaStats:
        return stats

    metrics.register_leg(read)
    stats.packets_received = 60
    assert value(metrics, "rtp_packets_received_total") == 60
    metrics.unregister_leg(read)
    stats.packets_received = 99
    assert value(metrics, "rtp_packets_received_total") == 60


def test_how_a_leg_sounded_is_observed_once_at_its_end(metrics: Metrics) -> None:
    stats = MediaStats(packets_received=50, mos=4.3)

    def read() -> MediaStats:
        return stats

    metrics.register_leg(read)
    assert value(metrics, "call_mos_count", direction="received") == 0
    metrics.unregister_leg(read)
    metrics.unregister_leg(read)
    assert value(metrics, "call_mos_count", direction="received") == 1


def test_the_application_plugs_in_cores_and_gauges(metrics: Metrics) -> None:
    @dataclass
    class Stats:
        ticks: int = 7

    metrics.expose_counters("pacer", Stats())
    metrics.expose_gauge("rtp_ports_in_use", "Ports.", lambda: 3)
    assert value(metrics, "pacer_ticks_total") == 7
    assert value(metrics, "rtp_ports_in_use") == 3


def test_every_metric_is_ours_in_base_units_without_personal_labels(metrics: Metrics) -> None:
    metrics.call_started()
    metrics.call_finished("answered", "caller_hung_up", 0.1)
    for family in metrics.registry.collect():
        assert family.name.startswith(("telephony_", "process_"))
        assert not family.name.endswith(("_ms", "_milliseconds"))
        for sample in family.samples:
            assert set(sample.labels) <= LABELS
    assert b"telephony_build_info" in generate_latest(metrics.registry)
