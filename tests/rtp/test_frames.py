from __future__ import annotations

from dataclasses import asdict

from telephony.rtp.frames import Gap, JitterConfig, JitterStats, Lost


def test_stats_begin_at_zero() -> None:
    assert set(asdict(JitterStats()).values()) == {0}


def test_lost_and_gap_are_values() -> None:
    assert Lost(160) == Lost(160)
    assert Lost(160) != Gap(160)


def test_delays_default_to_those_of_a_good_path() -> None:
    config = JitterConfig()
    assert (config.min_ms, config.start_ms, config.max_ms) == (5, 40, 160)
    assert (config.drop_over_ms, config.ptime_ms) == (400, 20)
