"""Several bots on one machine: ``telephony serve --workers N`` starts and watches them.

Each is a process of its own on its own ports; nothing is shared but the files of the
configuration. A worker that fails is started again; one that ends well has done so on request.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from telephony.app.worker_ports import Variables
from telephony.net.clock import monotonic
from telephony.stacks.trunk import Trunk

log = structlog.get_logger()

STARTED_AFTER_S = 5.0
"""A worker that fails sooner was never up: its ports or its files are wrong, now and later."""

MAX_WORKERS = 64
"""Each takes some 80 MB and a second of CPU to start: a slip must not fell a machine."""

RESTART_INITIAL_S = 1.0
RESTART_MAX_S = 30.0

WORKER_VARIABLE = "TELEPHONY_WORKER"
"""Tells a process which worker it is, from 0 on."""


@dataclass(slots=True)
class RestartPolicy:
    """How long to wait before a worker that ended is started again; the waits double."""

    wait_s: float = RESTART_INITIAL_S
    started_once: bool = False

    def after(self, status: int, lived_s: float) -> float | None:
        """Return the seconds to wait, None when the worker is not to be started again."""
        self.started_once = self.started_once or status == 0 or lived_s >= STARTED_AFTER_S
        if status == 0 or not self.started_once:
            return None
        if lived_s >= RESTART_MAX_S:
            self.wait_s = RESTART_INITIAL_S
        wait_s, self.wait_s = self.wait_s, min(2 * self.wait_s, RESTART_MAX_S)
        return wait_s


class Workers:
    """Runs ``command`` once for each set of variables until all have ended."""

    def __init__(self, command: Sequence[str], variables: Sequence[Variables]) -> None:
        self._command = tuple(command)
        self._variables = variables
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._ending = asyncio.Event()
        self._failed = False

    async def run(self) -> int:
        """Return 0 when every worker ended well, 1 when one never came up."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        try:
            async with asyncio.TaskGroup() as group:
                for index in range(len(self._variables)):
                    group.create_task(self._keep(index))
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
        return 1 if self._failed else 0

    def _end(self) -> None:
        """Let every worker drain; the second time they are asked to hurry."""
        self._ending.set()
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)

    async def _keep(self, index: int) -> None:
        """Start one worker, and start it again as often as it fails."""
        policy = RestartPolicy()
        while not self._ending.is_set():
            started_at = monotonic()
            status = await self._run_once(index)
            wait_s = policy.after(status, monotonic() - started_at)
            if self._ending.is_set():
                return
            if wait_s is None:
                log.info("worker.ended", worker=index, status=status)
                if status:
                    self._failed = True
                    self._end()
                return
            log.error("worker.failed", worker=index, status=status, restart_in_s=wait_s)
            try:
                async with asyncio.timeout(wait_s):
                    await self._ending.wait()
            except TimeoutError:
                continue

    async def _run_once(self, index: int) -> int:
        """Run a worker to its end; it notices when this process is gone by the end of its input."""
        environ = {**os.environ, **self._variables[index], WORKER_VARIABLE: str(index)}
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env=environ,
            stdin=asyncio.subprocess.PIPE,
            # Ctrl-C reaches this process alone, which passes it on once.
            start_new_session=True,
        )
        self._processes[index] = process
        log.info("worker.started", worker=index, pid=process.pid)
        if self._ending.is_set():
            process.send_signal(signal.SIGTERM)
        try:
            return await process.wait()
        finally:
            del self._processes[index]


def worker_index(environ: Mapping[str, str]) -> int | None:
    """Return which worker this process is, None when it is no worker."""
    index = environ.get(WORKER_VARIABLE)
    return None if index is None else int(index)


def own_trunks(trunks: Sequence[Trunk], environ: Mapping[str, str]) -> tuple[Trunk, ...]:
    """Return the trunks as this process uses them: of several workers the first one registers.

    A registrar that knew a Contact of each would ring all of them for every call.
    """
    if not worker_index(environ):
        return tuple(trunks)
    return tuple(replace(trunk, register=None) for trunk in trunks)


def serve_command(arguments: Sequence[str]) -> list[str]:
    """Return how this program is started again."""
    return [sys.executable, "-m", "telephony.app.cli", "serve", *arguments]


def end_with_parent(loop: asyncio.AbstractEventLoop) -> None:
    """Ask this worker to drain as soon as the process that watches it is gone."""
    descriptor = sys.stdin.fileno()

    def look() -> None:
        if not os.read(descriptor, 1):
            loop.remove_reader(descriptor)
            log.error("workers.lost", pid=os.getppid())
            os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(descriptor, look)
