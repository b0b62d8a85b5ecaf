"""How calls sounded, one observation per leg that ended."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram

from telephony.base.interfaces import MediaStats

_ROUND_TRIP_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0, 2.0)
_LOSS_BUCKETS = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
_JITTER_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_MOS_BUCKETS = (1.5, 2.0, 2.6, 3.1, 3.6, 3.8, 4.0, 4.2, 4.3, 4.4)
"""2.6, 3.1, 3.6, 4.0 and 4.3 part the grades of satisfaction of G.107 annex B."""
_ECHO_LOSS_BUCKETS = (0.0, 6.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
_ECHO_DELAY_BUCKETS = (0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)

RECEIVED, SENT = "received", "sent"


class CallQuality:
    """Histograms by direction: ``received`` is what we hear, ``sent`` what the peer hears.

    What was not known of a leg is not observed.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._round_trip = Histogram(
            "telephony_call_round_trip_seconds",
            "Mean round trip of a call, by RTCP.",
            buckets=_ROUND_TRIP_BUCKETS,
            registry=registry,
        )
        self._loss = self._by_direction(
            registry, "loss_ratio", "Share of a call's packets that never came.", _LOSS_BUCKETS
        )
        self._jitter = self._by_direction(
            registry, "jitter_seconds", "Interarrival jitter at a call's end.", _JITTER_BUCKETS
        )
        self._mos = self._by_direction(
            registry, "mos", "Opinion score of a call, estimated by ITU-T G.107.", _MOS_BUCKETS
        )

        self._echo_loss = Histogram(
            "telephony_call_echo_return_loss_decibels",
            "How much quieter what we said came back, in calls where it did.",
            buckets=_ECHO_LOSS_BUCKETS,
            registry=registry,
        )
        self._echo_delay = Histogram(
            "telephony_call_echo_delay_seconds",
            "How late what we said came back.",
            buckets=_ECHO_DELAY_BUCKETS,
            registry=registry,
        )

    def echo_measured(self, return_loss_db: float, delay_s: float) -> None:
        self._echo_loss.observe(return_loss_db)
        self._echo_delay.observe(delay_s)

    @staticmethod
    def _by_direction(
        registry: CollectorRegistry, name: str, text: str, buckets: tuple[float, ...]
    ) -> dict[str, Histogram]:
        histogram = Histogram(
            f"telephony_call_{name}", text, ["direction"], buckets=buckets, registry=registry
        )
        return {direction: histogram.labels(direction) for direction in (RECEIVED, SENT)}

    def leg_ended(self, stats: MediaStats) -> None:
        if stats.round_trip_ms is not None:
            self._round_trip.observe(stats.round_trip_ms / 1000)
        heard = stats.packets_received > 0
        _observe(self._loss[RECEIVED], stats.loss_percent, 0.01)
        _observe(self._loss[SENT], stats.remote_loss_percent, 0.01)
        _observe(self._jitter[RECEIVED], stats.jitter_ms if heard else None, 0.001)
        _observe(self._jitter[SENT], stats.remote_jitter_ms, 0.001)
        _observe(self._mos[RECEIVED], stats.mos, 1.0)
        _observe(self._mos[SENT], stats.remote_mos, 1.0)


def _observe(histogram: Histogram, value: float | None, scale: float) -> None:
    if value is not None:
        histogram.observe(value * scale)
