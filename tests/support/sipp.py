"""SIPp as a child process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.eventually import eventually
from tests.support.peer_process import peer_process
from tests.support.peers import require_program
from tests.support.ports import free_ports

Address = tuple[str, int]

SCENARIOS = Path(__file__).parents[1] / "fixtures" / "sipp"

_PLACEHOLDER = re.compile(r"@[a-z_]+@")


@dataclass(frozen=True, slots=True)
class SippRun:
    """What SIPp says about a scenario. Exit code 0: every call went as the scenario says."""

    exit_code: int
    output: str
    errors: str
    messages: str

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0

    def __str__(self) -> str:
        """Return what a failed assertion should show."""
        return (
            f"SIPp ended with {self.exit_code}\n--- errors\n{self.errors[-4000:]}\n"
            f"--- messages\n{self.messages[-8000:]}\n--- output\n{self.output[-2000:]}"
        )


async def run_sipp(
    scenario: Path | str,
    remote: Address,
    directory: Path,
    *,
    calls: int = 1,
    rate_per_s: float = 10,
    concurrent: int | None = None,
    transport: Literal["udp", "tcp"] = "udp",
    service: str = "bot",
    timeout_s: int = 90,
    keys: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    extra: Sequence[str] = (),
) -> SippRun:
    """Place ``calls`` calls to ``remote`` as ``scenario`` (a file, or a built-in name) says.

    ``keys`` are SIPp's own, for what it sends; ``values`` replace ``@name@`` everywhere in the
    file. ``directory`` is SIPp's own for this run. The messages it traced are in the result.
    """
    if isinstance(scenario, Path):
        scenario = _filled_in(scenario, directory, values or {})
    arguments = [
        *_common(scenario, transport, timeout_s),
        *("-m", str(calls), "-r", f"{rate_per_s:g}", "-s", service),
        *(("-l", str(concurrent)) if concurrent else ()),
        *(word for key, value in (keys or {}).items() for word in ("-key", key, value)),
        *extra,
        f"{remote[0]}:{remote[1]}",
    ]
    log = directory / "sipp.log"
    async with peer_process(arguments, directory, log) as process:
        # SIPp ends itself with -timeout; this is for one that hangs.
        async with asyncio.timeout(timeout_s + 10):
            exit_code = await process.wait()
    return _result(exit_code, directory, log)


class SippServer:
    """A SIPp that waits for calls."""

    def __init__(self, address: Address, directory: Path, process: asyncio.subprocess.Process):
        self.address = address
        self._directory = directory
        self._process = process

    async def finished(self) -> SippRun:
        """Wait until SIPp has had its calls."""
        exit_code = await self._process.wait()
        return _result(exit_code, self._directory, self._directory / "sipp.log")


@asynccontextmanager
async def sipp_server(
    scenario: Path | str,
    directory: Path,
    *,
    calls: int = 1,
    transport: Literal["udp", "tcp"] = "udp",
    port: int = 0,
    timeout_s: int = 90,
    values: Mapping[str, str] | None = None,
    extra: Sequence[str] = (),
) -> AsyncIterator[SippServer]:
    """Run a scenario of the called side on ``port`` (0: a free one); entered once SIPp listens."""
    port = port or free_ports(2)
    if isinstance(scenario, Path):
        scenario = _filled_in(scenario, directory, values or {})
    arguments = [
        *_common(scenario, transport, timeout_s),
        *("-p", str(port), "-m", str(calls)),
        *extra,
    ]
    async with peer_process(arguments, directory, directory / "sipp.log") as process:
        await eventually(lambda: _listens(port, transport) or process.returncode is not None)
        yield SippServer(("127.0.0.1", port), directory, process)


def _filled_in(scenario: Path, directory: Path, values: Mapping[str, str]) -> Path:
    text = scenario.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    unknown = _PLACEHOLDER.search(text)
    assert unknown is None, f"{scenario.name} needs a value for {unknown}"
    target = directory / scenario.name
    target.write_text(text)
    return target


def _common(scenario: Path | str, transport: str, timeout_s: int) -> list[str]:
    source = ["-sf", str(scenario)] if isinstance(scenario, Path) else ["-sn", scenario]
    media_port = free_ports(4)
    return [
        *(require_program("sipp"), *source),
        *("-i", "127.0.0.1", "-mi", "127.0.0.1", "-mp", str(media_port)),
        *("-t", "u1" if transport == "udp" else "t1"),
        *("-timeout", str(timeout_s), "-timeout_error", "-nostdin"),
        *("-trace_err", "-error_file", "errors.log"),
        *("-trace_msg", "-message_file", "messages.log"),
    ]


def _result(exit_code: int, directory: Path, log: Path) -> SippRun:
    texts = [log, directory / "errors.log", directory / "messages.log"]
    output, errors, messages = (
        path.read_text(errors="replace") if path.exists() else "" for path in texts
    )
    return SippRun(exit_code, output, errors, messages)


def _listens(port: int, transport: str) -> bool:
    """Look for a bound socket without sending anything to it."""
    table = Path(f"/proc/net/{transport}").read_text()
    return any(line.split()[1].endswith(f":{port:04X}") for line in table.splitlines()[1:])
