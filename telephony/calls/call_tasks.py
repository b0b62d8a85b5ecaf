"""The boundary of a call: what it starts, and what goes wrong in it, stays its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


class CallTasks:
    """Starts tasks in a call's TaskGroup and runs callbacks on the call's account.

    Sockets and timers go on calling while a call ends: after :meth:`close` nothing starts any
    more. What a task or a callback raises goes to ``on_error``, which ends this call and no other.
    """

    def __init__(self, group: asyncio.TaskGroup, on_error: Callable[[Exception], None]) -> None:
        self._group = group
        self._on_error = on_error
        self._closed = False

    def close(self) -> None:
        """The call is over; twice is harmless."""
        self._closed = True

    def start(
        self, work: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Run ``work(...)`` as a task of the call, unless the call is over."""
        if not self._closed:
            self._group.create_task(self._run(work, *args, **kwargs))

    async def _run(
        self, work: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        try:
            await work(*args, **kwargs)
        except Exception as error:
            self._on_error(error)

    def guard(self, step: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call ``step(...)``; an exception ends the call instead of reaching the event loop."""
        try:
            step(*args, **kwargs)
        except Exception as error:
            self._on_error(error)
