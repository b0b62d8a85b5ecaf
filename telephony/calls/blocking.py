"""Functions that block, run beside the loop without ever holding up its end.

Each runs in a daemon thread of its own: one that hangs delays neither the others nor the exit of
the process, as a thread of a shared pool would.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from telephony.base.errors import TelephonyError

MAX_THREADS = 128

T = TypeVar("T")

_threads = 0


class TooManyBlockedError(TelephonyError):
    """As many functions as are allowed block at this moment."""


async def run_blocking(function: Callable[[], T]) -> T:
    """Return what ``function`` returns, or raise what it raises.

    Cancelling stops the wait and not the thread: its result is dropped. Call it from one event
    loop only. Raises TooManyBlockedError at once when :data:`MAX_THREADS` functions are running.
    """
    global _threads
    if _threads >= MAX_THREADS:
        raise TooManyBlockedError(f"{MAX_THREADS} functions are blocked already")
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as error:
            settle(partial(outcome.set_exception, _raisable(error)))
        else:
            settle(partial(outcome.set_result, result))

    def settle(set_outcome: Callable[[], None]) -> None:
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(finish, set_outcome)

    def finish(set_outcome: Callable[[], None]) -> None:
        global _threads
        _threads -= 1
        if not outcome.done():
            set_outcome()

    _threads += 1
    threading.Thread(target=run, name="blocking", daemon=True).start()
    return await outcome


def _raisable(error: BaseException) -> BaseException:
    """Return what a future takes: SystemExit in a thread ends neither thread nor process here."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
