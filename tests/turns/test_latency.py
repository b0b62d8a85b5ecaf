from __future__ import annotations

import pytest

from telephony.turns.latency import LatencyTracker, TurnLatency


def spoken(stopped_at: float = 10.0) -> LatencyTracker:
    tracker = LatencyTracker()
    tracker.caller_started()
    tracker.caller_stopped(stopped_at)
    return tracker


def test_one_turn() -> None:
    tracker = spoken(10.0)
    assert tracker.waiting
    tracker.response_started(10.3)
    tracker.audio_received(10.5)
    tracker.audio_received(10.6)
    latency = tracker.packet_sent(10.52)
    assert latency is not None
    assert latency.total_s == pytest.approx(0.52)
    assert latency.caller_to_model_s == pytest.approx(0.5)
    assert latency.model_to_caller_s == pytest.approx(0.02)
    assert latency.caller_to_response_s == pytest.approx(0.3)
    assert not tracker.waiting
    assert tracker.packet_sent(10.54) is None


def test_speech_that_answers_nobody_is_not_measured() -> None:
    tracker = LatencyTracker()
    tracker.response_started(1.0)
    tracker.audio_received(1.1)
    assert tracker.packet_sent(1.2) is None
    tracker = LatencyTracker()
    tracker.caller_stopped(1.0)
    assert not tracker.waiting


def test_a_tool_call_is_part_of_the_wait() -> None:
    tracker = spoken(10.0)
    tracker.response_started(10.2)
    tracker.response_started(12.0)
    tracker.audio_received(12.2)
    latency = tracker.packet_sent(12.21)
    assert latency is not None
    assert latency.total_s == pytest.approx(2.21)
    assert latency.caller_to_response_s == pytest.approx(0.2)


def test_the_last_end_before_the_response_counts() -> None:
    tracker = spoken(10.0)
    tracker.caller_stopped(11.0)
    tracker.response_started(11.3)
    tracker.audio_received(11.4)
    assert tracker.packet_sent(11.4) == TurnLatency(*map(pytest.approx, (0.4, 0.4, 0.0, 0.3)))


def test_an_end_reported_late_only_moves_the_mark_back() -> None:
    tracker = spoken(10.2)
    tracker.response_started(10.3)
    tracker.caller_stopped(10.35)
    tracker.caller_stopped(10.1)
    tracker.audio_received(10.4)
    latency = tracker.packet_sent(10.4)
    assert latency is not None
    assert latency.total_s == pytest.approx(0.3)


def test_an_end_reported_after_the_answer_opens_nothing() -> None:
    tracker = spoken(10.0)
    tracker.response_started(10.1)
    tracker.audio_received(10.1)
    assert tracker.packet_sent(10.1) is not None
    tracker.caller_stopped(10.05)
    tracker.response_started(30.0)
    tracker.audio_received(30.0)
    assert tracker.packet_sent(30.0) is None


def test_a_caller_who_goes_on_begins_anew() -> None:
    tracker = spoken(10.0)
    tracker.response_started(10.2)
    tracker.caller_started()
    tracker.audio_received(10.3)
    assert tracker.packet_sent(10.3) is None
    tracker.caller_stopped(12.0)
    tracker.response_started(12.2)
    tracker.audio_received(12.3)
    latency = tracker.packet_sent(12.3)
    assert latency is not None
    assert latency.total_s == pytest.approx(0.3)


def test_an_interrupted_answer_is_not_measured() -> None:
    tracker = spoken(10.0)
    tracker.audio_received(10.3)
    tracker.interrupted()
    assert tracker.packet_sent(10.4) is None


def test_audio_may_come_without_a_beginning() -> None:
    tracker = spoken(10.0)
    tracker.audio_received(10.3)
    latency = tracker.packet_sent(10.3)
    assert latency is not None
    assert latency.caller_to_response_s == pytest.approx(0.3)


def test_clocks_that_disagree_never_give_negative_times() -> None:
    tracker = spoken(10.5)
    tracker.response_started(10.4)
    tracker.audio_received(10.4)
    latency = tracker.packet_sent(10.45)
    assert latency is not None
    assert latency.total_s == 0.0
    assert latency.caller_to_model_s == 0.0


def test_a_caller_is_unanswered_until_a_response_begins() -> None:
    tracker = LatencyTracker()
    tracker.caller_started()
    assert tracker.unanswered_since is None
    tracker.caller_stopped(10.0)
    assert tracker.unanswered_since == 10.0
    tracker.response_started(10.3)
    assert tracker.unanswered_since is None
    assert tracker.waiting
