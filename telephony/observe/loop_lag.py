"""How late the event loop runs what is due."""

from __future__ import annotations

import math
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable


class LoopLag:
    """Samples the loop on absolute deadlines and gives every lag to ``observe(seconds)``.

    A stall is one sample with its whole length; the deadlines it swallowed are skipped.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        clock: Callable[[], float],
        observe: Callable[[float], None],
        interval_s: float = 0.25,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._observe = observe
        self._interval_s = interval_s
        self._deadline = 0.0
        self._last_s = 0.0
        self._timer: TimerHandle | None = None

    def start(self) -> None:
        # On a whole millisecond, where the timers of a millisecond loop can hit it.
        self._deadline = math.floor(self._clock() * 1000) / 1000 + self._interval_s
        self._arm()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def current_s(self) -> float:
        """Return the lag of the last sample, or of the one that is overdue now."""
        overdue_s = self._clock() - self._deadline if self._timer is not None else 0.0
        return max(self._last_s, overdue_s)

    def _arm(self) -> None:
        delay_ms = max(0, math.ceil((self._deadline - self._clock()) * 1000 - 0.001))
        self._timer = self._loop.call_later(delay_ms / 1000, self._sample)

    def _sample(self) -> None:
        lag_s = max(0.0, self._clock() - self._deadline)
        self._last_s = lag_s
        self._observe(lag_s)
        self._deadline += (int(lag_s / self._interval_s) + 1) * self._interval_s
        self._arm()
