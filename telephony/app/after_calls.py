"""What is done once a call is over: its recording is transcribed, by a process of its own.

One at a time and with the lowest claim on the machine, so that no call that goes on notices.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

LONGEST_S = 1800.0
_END_TIMEOUT_S = 5.0
_LAST_WORDS = 300


@dataclass(slots=True)
class TranscriptTotals:
    """``left_out``: too many waited already, or the bot ended first."""

    files: int = 0
    failures: int = 0
    left_out: int = 0


def transcribe_command(recording: Path, config: Path | None) -> list[str]:
    """Return how this program transcribes a recording."""
    command = [sys.executable, "-m", "telephony.app.cli", "transcribe", str(recording)]
    place = [] if config is None else ["--config", str(config)]
    return [*command, "--save", "--nice", *place]


class Transcripts:
    """Transcribes recordings in the order of their calls' ends; :meth:`add` returns at once."""

    def __init__(self, config: Path | None, max_waiting: int, longest_s: float = LONGEST_S) -> None:
        self.totals = TranscriptTotals()
        self._config = config
        self._waiting: asyncio.Queue[Path] = asyncio.Queue(max_waiting)
        self._longest_s = longest_s
        self._task: asyncio.Task[None] | None = None

    def add(self, recording: Path) -> None:
        try:
            self._waiting.put_nowait(recording)
        except asyncio.QueueFull:
            self.totals.left_out += 1
            log.warning("transcript.left_out", recording=recording.name)
            return
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End what is under way; a recording can be transcribed at any time later."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        while not self._waiting.empty():
            self.totals.left_out += 1
            log.warning("transcript.left_out", recording=self._waiting.get_nowait().name)

    async def _run(self) -> None:
        while True:
            recording = await self._waiting.get()
            await self._transcribe(recording, transcribe_command(recording, self._config))

    async def _transcribe(self, recording: Path, command: Sequence[str]) -> None:
        try:
            process = await _started(command)
        except OSError as error:
            self._failed(recording, str(error))
            return
        try:
            async with asyncio.timeout(self._longest_s):
                _, told = await process.communicate()
        except TimeoutError:
            self._failed(recording, f"it took longer than {self._longest_s:g} s")
            return
        finally:
            await _to_its_end(_end(process))
        if process.returncode not in (0, 3):
            self._failed(recording, told.decode("utf-8", "replace").strip()[-_LAST_WORDS:])
            return
        self.totals.files += 1
        log.info("transcript.written", recording=recording.name)

    def _failed(self, recording: Path, reason: str) -> None:
        self.totals.failures += 1
        log.error("transcript.failed", recording=recording.name, reason=reason)


async def _started(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Start a process; one that is under way when this is cancelled is ended. Raises OSError."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(OSError):
            await _end(await starting)
        raise


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something to its end, though it be cancelled meanwhile."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await doing
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
