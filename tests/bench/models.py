"""What each model API costs under the same calls: ``scripts/bench models``.

The bot is the real ``telephony serve`` on one core; callers and light mocks of the models share
the other. Every API gets a bot of its own and the same number of calls. Then come the gaps: what
a caller notices when a session is followed by another, and when a model is lost for good.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

import uvloop

from tests.bench.capacity import Row, observe, percentile, speech_frames, wait_for_http
from tests.bench.load import Load, Tallies
from tests.bench.marks import ToneMark
from tests.bench.model_backends import SUBJECTS, Backend, Subject
from tests.bench.model_bot import PORT_STEP, running
from tests.bench.model_failover import show_failovers
from tests.bench.model_rollover import show_rollovers


async def dial_named(load: Load, backend: Backend, count: int) -> None:
    """Dial one call after the other, so that each new session is known by its call."""
    for _ in range(count):
        await load.dial(1, per_second=50)
        backend.name_newest(load.last_number)


async def measure(
    subject: Subject, port: int, folder: Path, arguments: argparse.Namespace
) -> tuple[Row, int]:
    """Return the row of an API, and how many sessions were opened beyond one a call."""
    speech = speech_frames()
    backend = await subject.start(b"".join(speech))
    load = Load(port, speech, backend.answered, mark=ToneMark())
    backend.listen(load.heard)
    await load.start()
    calls = min(arguments.calls, arguments.sdk_calls) if subject.heavy else arguments.calls
    try:
        with running(folder, port, arguments.bot_core, backend.agent) as (bot, _):
            await wait_for_http(port + 1)
            await dial_named(load, backend, 1)
            await load.hang_up_all()
            load.tallies = Tallies()
            idle_rss, opened = bot.rss_bytes(), backend.sessions_opened
            await dial_named(load, backend, calls)
            row = await observe(load, bot, calls, idle_rss, arguments.seconds)
            lost = backend.sessions_opened - opened - calls * backend.sockets_per_call
            load.tallies = Tallies()
            await load.hang_up_all()
    finally:
        await load.close()
        backend.close()
    return row, lost


HEADER = (
    "                   calls  CPU %/call  ratio  RSS MB/call   gap p50    p99    max ms   lost"
    "   caller→model p50   p99 ms   model→caller p50   p99 ms"
)


def show(name: str, row: Row, extra_sessions: int, base_percent: float) -> None:
    tallies = row.tallies
    ratio = f"{row.cpu_percent / base_percent:.2f}x" if base_percent else "-"
    up, down = tallies.caller_to_model_ms, tallies.model_to_caller_ms
    print(
        f"{name:17s}  {row.calls:5d}  {row.cpu_percent:10.3f}"
        f"  {ratio:>5s}  {row.rss_mb:11.3f}"
        f"  {tallies.gap_percentile_ms(0.5):8.1f} {tallies.gap_percentile_ms(0.99):6.1f}"
        f" {tallies.max_gap_ms:9.1f}"
        f"  {tallies.packets_lost:5d}  {percentile(up, 50):17.1f} {percentile(up, 99):8.1f}"
        f"  {percentile(down, 50):17.1f} {percentile(down, 99):8.1f}",
        flush=True,
    )
    if tallies.failed or tallies.ended or extra_sessions > 0:
        print(
            f"{'':17s}  {tallies.failed} calls failed, {tallies.ended} ended early, "
            f"{extra_sessions} sessions lost"
        )
    if not up or not down:
        print(f"{'':17s}  marks heard by the model: {len(up)}, by callers: {len(down)}")


async def show_costs(folder: Path, arguments: argparse.Namespace) -> None:
    """Print the table of what a call costs."""
    print(HEADER)
    base_percent = 0.0
    notes: list[str] = []
    for index, name in enumerate(name for name in SUBJECTS if name in arguments.apis):
        subject = SUBJECTS[name]
        if subject.lack:
            print(f"{name:17s}  skipped: {subject.lack}")
            continue
        row, extra = await measure(subject, arguments.port + index * PORT_STEP, folder, arguments)
        if name == "openai_realtime":
            base_percent = row.cpu_percent
        show(name, row, extra, base_percent)
        if subject.note:
            notes.append(f"  {name}: {subject.note}")
    print("\n".join(notes))


async def bench(arguments: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {arguments.load_core})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "costs" in arguments.parts:
            await show_costs(folder, arguments)
        port = arguments.port + PORT_STEP * len(SUBJECTS)
        if "rollover" in arguments.parts:
            await show_rollovers(port, folder, arguments)
        if "failover" in arguments.parts:
            await show_failovers(port + 40 * PORT_STEP, folder, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apis", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--sdk-calls", type=int, default=20, help="at most, through the SDK")
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="measured; a mark comes every 6"
    )
    parser.add_argument("--repetitions", type=int, default=6, help="of each gap")
    parts = ("costs", "rollover", "failover")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--bot-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--port", type=int, default=15060, help="the first of some hundred ports")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
