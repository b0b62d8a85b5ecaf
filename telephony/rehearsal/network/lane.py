"""Datagrams under way: what a path decided, carried out by the event loop."""

from __future__ import annotations

import heapq
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from telephony.base.interfaces import Address, Clock
from telephony.rehearsal.network.path import Path

Arrive = Callable[[bytes, Address], None]
"""What is done with a datagram at the end of the lane; the address is the one it was given."""

MAX_UNDER_WAY = 2000
"""Datagrams that a lane holds at a time: 40 s of a call."""

# Timers of some loops count in whole milliseconds.
_TIMER_RESOLUTION_S = 0.001


@dataclass(slots=True)
class LaneStats:
    """Datagrams; those that ``overflowed`` found too many under way."""

    overflowed: int = 0


class Lane:
    """One direction: holds each datagram for as long as its path says, by one timer."""

    def __init__(self, loop: AbstractEventLoop, clock: Clock, path: Path, arrive: Arrive) -> None:
        self.stats = LaneStats()
        self._loop = loop
        self._clock = clock
        self._path = path
        self._arrive = arrive
        self._under_way: list[tuple[float, int, bytes, Address]] = []
        self._numbers = count()
        self._timer: TimerHandle | None = None

    def carry(self, data: bytes, address: Address, now: float) -> None:
        """Take a datagram; it arrives later, twice, or never."""
        for leaves_at in self._path.admit(len(data), now):
            if len(self._under_way) >= MAX_UNDER_WAY:
                self.stats.overflowed += 1
                continue
            # Numbered: what leaves at the same time leaves in order.
            heapq.heappush(self._under_way, (leaves_at, next(self._numbers), data, address))
        self._arm(now)

    def close(self) -> None:
        """Forget what is under way. Twice is harmless."""
        self._under_way.clear()
        self._arm(0.0)

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._under_way:
            wait_s = max(0.0, self._under_way[0][0] - now)
            self._timer = self._loop.call_later(wait_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._clock()
        while self._under_way and self._under_way[0][0] <= now + _TIMER_RESOLUTION_S:
            _, _, data, address = heapq.heappop(self._under_way)
            self._arrive(data, address)
        self._arm(now)
