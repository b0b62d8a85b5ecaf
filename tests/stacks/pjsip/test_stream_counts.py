from __future__ import annotations

from types import SimpleNamespace

from telephony.stacks.pjsip.stream_counts import (
    CallCounts,
    StreamCounts,
    StreamReading,
    read_stream,
)


def reading(received: int, jitter_ms: float = 0.0) -> StreamReading:
    return StreamReading(StreamCounts(packets_received=received), jitter_ms)


def test_the_streams_of_a_call_add_up() -> None:
    counts = CallCounts()
    counts.take(reading(5), False, 1.0)
    counts.take(reading(9), True, 2.0)
    counts.take(reading(3, jitter_ms=7.0), False, 3.0)
    stats = counts.media_stats(20)
    assert stats.packets_received == 12
    assert stats.jitter_ms == 7.0


def test_when_a_packet_came_is_noticed_when_their_number_grew() -> None:
    counts = CallCounts()
    counts.take(reading(0), False, 1.0)
    assert counts.last_received_at is None
    counts.take(reading(1), False, 2.0)
    counts.take(reading(1), False, 3.0)
    assert counts.last_received_at == 2.0
    counts.take(reading(1), True, 4.0)
    counts.take(reading(1), False, 5.0)
    assert counts.last_received_at == 5.0


def test_what_pjsip_counts_has_our_names() -> None:
    received = SimpleNamespace(
        pkt=100, loss=3, dup=2, reorder=1, discard=4, jitterUsec=SimpleNamespace(last=1500)
    )
    jitter_buffer = SimpleNamespace(discard=5, lost=6, empty=7, avgDelayMsec=40)
    stat = SimpleNamespace(
        rtcp=SimpleNamespace(rxStat=received, txStat=SimpleNamespace(pkt=99)), jbuf=jitter_buffer
    )
    counts = CallCounts()
    counts.take(read_stream(stat), True, 0.0)
    stats = counts.media_stats(20)
    assert (stats.packets_received, stats.packets_sent, stats.packets_lost) == (100, 99, 3)
    assert (stats.packets_late, stats.packets_duplicate, stats.packets_reordered) == (5, 2, 1)
    assert (stats.packets_discarded, stats.concealed_ms, stats.gap_ms) == (4, 120, 140)
    assert (stats.jitter_ms, stats.jitter_buffer_delay_ms) == (1.5, 40.0)
