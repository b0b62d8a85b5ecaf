"""How late packets have come, and which delay is worth waiting for them."""

from __future__ import annotations

from collections.abc import Sequence

BIN_MS = 5
_MS_PER_LATE_PERCENT = 80
_DEAR_FROM_MS = 80
_FORGETTING = 1.023  # half of the weight is 32 reviews old: 1024 packets, 20 s
_REVIEW_PACKETS = 32
_WEIGHT_MAX = 1e9


class LatenessHistogram:
    """Counts packets by their lateness in bins of 5 ms; older ones count less.

    :meth:`worthwhile` is the delay at which lateness and delay together cost least: one packet in
    a hundred that comes too late is worth 80 ms, and half of that where the delay is over 80 ms
    already. So a long tail is waited for as long as few milliseconds save many packets.
    """

    __slots__ = ("_bin", "_bins", "_weight")

    def __init__(self, max_samples: float, rate_hz: int) -> None:
        self._bin = BIN_MS * rate_hz / 1000
        self._bins = [0.0] * (int(max_samples / self._bin) + 1)
        self._weight = 1.0

    def add(self, lateness_samples: Sequence[float]) -> None:
        """Count packets; what is later than the last bin is counted there."""
        bins, size, weight = self._bins, self._bin, self._weight
        last = len(bins) - 1
        for samples in lateness_samples:
            bins[min(int(samples / size), last)] += weight
        self._weight *= _FORGETTING ** (len(lateness_samples) / _REVIEW_PACKETS)
        if self._weight > _WEIGHT_MAX:
            self._bins = [weight / self._weight for weight in bins]
            self._weight = 1.0

    def worthwhile(self) -> float:
        """Return a delay in samples: the upper edge of a bin."""
        bins = self._bins
        late = sum(bins)
        bin_cost = late * BIN_MS / (100 * _MS_PER_LATE_PERCENT)
        dear_from = _DEAR_FROM_MS // BIN_MS
        best, least = 0, late
        for index, weight in enumerate(bins):
            delay_cost = (index + max(index - dear_from, 0)) * bin_cost
            if delay_cost > least:
                break
            late -= weight
            if late + delay_cost < least:
                best, least = index, late + delay_cost
        return (best + 1) * self._bin
