"""Media counters of all legs, summed when somebody scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telephony.base.interfaces import MediaStats

ReadStats = Callable[[], MediaStats]

_COUNTERS = {
    "packets_received": ("rtp_packets_received", "RTP packets from callers."),
    "packets_sent": ("rtp_packets_sent", "RTP packets to callers."),
    "packets_lost": ("rtp_packets_lost", "RTP packets that never came."),
    "packets_late": ("rtp_packets_late", "RTP packets that came after their turn."),
    "packets_duplicate": ("rtp_packets_duplicate", "RTP packets that came twice."),
    "packets_reordered": ("rtp_packets_reordered", "RTP packets out of order, put right."),
    "packets_discarded": ("rtp_packets_discarded", "Frames dropped to shorten the delay."),
    "packets_refused": ("rtp_packets_refused", "RTP packets from a source not of the call."),
    "packets_malformed": ("rtp_packets_malformed", "Datagrams that are no RTP of the call."),
    "packets_unauthenticated": (
        "rtp_packets_unauthenticated",
        "SRTP packets that the caller did not protect, or with a key past its life.",
    ),
    "rtcp_packets_received": ("rtcp_packets_received", "RTCP datagrams from callers."),
    "rtcp_packets_sent": ("rtcp_packets_sent", "RTCP datagrams to callers."),
    "rtcp_packets_refused": (
        "rtcp_packets_refused",
        "RTCP from a source not of the call, not protected, or not to be read.",
    ),
    "send_errors": ("rtp_send_errors", "RTP packets the network did not take."),
    "concealed_ms": ("rtp_concealed_seconds", "Audio made up for lost packets."),
    "gap_ms": ("rtp_gap_seconds", "Silence filled in where the caller sent none."),
    "comfort_noise_ms": ("rtp_comfort_noise_seconds", "The part of it filled with noise."),
    "accelerated_ms": ("rtp_accelerated_seconds", "Speech left out by time scaling."),
    "decelerated_ms": ("rtp_decelerated_seconds", "Speech put in by time scaling."),
    "jitter_buffer_underruns": (
        "jitter_buffer_underruns",
        "Frames that were due when nothing had come.",
    ),
    "ticks_shifted_ms": (
        "rtp_ticks_shifted_seconds",
        "Time by which legs moved their ticks to where the packets come.",
    ),
}
_GAUGES = {
    "jitter_ms": ("rtp_jitter", "Interarrival jitter (RFC 3550) over live legs."),
    "jitter_buffer_delay_ms": ("jitter_buffer_delay", "Jitter-buffer delay over live legs."),
}


class MediaTotals(Collector):
    """Sums live legs and those that ended; the media path pays nothing for it."""

    def __init__(self) -> None:
        self._live: dict[ReadStats, None] = {}
        self._ended = dict.fromkeys(_COUNTERS, 0)
        self._exported = dict.fromkeys(_COUNTERS, 0)

    def add(self, read_stats: ReadStats) -> None:
        self._live[read_stats] = None

    def remove(self, read_stats: ReadStats) -> MediaStats | None:
        """Keep the leg's last numbers, which are returned, and forget it.

        A second time does nothing.
        """
        if read_stats not in self._live:
            return None
        del self._live[read_stats]
        last = read_stats()
        self._add_to(self._ended, last)
        return last

    def collect(self) -> Iterator[Metric]:
        live = [read_stats() for read_stats in self._live]
        totals = dict(self._ended)
        for stats in live:
            self._add_to(totals, stats)
        for field, (name, text) in _COUNTERS.items():
            # A packet counted as lost may still come: an exported counter must not go back,
            # Prometheus would take it for a restart.
            self._exported[field] = max(self._exported[field], totals[field])
            scale = 0.001 if field.endswith("_ms") else 1
            yield CounterMetricFamily(f"telephony_{name}", text, self._exported[field] * scale)
        for field, (name, text) in _GAUGES.items():
            values = [float(getattr(stats, field)) / 1000 for stats in live] or [0.0]
            mean = sum(values) / len(values)
            yield GaugeMetricFamily(f"telephony_{name}_mean_seconds", f"{text} Mean.", mean)
            yield GaugeMetricFamily(
                f"telephony_{name}_max_seconds", f"{text} Maximum.", max(values)
            )

    @staticmethod
    def _add_to(totals: dict[str, int], stats: MediaStats) -> None:
        for field in totals:
            totals[field] += int(getattr(stats, field))
