"""When a leg should tick: as soon as its peer's packets are there, and no later.

Packets and ticks have the same period, but lie anywhere to each other, so that on average a packet
waits half a period for nothing. The phase of the ticks takes that away, and follows the clock of
the peer, so that neither end has too much or too little.
"""

from __future__ import annotations

_NET_MAX_MS = 20
_FORGOTTEN_MS_PER_S = 0.2
_UNNOTICED_MS = 2


class TickPhase:
    """Decides on shifts of one leg's ticks, which are also when it sends.

    A packet that is sent early waits with the peer. One that is late may miss its turn there: so by
    much only while nobody speaks. The sum of all shifts stays within 20 ms and what clocks that
    differ by 200 ppm need: the phase of a peer that follows ours, as we follow his, has no end.
    """

    __slots__ = ("_net_at", "_net_ms", "_step_ms", "shifted_ms")

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self._net_ms = 0.0
        self._net_at = 0.0
        self.shifted_ms = 0
        """By how much ticks were shifted in all, to either side."""

    def wanted_ms(self, surplus_ms: float, ptime_ms: int, speaking: bool, now: float) -> int:
        """Return how much earlier (under 0: later) to tick, for a delay so much over its target.

        Whole frames of surplus are the jitter buffer's to drop, in a pause. Ticks that took them
        away would leave the peer one of ours too many.
        """
        if surplus_ms >= 0:
            early_ms = surplus_ms % ptime_ms
        else:
            late_ms = min(-surplus_ms, ptime_ms - self._step_ms)
            early_ms = -min(late_ms, _UNNOTICED_MS) if speaking else -late_ms
        forgotten = _FORGOTTEN_MS_PER_S * (now - self._net_at)
        net_ms = max(abs(self._net_ms) - forgotten, 0.0) * (1 if self._net_ms > 0 else -1)
        self._net_ms, self._net_at = net_ms, now
        early_ms = max(min(early_ms, _NET_MAX_MS - net_ms), -_NET_MAX_MS - net_ms)
        return int(early_ms / self._step_ms) * self._step_ms

    def shifted(self, earlier_ms: int) -> None:
        """Say what was done of it."""
        self._net_ms += earlier_ms
        self.shifted_ms += abs(earlier_ms)
