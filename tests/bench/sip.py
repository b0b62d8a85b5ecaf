"""What signalling costs and survives: ``scripts/bench sip``.

Three measurements of the real ``telephony serve`` on one core, everything else on the other:

- calls set up and torn down per second by SIPp (INVITE, 200, ACK, BYE; media opened and closed);
- registrations of our user agent with a Kamailio that challenges each of them;
- a flood of junk datagrams during live calls: what the callers notice.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from telephony.audio.wav import write_wav
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.bench.capacity import (
    Bot,
    percentile,
    speech_frames,
    wait_for_http,
    write_config,
)
from tests.bench.load import Load, Tallies
from tests.bench.mock_model import MockModel
from tests.support.kamailio import FIXTURES, kamailio, text

SCENARIO = Path(__file__).parent / "call.xml"

DIALPLAN = """\
contexts:
  main:
    - name: signalling only
      when: {called: "signalling"}
      do: [{play: long.wav}, hangup]
    - name: all
      do:
        - connect_model: {agent: bench}
"""
SETTINGS = """\
security: {never_ban: ["127.0.0.1"], unknown_sources: accept}
"""

_FAILED = re.compile(r"Failed call\s*\|\s*\d+\s*\|\s*(\d+)")
_SUCCEEDED = re.compile(r"Successful call\s*\|\s*\d+\s*\|\s*(\d+)")


@contextmanager
def running(folder: Path, arguments: argparse.Namespace, model_port: int) -> Iterator[Bot]:
    """Run the bot on its core."""
    config = write_config(
        folder, model_port, arguments.port, arguments.port + 1, DIALPLAN, SETTINGS
    )
    speech = shipped_prompts()["caller_question"].pcm16 * 4
    (folder / "dialplans" / "long.wav").write_bytes(write_wav(speech, 8000))
    serve = [sys.executable, "-m", "telephony.app.cli", "serve", "--config", str(config)]
    bot = Bot(serve, arguments.bot_core, folder)
    try:
        yield bot
    finally:
        bot.stop()


def scraped(port: int, name: str) -> float:
    """Return the sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}[ {{]", line))


# Calls per second


@dataclass(frozen=True)
class CallRate:
    rate: int
    succeeded: int
    failed: int
    cpu_percent: float
    repeated: float
    setup_ms: list[float]


async def call_rate(
    rate: int, seconds: int, bot: Bot, folder: Path, arguments: argparse.Namespace
) -> CallRate:
    """Let SIPp place ``rate`` calls a second; it measures INVITE to 200 in whole milliseconds."""
    work = folder / f"sipp-{rate}"
    work.mkdir()
    command = [
        *("taskset", "-c", str(arguments.load_core), "sipp", "-sf", str(SCENARIO)),
        *("-i", "127.0.0.1", "-s", "signalling", "-r", str(rate), "-m", str(rate * seconds)),
        *("-l", "5000", "-nostdin", "-trace_rtt", "-rtt_freq", "1", "-timeout", str(seconds + 30)),
        f"127.0.0.1:{arguments.port}",
    ]
    repeated = scraped(arguments.port + 1, "telephony_sip_retransmissions_received_total")
    cpu_s, started_at = bot.cpu_s(), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode(errors="replace")
    elapsed_s = time.monotonic() - started_at
    cpu_percent = (bot.cpu_s() - cpu_s) / elapsed_s * 100
    repeated = (
        scraped(arguments.port + 1, "telephony_sip_retransmissions_received_total") - repeated
    )
    times = [
        float(line.split(";")[1])
        for file in work.glob("*_rtt.csv")
        for line in file.read_text().splitlines()[1:]
    ]
    succeeded, failed = (
        int(found[-1]) if (found := pattern.findall(output)) else -1
        for pattern in (_SUCCEEDED, _FAILED)
    )
    return CallRate(rate, succeeded, failed, cpu_percent, repeated, times)


def show_rate(row: CallRate) -> None:
    print(
        f"{row.rate:7d}  {row.succeeded:9d}  {row.failed:6d}  {row.repeated:8.0f}"
        f"  {row.cpu_percent:10.1f}  {row.cpu_percent / row.rate * 10:11.2f}"
        f"  {percentile(row.setup_ms, 50):9.1f}  {percentile(row.setup_ms, 99):6.1f}",
        flush=True,
    )


# Registrations


async def registrations(count: int, folder: Path, arguments: argparse.Namespace) -> None:
    """Register ``count`` addresses with Kamailio, each challenged once."""
    port = arguments.port + 10
    definitions = {"PORT": port, "MIN_EXPIRES": 30, "AGENT": text("sip:127.0.0.1:9")}
    async with kamailio(FIXTURES / "carrier.cfg", folder / "carrier", port, definitions):
        process = await asyncio.create_subprocess_exec(
            *("taskset", "-c", str(arguments.bot_core), sys.executable),
            *("-m", "tests.bench.register", str(port), str(count)),
            stdout=subprocess.PIPE,
        )
        print((await process.communicate())[0].decode().strip())


# A flood


async def flood(
    load: Load, bot: Bot, calls: int, rate: int, seconds: float, arguments: argparse.Namespace
) -> None:
    """Hold calls, first in peace, then under ``rate`` junk datagrams a second."""
    await load.dial(calls, per_second=50)
    await asyncio.sleep(2)
    print("\n             CPU %  junk sent/s   gap p50    p99    max ms    lost  ended")
    for name, junk in (("in peace", 0), ("flooded", rate)):
        sender = None
        if junk:
            sender = await asyncio.create_subprocess_exec(
                *("taskset", "-c", str(arguments.load_core), sys.executable),
                *("-m", "tests.bench.junk", str(arguments.port), str(junk), str(seconds + 2)),
                stdout=subprocess.PIPE,
            )
            await asyncio.sleep(1)
        load.tallies.reset()
        load.tallies.measuring = True
        cpu_s, started_at = bot.cpu_s(), time.monotonic()
        await asyncio.sleep(seconds)
        cpu_percent = (bot.cpu_s() - cpu_s) / (time.monotonic() - started_at) * 100
        load.tallies.measuring = False
        sent = float((await sender.communicate())[0]) if sender else 0.0
        tallies = load.tallies
        print(
            f"{name:10s}  {cpu_percent:6.1f}  {sent:11.0f}  {tallies.gap_percentile_ms(0.5):8.1f} "
            f"{tallies.gap_percentile_ms(0.99):6.1f} {tallies.max_gap_ms:9.1f}"
            f"  {tallies.packets_lost:6d}  {tallies.ended:5d}",
            flush=True,
        )
    await load.hang_up_all()


async def bench(arguments: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {arguments.load_core})
    speech = speech_frames()
    model = MockModel(b"".join(speech))
    model_port = await model.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load = Load(arguments.port, speech, model.answered)
        model.heard = load.heard
        await load.start()
        with running(folder, arguments, model_port) as bot:
            await wait_for_http(arguments.port + 1)
            print("calls/s  succeeded  failed  repeated  bot CPU %  ms CPU/call   p50 ms  p99 ms")
            for rate in arguments.rates:
                show_rate(await call_rate(rate, arguments.seconds, bot, folder, arguments))
            load.tallies = Tallies()
            await flood(
                load, bot, arguments.calls, arguments.junk, float(arguments.seconds), arguments
            )
        print()
        await registrations(arguments.registrations, folder, arguments)
        await load.close()
    model.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 200, 300, 400])
    parser.add_argument("--seconds", type=int, default=10, help="measured time per row")
    parser.add_argument("--calls", type=int, default=100, help="live calls during the flood")
    parser.add_argument("--junk", type=int, default=20_000, help="junk datagrams a second")
    parser.add_argument("--registrations", type=int, default=2_000)
    parser.add_argument("--bot-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--port", type=int, default=15060, help="SIP; HTTP is the next one")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
