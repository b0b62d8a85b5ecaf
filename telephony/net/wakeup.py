"""The one timer of a shell around a core: set to the core's next deadline, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Wakeup:
    """Calls ``on_time`` once for every :meth:`set_to` that is not taken back before."""

    __slots__ = ("_handle", "_loop", "_on_time")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_time: Callable[[], None]) -> None:
        self._loop = loop
        self._on_time = on_time
        self._handle: asyncio.TimerHandle | None = None

    def set_to(self, due: float | None) -> None:
        """Wait until ``due``, of the loop's clock, and no longer for what was set; None: never."""
        self.stop()
        if due is not None:
            self._handle = self._loop.call_at(due, self._time_came)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _time_came(self) -> None:
        self._handle = None
        self._on_time()
