"""What each signalling stack costs under the same calls: ``scripts/bench stacks``.

The bot runs on one core with each stack in turn, callers and model on the other; then come bare
echo loops of the libraries, which have no model to talk to. Every row says what a call costs, what
is added to its latency, and how many calls one core carries before the 99th percentile of the
gaps between packets passes 25 ms. A stack that takes few calls a process is given more processes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from telephony.app.stack_checks import is_installed
from tests.bench.capacity import Bot, percentile, speech_frames, wait_for_http, write_config
from tests.bench.load import Load, Tallies
from tests.bench.mock_model import MockModel

GAP_LIMIT_MS = 25.0
LADDER = (8, 16, 32, 64, 100, 150, 200, 300, 400, 500, 600)
PORT_STEP = 4

StartOne = Callable[[int, Path, Load], list[str]]
"""Returns the command of a process that listens on a port."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: ``calls_a_process`` None means as many as it carries."""

    name: str
    start: StartOne
    calls_a_process: int | None = None
    echoes: bool = False
    has_http: bool = False
    user: str = "+15550100"


@dataclass(slots=True)
class Measured:
    calls: int
    processes: int
    cpu_percent: float
    rss_mb: float
    base_rss_mb: float
    tallies: Tallies
    lost_calls: int

    @property
    def holds(self) -> bool:
        """Tell whether everybody was served well."""
        return not self.lost_calls and self.tallies.gap_percentile_ms(0.99) <= GAP_LIMIT_MS


def bot_on(stack: str, model_port: int) -> StartOne:
    def command(port: int, folder: Path, load: Load) -> list[str]:
        own = folder / f"{stack}-{port}"
        own.mkdir()
        # Ports of RTP that no two processes share.
        first = 20000 + (port % 1000) // PORT_STEP * 400 % 19000
        config = write_config(own, model_port, port, port + 1)
        text = config.read_text().replace("tcp_port: ", "stack: " + stack + ", tcp_port: ")
        text = text.replace(f"tcp_port: {port}", "tcp_port: null")
        if stack == "pjsip":
            text = text.replace(
                "port_min: 20000, port_max: 39999", f"port_min: {first}, port_max: {first + 399}"
            )
        config.write_text(text)
        return [sys.executable, "-m", "telephony.app.cli", "serve", "--config", str(config)]

    return command


def echo_of(module: str) -> StartOne:
    def command(port: int, folder: Path, load: Load) -> list[str]:
        last = str(load.port) if module.endswith("pyvoip") else str(folder / f"{port}.report")
        return [sys.executable, "-m", module, str(port), last]

    return command


class Group:
    """As many processes of a subject as the calls need, all on one core."""

    def __init__(self, subject: Subject, core: int, folder: Path) -> None:
        self._subject = subject
        self._core = core
        self._folder = folder
        self.bots: list[Bot] = []

    async def start(self, first_port: int, count: int, load: Load) -> None:
        for index in range(count):
            port = first_port + index * PORT_STEP
            command = self._subject.start(port, self._folder, load)
            self.bots.append(Bot(command, self._core, Path.cwd()))
            if self._subject.has_http:
                await wait_for_http(port + 1)
        await asyncio.sleep(2.0)

    def cpu_s(self) -> float:
        return sum(bot.cpu_s() for bot in self.bots)

    def rss_mb(self) -> float:
        return sum(bot.rss_bytes() for bot in self.bots) / 1e6

    def stop(self) -> None:
        for bot in self.bots:
            bot.stop()


