"""Kamailio as a child process, configured by a file of ours and a few definitions."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.peer_process import peer_process
from tests.support.peers import require_program

FIXTURES = Path(__file__).parents[1] / "fixtures" / "kamailio"
FRONT = Path(__file__).parents[2] / "config" / "kamailio" / "kamailio.cfg"

_STARTED_WITHIN_S = 20.0


@asynccontextmanager
async def kamailio(
    configuration: Path, directory: Path, udp_port: int, definitions: Mapping[str, int | str | Path]
) -> AsyncIterator[Path]:
    """Run Kamailio until left; entered once it has ``udp_port``. Yields the path of its log.

    Texts among ``definitions`` are quoted for the configuration, addresses and numbers are not.
    """
    arguments = _arguments(configuration, directory, definitions)
    log = directory / "kamailio.log"
    async with peer_process(arguments, directory, log) as process:
        async with asyncio.timeout(_STARTED_WITHIN_S):
            await eventually(lambda: _bound(udp_port) or process.returncode is not None)
        assert process.returncode is None, log.read_text(errors="replace")
        yield log


@contextmanager
def running_kamailio(
    configuration: Path, directory: Path, udp_port: int, definitions: Mapping[str, int | str | Path]
) -> Iterator[Path]:
    """Do the same without an event loop, for fixtures that outlive a test."""
    arguments = _arguments(configuration, directory, definitions)
    log = directory / "kamailio.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _STARTED_WITHIN_S
        while not _bound(udp_port):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.02)
        yield log
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _arguments(
    configuration: Path, directory: Path, definitions: Mapping[str, int | str | Path]
) -> list[str]:
    directory.mkdir(parents=True, exist_ok=True)
    program = require_program("kamailio")
    arguments = [program, "-f", str(configuration), "-DD", "-E", "-m", "32", "-M", "4"]
    arguments += ["-Y", str(directory), "-w", str(directory)]
    arguments += ["-u", pwd.getpwuid(os.getuid()).pw_name]
    for name, value in definitions.items():
        arguments += ["-A", f"{name}={value}"]
    return arguments


def text(value: object) -> str:
    """Return a definition that stands for a text in the configuration."""
    return f'"{value}"'


def _bound(port: int) -> bool:
    """Look for a bound UDP socket without sending anything to it."""
    table = Path("/proc/net/udp").read_text()
    return any(line.split()[1].endswith(f":{port:04X}") for line in table.splitlines()[1:])
