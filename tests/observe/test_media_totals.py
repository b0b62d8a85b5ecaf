from __future__ import annotations

from prometheus_client import CollectorRegistry

from telephony.base.interfaces import MediaStats
from telephony.observe.media_totals import MediaTotals


class Leg:
    def __init__(self, stats: MediaStats) -> None:
        self._stats = stats

    def stats(self) -> MediaStats:
        return self._stats


def totals() -> tuple[MediaTotals, CollectorRegistry]:
    registry = CollectorRegistry()
    media = MediaTotals()
    registry.register(media)
    return media, registry


def test_live_legs_are_summed_with_those_that_ended() -> None:
    media, registry = totals()
    first = MediaStats(packets_received=10, concealed_ms=40)
    second = MediaStats(packets_received=5, gap_ms=1500)
    read_first, read_second = (lambda: first), (lambda: second)
    media.add(read_first)
    media.add(read_second)
    assert registry.get_sample_value("telephony_rtp_packets_received_total") == 15
    media.remove(read_first)
    media.remove(read_first)
    second.packets_received = 7
    assert registry.get_sample_value("telephony_rtp_packets_received_total") == 17
    assert registry.get_sample_value("telephony_rtp_concealed_seconds_total") == 0.04
    assert registry.get_sample_value("telephony_rtp_gap_seconds_total") == 1.5


def test_a_leg_added_twice_counts_once() -> None:
    media, registry = totals()
    stats = MediaStats(packets_sent=4)
    leg = Leg(stats)
    media.add(leg.stats)
    media.add(leg.stats)
    assert registry.get_sample_value("telephony_rtp_packets_sent_total") == 4


def test_a_packet_that_came_after_all_does_not_take_a_counter_back() -> None:
    media, registry = totals()
    stats = MediaStats(packets_lost=3)
    media.add(lambda: stats)
    assert registry.get_sample_value("telephony_rtp_packets_lost_total") == 3
    stats.packets_lost = 1
    assert registry.get_sample_value("telephony_rtp_packets_lost_total") == 3
    stats.packets_lost = 5
    assert registry.get_sample_value("telephony_rtp_packets_lost_total") == 5


def test_delays_are_those_of_live_legs() -> None:
    media, registry = totals()
    assert registry.get_sample_value("telephony_jitter_buffer_delay_max_seconds") == 0.0
    first = MediaStats(jitter_buffer_delay_ms=40.0, jitter_ms=2.0)
    second = MediaStats(jitter_buffer_delay_ms=80.0, jitter_ms=4.0)
    media.add(lambda: first)
    media.add(lambda: second)
    assert registry.get_sample_value("telephony_jitter_buffer_delay_max_seconds") == 0.08
    assert registry.get_sample_value("telephony_jitter_buffer_delay_mean_seconds") == 0.06
    assert registry.get_sample_value("telephony_rtp_jitter_max_seconds") == 0.004