async def measure(
    subject: Subject,
    calls: int,
    speech: list[bytes],
    model: MockModel,
    arguments: argparse.Namespace,
    first_port: int,
) -> Measured:
    """Measure one number of calls with processes that were never used before."""
    each = subject.calls_a_process or calls
    processes = -(-calls // each)
    ports = [first_port + index * PORT_STEP for index in range(processes)]
    load = Load(ports, speech, model.answered, echoes=subject.echoes, user=subject.user)
    model.heard = load.heard
    await load.start()
    with tempfile.TemporaryDirectory() as name:
        group = Group(subject, arguments.bot_core, Path(name))
        try:
            await group.start(first_port, processes, load)
            base = group.rss_mb()
            await load.dial(calls, per_second=40)
            await asyncio.sleep(2.0)
            load.tallies.reset()
            load.tallies.measuring = True
            loop = asyncio.get_running_loop()
            cpu_s, started_at = group.cpu_s(), loop.time()
            await asyncio.sleep(arguments.seconds)
            cpu_s, elapsed_s = group.cpu_s() - cpu_s, loop.time() - started_at
            load.tallies.measuring = False
            rss = group.rss_mb()
            served = sum(caller.started for caller in load.callers.values())
            await load.hang_up_all()
        finally:
            group.stop()
            with suppress(OSError):
                await load.close()
    cpu_percent = cpu_s / elapsed_s * 100 / calls
    return Measured(
        calls,
        processes,
        cpu_percent,
        (rss - base) / calls,
        base / processes,
        load.tallies,
        calls - served,
    )


HEADER = (
    "                      calls  processes  CPU %/call  vs native  RSS MB/call  base MB"
    "   gap p99  lost   to model p50   from model p50   round trip p50"
)


def show(name: str, row: Measured, native_percent: float) -> None:
    tallies = row.tallies
    echoes = not tallies.caller_to_model_ms
    back = tallies.model_to_caller_ms
    print(
        f"{name:20s}  {row.calls:5d}  {row.processes:9d}  {row.cpu_percent:10.3f}"
        f"  {row.cpu_percent / native_percent:8.1f}x  {row.rss_mb:11.3f}  {row.base_rss_mb:7.1f}"
        f"  {tallies.gap_percentile_ms(0.99):8.1f}  {tallies.packets_lost:4d}"
        f"  {_ms(tallies.caller_to_model_ms):>13s}  {_ms([] if echoes else back):>15s}"
        f"  {_ms(back if echoes else []):>15s}"
        + (f"   {row.lost_calls} calls not served" if row.lost_calls else ""),
        flush=True,
    )


def _ms(values: list[float]) -> str:
    return f"{percentile(values, 50):.1f}" if values else "-"


def subjects(names: Sequence[str], model_port: int) -> list[Subject]:
    every = [
        Subject("native", bot_on("native", model_port), has_http=True),
        Subject("pjsip", bot_on("pjsip", model_port), 4, has_http=True),
        Subject("pyvoip", bot_on("pyvoip", model_port), has_http=True),
        Subject("echo of baresip", echo_of("tests.bench.media_baresip"), 4, True, user="echo"),
        Subject("echo of pjsua2", echo_of("tests.bench.echo_pjsua2"), 4, echoes=True),
        Subject("echo of pyVoIP", echo_of("tests.bench.echo_pyvoip"), echoes=True),
    ]
    return [subject for subject in every if not names or subject.name in names]


async def bench(arguments: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {arguments.load_core})
    speech = speech_frames()
    model = MockModel(b"".join(speech))
    model_port = await model.start()
    port = arguments.port
    native_percent = float("nan")
    highest: dict[str, str] = {}
    print(HEADER)
    for subject in subjects(arguments.only, model_port):
        if subject.name in ("pjsip", "pyvoip") and not is_installed(subject.name):  # type: ignore[arg-type]
            print(f"{subject.name:20s}  not installed")
            continue
        best = 0
        for calls in (4, *LADDER):
            row = await measure(subject, calls, speech, model, arguments, port)
            port += 800 if subject.calls_a_process else PORT_STEP
            if port > arguments.port + 8000:
                port = arguments.port
            if subject.name == "native" and calls == 4:
                native_percent = row.cpu_percent
            show(subject.name, row, native_percent)
            if not row.holds:
                break
            best = calls
            if calls >= arguments.most:
                break
        highest[subject.name] = f"{best}{'+' if best >= arguments.most else ''}"
    print(f"\ncalls on one core with p99 of the gaps at most {GAP_LIMIT_MS:g} ms:")
    for name, text in highest.items():
        print(f"  {name:20s} {text}")
    model.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="native pjsip pyvoip ...")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time per row")
    parser.add_argument("--most", type=int, default=400, help="calls to stop at")
    parser.add_argument("--bot-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--port", type=int, default=15060)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
