from __future__ import annotations

import pytest

from telephony.rtp.stats import RtpStats


def feed(stats: RtpStats, *numbers: int, start_s: float = 0.0) -> None:
    for index, number in enumerate(numbers):
        stats.receive(number & 0xFFFF, number * 160 & 0xFFFF_FFFF, start_s + index * 0.02)


def test_nothing_received() -> None:
    stats = RtpStats()
    assert (stats.expected, stats.received, stats.lost) == (0, 0, 0)
    assert stats.jitter_ms == 0
    assert stats.take_fraction_lost() == 0
    assert stats.extended_highest_sequence == 0


def test_loss_is_counted_across_the_wrap() -> None:
    stats = RtpStats()
    feed(stats, 65_533, 65_535, 65_537, 65_538)
    assert (stats.expected, stats.received, stats.lost) == (6, 4, 2)
    assert stats.extended_highest_sequence == 65_538


def test_order_does_not_matter_and_duplicates_count_as_received() -> None:
    stats = RtpStats()
    feed(stats, 1, 3, 2, 4, 4)
    assert (stats.expected, stats.received, stats.lost) == (4, 5, -1)


def test_a_lone_packet_far_away_is_not_believed() -> None:
    stats = RtpStats()
    feed(stats, 1, 2, 30_000, 3)
    assert (stats.expected, stats.lost, stats.restarts) == (3, 0, 0)


def test_a_restart_keeps_the_loss_before_it() -> None:
    stats = RtpStats()
    feed(stats, 1, 2, 4, 30_000, 30_001, 30_002)
    assert (stats.expected, stats.received, stats.lost, stats.restarts) == (7, 6, 1, 1)


def test_a_restart_at_zero() -> None:
    stats = RtpStats()
    feed(stats, 40_000, 40_001, 0, 1, 3)
    assert (stats.expected, stats.lost, stats.restarts) == (6, 1, 1)


def test_a_steady_stream_has_no_jitter_across_the_timestamp_wrap() -> None:
    stats = RtpStats()
    for index in range(100):
        stats.receive(index, (2**32 - 8000 + index * 160) % 2**32, index * 0.02)
    assert stats.jitter_samples == pytest.approx(0, abs=1e-6)


def test_jitter_converges_to_the_mean_change_of_transit() -> None:
    stats = RtpStats()
    for index in range(500):
        stats.receive(index, index * 160, index * 0.02 + (0.010 if index % 2 else 0))
    assert stats.jitter_ms == pytest.approx(10, rel=0.01)


def test_a_timestamp_that_jumps_is_no_jitter() -> None:
    stats = RtpStats()
    for index in range(100):
        jumped = 0x5000_0000 if index >= 50 else 0
        stats.receive(index, jumped + index * 160, index * 0.02)
    assert stats.jitter_samples == pytest.approx(0, abs=1e-6)


def test_jitter_follows_the_formula_of_appendix_a8() -> None:
    stats = RtpStats()
    expected, before = 0.0, 0.0
    for index, late_s in enumerate([0.0, 0.003, 0.001, 0.020, 0.004]):
        stats.receive(index, index * 160, 7 + index * 0.02 + late_s)
        if index:
            expected += (abs(late_s - before) * 8000 - expected) / 16
        before = late_s
    assert stats.jitter_samples == pytest.approx(expected)


def test_the_fraction_lost_is_that_since_the_last_question() -> None:
    stats = RtpStats()
    feed(stats, *(number for number in range(100) if number % 4 != 1))
    assert stats.take_fraction_lost() == pytest.approx(0.25)
    feed(stats, *range(100, 200), start_s=2)
    assert stats.take_fraction_lost() == 0


def test_events_count_for_loss_and_not_for_jitter() -> None:
    stats = RtpStats()
    feed(stats, 1, 2)
    for number in (3, 4, 6):
        stats.receive_sequence(number)
    assert (stats.lost, stats.received) == (1, 5)
    assert stats.jitter_samples == pytest.approx(0)
