"""How late packets have come, and which delay is worth waiting for them."""

from __future__ import annotations

from collections.abc import Iterable

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

    def add(self, lateness_samples: Iterable[float]) -> None:
        """Count packets; what is later than the last bin is counted there."""
        bins, last, count = self._bins, len(self._bins) - 1, 0
        for samples in lateness_samples:
            bins[min(int(samples / self._bin), last)] += self._weight
            count += 1
        self._weight *= _FORGETTING ** (count / _REVIEW_PACKETS)
        if self._weight > _WEIGHT_MAX:
            self._bins = [weight / self._weight for weight in bins]
            self._weight = 1.0

    def worthwhile(self) -> float:
        """Return a delay in samples: the upper edge of a bin."""
        bins = self._bins
        bin_cost = sum(bins) * BIN_MS / (100 * _MS_PER_LATE_PERCENT)
        dear_from = _DEAR_FROM_MS // BIN_MS
        late, best, least = 0.0, 0, float("inf")
        for index in range(len(bins) - 1, -1, -1):
            cost = late + (index + max(index - dear_from, 0)) * bin_cost
            if cost <= least:
                best, least = index, cost
            late += bins[index]
        return (best + 1) * self._bin
