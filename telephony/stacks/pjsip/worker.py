"""The one thread of ours that calls PJSIP.

Commands take PJSIP's locks, which its own threads hold while they wait for the interpreter; the
loop never waits for them. Jobs run in the order in which they were given.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")


class Worker:
    """A thread with a queue of jobs, and the way back from other threads to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="pjsip", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Let the thread end once its jobs are done. Twice is harmless."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await self._loop.run_in_executor(None, thread.join)

    def post(self, job: Callable[[], object]) -> None:
        """Have ``job`` done; what it raises is logged. Without a thread nothing happens."""
        if self._thread is not None:
            self._jobs.put(job)

    async def run(self, job: Callable[[], T]) -> T:
        """Have ``job`` done, and return or raise what came of it."""
        done: asyncio.Future[T] = self._loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            try:
                result = job()
            except Exception as error:
                self.cross(settle, None, error)
            else:
                self.cross(settle, result, None)

        if self._thread is None:
            raise RuntimeError("PJSIP is not open")
        self._jobs.put(work)
        return await done

    def cross(self, what: Callable[..., object], *arguments: Any) -> None:
        """Call ``what`` in the loop, soon and in order; in any thread."""
        # The loop may be closed by now.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("pjsip.command_failed")
            # What the job held must not live until the next one comes.
            del job
