"""How late packets come, and the delay that a jitter buffer should keep because of it.

The transit of a packet is its arrival minus its timestamp, in samples, with an unknown constant.
The fastest recent packet defines zero; the lateness of a packet is its transit above that.
"""

from __future__ import annotations

_BIN_MS = 5
_PERCENTILE_ABOVE = 0.02
_REVIEW_PACKETS = 32
_WINDOW_REVIEWS = 4
_REVIEW_FORGETTING = 1.023  # half of the weight is 32 reviews old: 1024 packets, 20 s
_WEIGHT_MAX = 1e9
_DECAY_PER_REVIEW = 0.1
_STEP_PACKETS = 5


class DelayEstimate:
    """Follows ``base`` (transit of the fastest packets) and ``target`` (delay to keep).

    The target is the 98th percentile of the lateness over some 20 seconds. :meth:`came_late`
    raises it at once; it falls back slowly. A lasting step of the transit beyond the largest
    delay (another path, or a sender whose timestamps stood still) moves ``base`` after
    100 ms instead of raising the target.
    """

    __slots__ = (
        "_bin_samples",
        "_bins",
        "_countdown",
        "_frame_samples",
        "_maximum",
        "_minimum",
        "_previous_transit",
        "_reviews",
        "_step_base",
        "_steps",
        "_weight",
        "_window_base",
        "base",
        "target",
    )

    def __init__(
        self, min_samples: float, start_samples: float, max_samples: float, rate_hz: int
    ) -> None:
        self._minimum = min_samples
        self._maximum = max_samples
        self._bin_samples = rate_hz * _BIN_MS / 1000
        self._bins = [0.0] * (int(max_samples / self._bin_samples) + 1)
        self._weight = 1.0
        self._frame_samples = rate_hz * 20 / 1000
        self.target = start_samples
        self.restart(0.0)

    def restart(self, transit: float) -> None:
        """Forget the base: ``transit`` is the first of a new source. The target stays."""
        self.base = transit
        self._window_base = transit
        self._previous_transit = transit
        self._step_base = transit
        self._steps = 0
        self._countdown = _REVIEW_PACKETS
        self._reviews = 0

    def observe(self, transit: float) -> bool:
        """Take the transit of one packet; return whether the target was reviewed."""
        if transit < self._window_base:
            self._window_base = transit
            if transit < self.base:
                self.base = transit
        lateness = transit - self.base
        if lateness > self._maximum:
            self._observe_step(transit)
            return False
        self._steps = 0
        self._bins[int(lateness / self._bin_samples)] += self._weight
        self._countdown -= 1
        if self._countdown:
            return False
        self._review()
        return True

    def _observe_step(self, transit: float) -> None:
        """Tell a stalled burst, whose transit falls packet by packet, from a lasting step."""
        draining = transit < self._previous_transit - self._frame_samples / 2
        if self._steps == 0 or draining:
            self._steps = 0
            self._step_base = transit
        self._previous_transit = transit
        self._step_base = min(self._step_base, transit)
        self._steps += 1
        if self._steps > _STEP_PACKETS:
            self.restart(self._step_base)

    def came_late(self, lateness_samples: float) -> None:
        """Attack: a packet missed its slot by arriving this much after the fastest ones."""
        wanted = min(lateness_samples, self._maximum)
        if wanted > self.target:
            self.target += min(wanted - self.target, self._frame_samples)

    def _review(self) -> None:
        self._countdown = _REVIEW_PACKETS
        self._reviews += 1
        if self._reviews == _WINDOW_REVIEWS:
            self._reviews = 0
            self.base = self._window_base
            self._window_base = float("inf")
        percentile = max(self._percentile(), self._minimum)
        if percentile >= self.target:
            self.target = percentile
        else:
            self.target -= (self.target - percentile) * _DECAY_PER_REVIEW
            if self.target - percentile < 1:
                self.target = percentile
        self._forget()

    def _percentile(self) -> float:
        bins = self._bins
        allowed = sum(bins) * _PERCENTILE_ABOVE
        index = len(bins) - 1
        while index > 0 and bins[index] <= allowed:
            allowed -= bins[index]
            index -= 1
        return min((index + 1) * self._bin_samples, self._maximum)

    def _forget(self) -> None:
        self._weight *= _REVIEW_FORGETTING
        if self._weight > _WEIGHT_MAX:
            self._bins = [count / self._weight for count in self._bins]
            self._weight = 1.0
