"""PJSIP's clock as the pacer of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from telephony.base.interfaces import Clock


class Paced(Protocol):
    """What takes part in the exchange of frames: a leg's media."""

    def exchange(self, now: float) -> None: ...


class Ticker:
    """Crosses from PJSIP's clock thread to the loop: once a tick, for all calls together.

    What the ports of later calls bring in the same tick finds the loop woken already.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._woken = False
        self._paced: list[Paced] = []
        self._call: Callable[..., object] = loop.call_soon_threadsafe

    def wake(self) -> None:
        """Tell the loop that there are frames; in any thread."""
        if not self._woken:
            self._woken = True
            # The loop may be closed by now.
            with suppress(RuntimeError):
                self._call(self._tick)

    def add(self, paced: Paced) -> None:
        if paced not in self._paced:
            self._paced.append(paced)

    def remove(self, paced: Paced) -> None:
        """Pace it no more. Twice is harmless."""
        if paced in self._paced:
            self._paced.remove(paced)

    def _tick(self) -> None:
        # First: what comes from now on is for the next tick.
        self._woken = False
        now = self._clock()
        for paced in list(self._paced):
            paced.exchange(now)
