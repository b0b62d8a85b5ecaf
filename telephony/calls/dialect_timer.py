"""Wakes a dialect at its deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.base.interfaces import Clock


class DialectTimer:
    """One timer of the loop; most deadlines only move back, so it may wake up early."""

    def __init__(
        self, deadline: Callable[[], float | None], wake: Callable[[], None], clock: Clock
    ) -> None:
        self._deadline = deadline
        self._wake = wake
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._closed = False

    def changed(self) -> None:
        """Wake up for the next deadline, or sooner."""
        deadline = self._deadline()
        if deadline is None or self._closed:
            return
        if self._timer is not None:
            if self._due <= deadline:
                return
            self._timer.cancel()
        self._due = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - self._clock()), self._time_came)

    def _time_came(self) -> None:
        self._timer = None
        self._wake()
        self.changed()

    def close(self) -> None:
        """Never wake up again."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
