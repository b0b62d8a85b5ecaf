"""How many calls one core carries, and what they cost: ``scripts/bench capacity``.

The bot is the real ``telephony serve`` on one core; callers and the model share the other. For
each number of calls the table says what a call costs and what the caller notices. The first row
is a plain echo loop under the same packets: what this machine, today, charges for moving them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import uvloop

from telephony.audio.g711 import l16_to_pcmu
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.bench.load import SPEECH_FRAMES, Load, Tallies
from tests.bench.mock_model import MockModel

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

AGENT = """\
name: bench
base_url: ws://127.0.0.1:{model_port}/v1
model: mock
instructions: Answer.
tools: []
"""
DIALPLAN = """\
contexts:
  main:
    - name: all
      do:
        - connect_model: {agent: bench}
"""
CONFIG = """\
sip: {{host: 127.0.0.1, udp_port: {sip_port}, tcp_port: {sip_port}}}
media:
  {{host: 127.0.0.1, port_min: 20000, port_max: 39999, port_quarantine_s: 1, append_ms: 60{media}}}
limits: {{max_calls: 5000}}
http: {{port: {http_port}}}
log: {{level: error}}
agents: {{dir: agents}}
dialplan: {{dir: dialplans}}
"""


@dataclass
class Row:
    """One line of the table."""

    calls: int
    cpu_percent: float
    kernel_percent: float
    rss_mb: float
    tallies: Tallies


class Bot:
    """A process pinned to one core, and what the kernel says it used."""

    def __init__(self, command: list[str], core: int, cwd: Path) -> None:
        self._process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], cwd=cwd, stdout=subprocess.DEVNULL
        )

    def cpu_s(self) -> float:
        """Return what the process has used of its core so far."""
        return sum(self.cpu_split_s())

    def cpu_split_s(self) -> tuple[float, float]:
        """Return the seconds in our code and in the kernel."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return int(fields[11]) / TICKS_PER_S, int(fields[12]) / TICKS_PER_S

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.poll() is not None

    def rss_bytes(self) -> int:
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def speech_frames() -> list[bytes]:
    """Return two seconds of the rehearsal caller's voice as 20 ms frames of PCMU."""
    audio = l16_to_pcmu(shipped_prompts()["caller_question"].pcm16)
    size = SPEECH_FRAMES * 160
    audio = (audio * (size // len(audio) + 1))[:size]
    return [audio[at : at + 160] for at in range(0, size, 160)]


def percentile(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return quantiles(values, n=100, method="inclusive")[percent - 1]


async def measure(load: Load, bot: Bot, calls: int, idle_rss: int, seconds: float) -> Row:
    await load.dial(calls - len(load.callers), per_second=50)
    return await observe(load, bot, calls, idle_rss, seconds)


async def observe(load: Load, bot: Bot, calls: int, idle_rss: int, seconds: float) -> Row:
    """Measure the calls that stand."""
    await asyncio.sleep(2)
    gc.collect()
    load.tallies.reset()
    load.tallies.measuring = True
    before, started_at = bot.cpu_split_s(), time.monotonic()
    await asyncio.sleep(seconds)
    after, elapsed_s = bot.cpu_split_s(), time.monotonic() - started_at
    load.tallies.measuring = False
    user, kernel = ((b - a) / elapsed_s * 100 / calls for a, b in zip(before, after, strict=True))
    rss_mb = (bot.rss_bytes() - idle_rss) / calls / 1e6
    return Row(calls, user + kernel, kernel, rss_mb, load.tallies)


HEADER = (
    "calls  CPU %/call  kernel  vs echo  RSS MB/call   gap p50    p99    max ms   lost"
    "   setup p50    p99 ms  caller→model p50   p99 ms  model→caller p50   p99 ms"
)


def show(row: Row, echo_percent: float) -> None:
    tallies = row.tallies
    print(
        f"{row.calls:5d}  {row.cpu_percent:10.3f}  {row.kernel_percent:6.3f}  "
        f"{row.cpu_percent / echo_percent:6.1f}x"
        f"  {row.rss_mb:11.3f}  {tallies.gap_percentile_ms(0.5):8.1f} "
        f"{tallies.gap_percentile_ms(0.99):6.1f} {tallies.max_gap_ms:9.1f}"
        f"  {tallies.packets_lost:5d}  {percentile(tallies.setup_ms, 50):10.1f} "
        f"{percentile(tallies.setup_ms, 99):9.1f}"
        f"  {percentile(tallies.caller_to_model_ms, 50):16.1f} "
        f"{percentile(tallies.caller_to_model_ms, 99):8.1f}"
        f"  {percentile(tallies.model_to_caller_ms, 50):16.1f} "
        f"{percentile(tallies.model_to_caller_ms, 99):8.1f}",
        flush=True,
    )
    if tallies.failed or tallies.ended:
        print(f"       {tallies.failed} calls failed, {tallies.ended} ended early")


ECHO = """
import asyncio, socket, sys, uvloop
async def main():
    loop = asyncio.get_running_loop()
    for port in range(int(sys.argv[1]), int(sys.argv[1]) + 2 * int(sys.argv[2]), 2):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setblocking(False)
        udp.bind(("127.0.0.1", port))
        def readable(udp=udp):
            udp.sendto(*udp.recvfrom(2048))
        loop.add_reader(udp.fileno(), readable)
    await asyncio.sleep(3600)
uvloop.run(main())
"""
ECHO_PORT = 41000


async def measure_echo(load: Load, calls: int, core: int, seconds: float, folder: Path) -> float:
    """Return the CPU per call, in percent of a core, of a loop that only echoes the packets."""
    bot = Bot([sys.executable, "-c", ECHO, str(ECHO_PORT), str(calls)], core, folder)
    try:
        await asyncio.sleep(1)
        if bot.ended:
            last = ECHO_PORT + 2 * calls - 2
            raise SystemExit(f"the echo needs the UDP ports {ECHO_PORT} to {last}: one is taken")
        callers = load.echo_callers(ECHO_PORT, calls)
        await asyncio.sleep(1)
        cpu_s, started_at = bot.cpu_s(), time.monotonic()
        await asyncio.sleep(seconds)
        cpu_s, elapsed_s = bot.cpu_s() - cpu_s, time.monotonic() - started_at
        for caller in callers:
            caller.close()
    finally:
        bot.stop()
    return cpu_s / elapsed_s * 100 / calls


def write_config(
    folder: Path,
    model_port: int,
    sip_port: int,
    http_port: int,
    dialplan: str = DIALPLAN,
    settings: str = "",
    record: str | None = None,
    agent: str = AGENT,
) -> Path:
    """Write what the bot is started with; returns its configuration file.

    ``record`` is the format of recordings, into the folder; None makes none. ``agent`` is the
    agent's file, with ``{model_port}`` in it or without.
    """
    media = f", recording_dir: {folder}/rec, recording: {{format: {record}}}" if record else ""
    for name in ("agents", "dialplans"):
        (folder / name).mkdir()
    (folder / "agents" / "bench.yaml").write_text(agent.replace("{model_port}", str(model_port)))
    (folder / "dialplans" / "main.yaml").write_text(dialplan)
    config = folder / "telephony.yaml"
    config.write_text(CONFIG.format(sip_port=sip_port, http_port=http_port, media=media) + settings)
    return config


async def bench(arguments: argparse.Namespace) -> None:
    os.sched_setaffinity(0, {arguments.load_core})
    speech = speech_frames()
    model = MockModel(b"".join(speech))
    model_port = await model.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_config(
            folder, model_port, arguments.port, arguments.port + 1, record=arguments.record
        )
        serve = [sys.executable, "-m", "telephony.app.cli", "serve", "--config", str(config)]
        load = Load(arguments.port, speech, model.answered)
        model.heard = load.heard
        await load.start()
        echo_calls = max(arguments.calls)
        echo = await measure_echo(load, echo_calls, arguments.bot_core, arguments.seconds, folder)
        print(f"plain uvloop echo, {echo_calls} calls: {echo:.3f} % of a core per call\n")
        print(HEADER)
        bot = Bot(serve, arguments.bot_core, folder)
        try:
            await wait_for_http(arguments.port + 1)
            await load.dial(1, per_second=50)
            await load.hang_up_all()
            load.tallies = Tallies()
            idle_rss = bot.rss_bytes()
            for calls in arguments.calls:
                show(await measure(load, bot, calls, idle_rss, arguments.seconds), echo)
            await load.hang_up_all()
        finally:
            bot.stop()
        await load.close()
    model.close()


async def wait_for_http(port: int) -> None:
    """Return once the bot listens on its HTTP port."""
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise SystemExit("the bot did not start; run it by hand to see why")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[50, 100, 200, 300])
    parser.add_argument("--seconds", type=float, default=15.0, help="measured time per row")
    parser.add_argument("--bot-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument(
        "--record", choices=("wav", "flac", "opus"), help="record every call in this format"
    )
    parser.add_argument("--port", type=int, default=15060, help="SIP; HTTP is the next one")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
