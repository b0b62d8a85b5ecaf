"""A program that is started once, given one request after another and answers each with a line."""

from __future__ import annotations

import asyncio
import os
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import structlog

from telephony.base.speech import SpeechFailure
from telephony.net.speech.turn_transcriber import SpeechError

log = structlog.get_logger()

MAX_WAITING = 32
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_HEALTHY_AFTER_S = 30.0
_END_TIMEOUT_S = 2.0
_MAX_LINE_BYTES = 1 << 20
_LAST_LINES = 5


@dataclass(frozen=True, slots=True)
class WorkerProgram:
    """What to run, without a shell, and how it answers.

    An answer is a line on ``answers_on`` in which ``answer`` is found; lines without are talk.
    ``ready`` is found in the line that says that requests are taken, where there is one.
    """

    name: str
    command: tuple[str, ...]
    answer: re.Pattern[str]
    answers_on: Literal["stdout", "stderr"] = "stdout"
    ready: re.Pattern[str] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 60.0
    answer_timeout_s: float = 30.0
    keep_s: float = 60.0


@dataclass(slots=True)
class WorkerStats:
    starts: int = 0
    failures: int = 0
    requests: int = 0
    refused: int = 0


class LineWorker:
    """One process, shared by the calls that use it; requests are answered one at a time.

    It is started when it is first needed, and ended when nobody has needed it for ``keep_s``. One
    that died is started again, after a pause that doubles while it keeps dying.
    """

    def __init__(self, program: WorkerProgram) -> None:
        self.program = program
        self.stats = WorkerStats()
        self._process: Process | None = None
        self._lines: asyncio.StreamReader | None = None
        self._lock: asyncio.Lock | None = None
        self._waiting = 0
        self._users = 0
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._exchanges: set[asyncio.Task[re.Match[str]]] = set()
        self._pause_s = 0.0
        self._started_at = 0.0
        self._not_before = 0.0
        self._talk: deque[str] = deque(maxlen=_LAST_LINES)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    # Who uses it

    async def acquire(self) -> None:
        """A call needs it: start it if it is not running; raises SpeechError."""
        self._users += 1
        self._keep()
        try:
            async with self._one_at_a_time():
                await self._start()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """A call needs it no longer."""
        self._users = max(0, self._users - 1)
        if self._users == 0 and self._process is not None:
            loop = asyncio.get_running_loop()
            self._keep()
            self._idle = loop.call_later(self.program.keep_s, self._end_idle)

    async def close(self) -> None:
        """End the process. It can be started again."""
        self._keep()
        for exchange in list(self._exchanges):
            exchange.cancel()
        await asyncio.gather(*self._exchanges, *self._ending, return_exceptions=True)
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    # Requests

    async def ask(self, request: bytes) -> re.Match[str]:
        """Return the answer to ``request``; raises SpeechError.

        Who is cancelled while waiting is not served; an exchange that has begun is finished, for
        the next answer to belong to the next request.
        """
        if self._waiting >= MAX_WAITING:
            self.stats.refused += 1
            message = f"{MAX_WAITING} requests wait for {self.program.name}"
            raise SpeechError(SpeechFailure("overloaded", message, False, True))
        lock = self._one_at_a_time()
        self._waiting += 1
        try:
            await lock.acquire()
        finally:
            self._waiting -= 1
        exchange = asyncio.get_running_loop().create_task(self._exchange(request))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanged)
        return await asyncio.shield(exchange)

    def _exchanged(self, exchange: asyncio.Task[re.Match[str]]) -> None:
        self._exchanges.discard(exchange)
        self._one_at_a_time().release()
        if not exchange.cancelled():
            # Who asked may be gone: then nobody else looks at it.
            exchange.exception()

    async def _exchange(self, request: bytes) -> re.Match[str]:
        self.stats.requests += 1
        await self._start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        try:
            async with asyncio.timeout(self.program.answer_timeout_s):
                process.stdin.write(request)
                await process.stdin.drain()
                return await self._line_with(self.program.answer)
        except (TimeoutError, OSError, EOFError) as error:
            raise await self._died(error) from error

    async def _line_with(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Raises EOFError when the program ends instead."""
        assert self._lines is not None
        while True:
            try:
                line = await self._lines.readline()
            except ValueError:
                # A line beyond the bound; what is left of it is read as the next one.
                continue
            if not line:
                raise EOFError
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if found := pattern.search(text):
                return found
            self._talk.append(text)

    # The process

    async def _start(self) -> None:
        if self.running:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            message = f"{self.program.name} ended; it is started again in a moment"
            raise SpeechError(SpeechFailure("worker_restarting", message, False, True))
        program = self.program
        self._talk.clear()
        self._started_at = loop.time()
        stdout = program.answers_on == "stdout"
        try:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=PIPE,
                stdout=PIPE if stdout else DEVNULL,
                stderr=DEVNULL if stdout else PIPE,
                env={**os.environ, **program.environ},
                limit=_MAX_LINE_BYTES,
                # Ctrl-C at our terminal is for us, who end it in order.
                start_new_session=True,
            )
        except OSError as error:
            reason = f"{program.command[0]} cannot be started: {error.strerror or error}"
            raise SpeechError(SpeechFailure("not_startable", reason, True, False)) from None
        self._process = process
        self._lines = process.stdout if stdout else process.stderr
        self.stats.starts += 1
        log.info("speech_worker.started", program=program.name, pid=process.pid)
        if program.ready is not None:
            try:
                async with asyncio.timeout(program.start_timeout_s):
                    await self._line_with(program.ready)
            except (TimeoutError, EOFError) as error:
                raise await self._died(error) from error

    async def _died(self, error: BaseException) -> SpeechError:
        """Make an end of a process that failed us; return the error to raise."""
        loop = asyncio.get_running_loop()
        process, self._process = self._process, None
        self.stats.failures += 1
        if process is not None:
            await _end(process)
        lasted = loop.time() - self._started_at
        self._pause_s = (
            _FIRST_PAUSE_S
            if lasted >= _HEALTHY_AFTER_S or not self._pause_s
            else min(self._pause_s * 2, _LONGEST_PAUSE_S)
        )
        self._not_before = loop.time() + self._pause_s
        status = None if process is None else process.returncode
        what = "gave no answer" if isinstance(error, TimeoutError) else f"ended with {status}"
        said = f": {self._talk[-1]}" if self._talk else ""
        log.warning("speech_worker.failed", program=self.program.name, status=status)
        message = f"{self.program.name} {what}{said}"
        return SpeechError(SpeechFailure("worker_failed", message, False, True))

    def _end_idle(self) -> None:
        self._idle = None
        process, self._process = self._process, None
        if process is not None:
            task = asyncio.get_running_loop().create_task(_end(process))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _keep(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _one_at_a_time(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock


async def _end(process: Process) -> None:
    """Close its input, which asks it to end, and insist after a while."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        async with asyncio.timeout(_END_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def command_line(program: str, *arguments: str | Sequence[str]) -> tuple[str, ...]:
    """Return a command of single arguments and groups of them."""
    words: list[str] = [program]
    for argument in arguments:
        words.extend([argument] if isinstance(argument, str) else argument)
    return tuple(words)
