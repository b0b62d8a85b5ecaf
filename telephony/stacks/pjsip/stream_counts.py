"""What PJSIP counts of one RTP stream, and what all streams of a call add up to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from telephony.base.interfaces import MediaStats


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """Counters of one stream; a re-INVITE that changes it begins another one at 0."""

    packets_received: int = 0
    packets_sent: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    packets_duplicate: int = 0
    packets_reordered: int = 0
    packets_discarded: int = 0
    frames_concealed: int = 0
    frames_missing: int = 0

    def __add__(self, other: StreamCounts) -> StreamCounts:
        names = (field.name for field in fields(self))
        return StreamCounts(*(getattr(self, name) + getattr(other, name) for name in names))


@dataclass(frozen=True, slots=True)
class StreamReading:
    """Counters, and how the stream is now."""

    counts: StreamCounts
    jitter_ms: float = 0.0
    delay_ms: float = 0.0


def read_stream(stat: Any) -> StreamReading:
    """Copy a ``pj.StreamStat``. What its jitter buffer discarded came too late to be played."""
    received, jitter_buffer = stat.rtcp.rxStat, stat.jbuf
    counts = StreamCounts(
        packets_received=received.pkt,
        packets_sent=stat.rtcp.txStat.pkt,
        packets_lost=received.loss,
        packets_late=jitter_buffer.discard,
        packets_duplicate=received.dup,
        packets_reordered=received.reorder,
        packets_discarded=received.discard,
        frames_concealed=jitter_buffer.lost,
        frames_missing=jitter_buffer.empty,
    )
    return StreamReading(counts, received.jitterUsec.last / 1000, float(jitter_buffer.avgDelayMsec))


class CallCounts:
    """Adds up the streams of one call. ``last_received_at`` is as exact as it is asked for."""

    def __init__(self) -> None:
        self._before = StreamCounts()
        self._reading = StreamReading(StreamCounts())
        self.last_received_at: float | None = None

    def take(self, reading: StreamReading, final: bool, now: float) -> None:
        """Take what a stream has counted; ``final``: it is gone."""
        if reading.counts.packets_received > self._reading.counts.packets_received:
            self.last_received_at = now
        self._reading = reading
        if final:
            self._before += reading.counts
            self._reading = StreamReading(StreamCounts(), reading.jitter_ms, reading.delay_ms)

    def media_stats(self, ptime_ms: int) -> MediaStats:
        counts, reading = self._before + self._reading.counts, self._reading
        return MediaStats(
            packets_received=counts.packets_received,
            packets_sent=counts.packets_sent,
            packets_lost=counts.packets_lost,
            packets_late=counts.packets_late,
            packets_duplicate=counts.packets_duplicate,
            packets_reordered=counts.packets_reordered,
            packets_discarded=counts.packets_discarded,
            concealed_ms=counts.frames_concealed * ptime_ms,
            gap_ms=counts.frames_missing * ptime_ms,
            jitter_ms=reading.jitter_ms,
            jitter_buffer_delay_ms=reading.delay_ms,
        )
