"""How late packets come, and the delay that a jitter buffer should keep because of it.

The transit of a packet is its arrival minus its timestamp, in samples, with an unknown constant.
The fastest recent packet defines zero; the lateness of a packet is its transit above that.
"""

from __future__ import annotations

from telephony.rtp.lateness import LatenessHistogram

_REVIEW_PACKETS = 32
_QUEUE_PACKETS = 96  # 2 s
_WINDOW_REVIEWS = 4
_DECAY = 0.1
_FIRST_REVIEWS = 4
_FIRST_DECAY = 0.5
_ATTACK_MS = 5
_DRAINING_MS = 10
_STEP_MS = 30
_STEP_PACKETS = 5


class DelayEstimate:
    """Follows ``base`` (transit of the fastest packets) and ``target`` (delay to keep), in samples.

    The target is what the lateness of some 20 seconds is worth. :meth:`came_late` raises it at
    once; it falls back slowly, except from the delay to start with, which is given up as soon as it
    is known how packets come. A lasting step of the transit (another path, or a sender whose
    timestamps stood still) moves ``base`` and leaves the target alone. A queue on the way that
    drains within two seconds is no step.

    The target stays from ``min_samples`` to ``max_samples``; a transit that is more than
    ``step_samples`` above the base is never jitter.
    """

    __slots__ = (
        "_attack",
        "_draining",
        "_farthest",
        "_fastest",
        "_histogram",
        "_lateness",
        "_maximum",
        "_minimum",
        "_previous",
        "_reviews",
        "_step",
        "_step_base",
        "_steps",
        "_transits",
        "base",
        "target",
    )

    def __init__(
        self,
        min_samples: float,
        start_samples: float,
        max_samples: float,
        step_samples: float,
        rate_hz: int,
    ) -> None:
        per_ms = rate_hz / 1000
        self._minimum = min_samples
        self._maximum = max_samples
        self._farthest = step_samples
        self._attack = _ATTACK_MS * per_ms
        self._draining = _DRAINING_MS * per_ms
        self._step = _STEP_MS * per_ms
        self._histogram = LatenessHistogram(max_samples, rate_hz)
        self._reviews = 0
        self.target = start_samples
        self.restart(0.0)

    @property
    def settled(self) -> bool:
        """Tell whether the delay to start with has been given up for what packets need."""
        return self._reviews >= _FIRST_REVIEWS

    def restart(self, transit: float) -> None:
        """Forget the base: ``transit`` is the first of a new source. The target stays."""
        self.base = transit
        self._fastest = [transit]
        self._transits: list[float] = []
        self._lateness: list[float] = []
        self._previous = transit
        self._step_base = transit
        self._steps = 0

    def observe(self, transit: float) -> bool:
        """Take the transit of one packet; return whether the target was reviewed."""
        lateness = transit - self.base
        if lateness < 0:
            self.base = transit
            lateness = 0.0
        elif lateness > self._farthest or (self._steps and lateness > self._step):
            self._observe_step(transit)
            return False
        self._steps = 0
        self._lateness.append(lateness)
        self._transits.append(transit)
        if len(self._transits) < _REVIEW_PACKETS or len(self._transits) % _REVIEW_PACKETS:
            return False
        self._review()
        return True

    def observe_late(self, transit: float) -> None:
        """Take the transit of a packet whose turn had passed."""
        self.observe(transit)
        self.came_late(transit - self.base)

    def _observe_step(self, transit: float) -> None:
        """Tell a stalled burst, whose transit falls packet by packet, from a lasting step."""
        draining = transit < self._previous - self._draining
        if self._steps == 0 or draining:
            self._steps = 0
            self._step_base = transit
        self._previous = transit
        self._step_base = min(self._step_base, transit)
        self._steps += 1
        if self._steps > _STEP_PACKETS:
            self.restart(self._step_base)

    def came_late(self, lateness_samples: float) -> None:
        """Attack: a packet missed its slot by arriving this much after the fastest ones.

        By little: the target allows for some that are so late, and every change of the
        delay is heard.
        """
        wanted = min(lateness_samples, self._maximum)
        if wanted > self.target:
            self.target += min(wanted - self.target, self._attack)

    def _review(self) -> None:
        count = self._settled()
        if count == 0:
            if len(self._transits) < _QUEUE_PACKETS:
                return
            # Every packet was late, and no queue drained: the path has changed.
            self._fastest.clear()
            count = len(self._transits)
            fastest = min(self._transits)
            self._lateness = [transit - fastest for transit in self._transits]
        self._fastest.append(min(self._transits[:count]))
        del self._fastest[:-_WINDOW_REVIEWS]
        self.base = min(self._fastest)
        self._histogram.add(self._lateness[:count])
        del self._lateness[:count], self._transits[:count]
        self._move_target()

    def _settled(self) -> int:
        """Return how many packets came before a run of late ones that is not over.

        That run is kept for the next review, which can tell jitter from a step.
        """
        lateness = self._lateness
        count = len(lateness)
        while count and lateness[count - 1] > self._step:
            count -= 1
        return count

    def _move_target(self) -> None:
        self._reviews += 1
        decay = _FIRST_DECAY if self._reviews <= _FIRST_REVIEWS else _DECAY
        wanted = min(max(self._histogram.worthwhile(), self._minimum), self._maximum)
        if wanted < self.target - 1:
            self.target -= (self.target - wanted) * decay
        else:
            self.target = wanted


def is_silence(jump: float, lateness: float, tolerance: float) -> bool:
    """Tell whether a jump of the timestamp agrees with the arrival: silence suppression.

    ``lateness`` is what the packet would have with its new timestamp. All are samples.
    """
    agrees = -jump / 2 <= lateness if jump > 0 else lateness <= -jump / 2
    return agrees and abs(lateness) <= tolerance
