"""An event loop that is only a timer queue, on a clock that the test moves."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from typing import Any


class FakeTimer:
    """What ``call_later`` returns: as much of ``asyncio.TimerHandle`` as shells use."""

    def __init__(self, when: float, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.when = when
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Timers run when ``run_until`` or ``stall`` passes their time; ``now`` is the only clock.

    ``granularity_s`` imitates libuv: a timer counts from the start of the running millisecond.
    """

    def __init__(self, now: float = 1000.0, granularity_s: float = 0.0) -> None:
        self.now = now
        self.granularity_s = granularity_s
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        return self.now

    time = clock

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> FakeTimer:
        timer = FakeTimer(when, callback, args)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> FakeTimer:
        start = self.now
        if self.granularity_s:
            start = math.floor(start / self.granularity_s + 1e-6) * self.granularity_s
        return self.call_at(start + delay, callback, *args)

    @property
    def pending(self) -> int:
        return sum(not timer.cancelled for _, _, timer in self._timers)

    def stall(self, seconds: float) -> None:
        """Let time pass in which the loop runs nothing."""
        self.now += seconds

    def run_until(self, end: float) -> None:
        """Run what is due, in order, up to ``end``."""
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            if not timer.cancelled:
                timer.callback(*timer.args)
        self.now = max(self.now, end)
