"""What speech sounds like after a bad network: ``scripts/bench media``.

Recorded people speak to an echo of ours, of baresip and of PJSIP, through every network of
``telephony.rehearsal.network``. The network is bad in one direction at a time and clean in the
other. `to` the echo: what comes back went through the echo's jitter buffer and concealment.
`from` the echo: through those of our own caller, so the rows differ by how the echo sends. All
peers are called at the same time, under the same seeds. Peers share one core, callers and
networks the other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from itertools import product
from pathlib import Path

import uvloop

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.audio.wav import read_wav
from telephony.net.clock import monotonic
from telephony.observe.loop_lag import LoopLag
from telephony.rehearsal.network import shipped_profiles
from tests.bench.media_call import DIRECTIONS, EchoCall, Measured
from tests.bench.media_peers import KINDS, Peer
from tests.bench.media_report import HEADER, rows, write_json, write_plot
from tests.support.peers import SOUNDS_DIRECTORIES, SOUNDS_PACKAGES

RECORDINGS = ("demo-congrats", "demo-moreinfo", "vm-options", "basic-pbx-ivr-main")
"""Spoken by a person; as many of them as there are seconds to fill."""

LAG_INTERVAL_S = 0.005
TOO_LATE_S = 0.020
"""Our callers' wake-ups may be late by less; else what a row says is of this machine, too."""

CALLS_AT_A_TIME = 4
"""With one echo, directions and seeds together."""

LEAD_S = 3.0
"""Silence before the speech: jitter buffers have found their delay by then."""

TAIL_S = 1.5
"""Silence after it, for what is still under way."""


def recorded_speech(seconds: float) -> bytes:
    """Return so many seconds of people speaking, as PCM16 at 8 kHz."""
    pcm16 = b""
    for name in RECORDINGS:
        path = next((p for d in SOUNDS_DIRECTORIES if (p := d / f"{name}.wav").exists()), None)
        if path is None:
            raise SystemExit(f"no recording {name!r}: apt-get install {SOUNDS_PACKAGES['wav']}")
        wav = read_wav(path.read_bytes())
        pcm16 += Converter(AudioFormat("l16", wav.sample_rate_hz), L16_8K).convert(wav.pcm16)
    return pcm16[: int(seconds * 8000) * 2]


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * 8000) * 2)


async def bench(arguments: argparse.Namespace) -> list[Measured]:
    os.sched_setaffinity(0, {arguments.load_core})
    if arguments.realtime:
        # Inherited by the peers. What is measured is media, not how a busy machine shares itself.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    speech = silence(LEAD_S) + recorded_speech(arguments.seconds) + silence(TAIL_S)
    results: list[Measured] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peers = start_peers(arguments, folder, stack)
        print(HEADER)
        for name in arguments.profiles:
            measured = await measure_profile(name, peers, speech, arguments)
            results += measured
            print(*rows(measured), sep="\n", flush=True)
    return results


def start_peers(arguments: argparse.Namespace, folder: Path, stack: ExitStack) -> list[Peer]:
    peers = []
    for index, name in enumerate(arguments.peers):
        home = folder / name
        home.mkdir()
        peer = Peer(KINDS[name], arguments.port + 2 * index, arguments.peer_core, home)
        stack.callback(peer.stop)
        peers.append(peer)
    for peer in peers:
        peer.wait_until_up()
    return peers


async def measure_profile(
    name: str, peers: Sequence[Peer], speech: bytes, arguments: argparse.Namespace
) -> list[Measured]:
    """Call every peer with every seed and in every direction at the same time."""
    wanted = product(arguments.directions, peers, arguments.seeds)
    calls = [EchoCall(peer, name, direction, seed) for direction, peer, seed in wanted]
    lags_s: list[float] = []
    lag = LoopLag(asyncio.get_running_loop(), monotonic, lags_s.append, LAG_INTERVAL_S)
    async with AsyncExitStack() as phones:
        callers = [await phones.enter_async_context(call.phone()) for call in calls]
        lag.start()
        async with asyncio.TaskGroup() as group:
            for call, caller in zip(calls, callers, strict=True):
                group.create_task(call.hold(caller, speech, len(calls) // len(peers)))
        lag.stop()
    if max(lags_s) > TOO_LATE_S:
        print(f"{name}: this machine was busy ({max(lags_s) * 1000:.0f} ms late at worst)")
    # Until all echoes have written down what they counted.
    await asyncio.sleep(1.0)
    return [call.judged() for call in calls]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--profiles", nargs="+", choices=list(shipped_profiles()), default=list(shipped_profiles())
    )
    parser.add_argument("--peers", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--directions", nargs="+", choices=DIRECTIONS, default=DIRECTIONS)
    parser.add_argument("--seconds", type=float, default=16.0, help="of speech in each call")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1], help="of the networks; a call for each"
    )
    parser.add_argument("--peer-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--port", type=int, default=15260, help="SIP, of the first peer")
    parser.add_argument(
        "--realtime", action="store_true", help="before all other programs (needs root)"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="for media.json, media.png")
    arguments = parser.parse_args()
    if len(arguments.seeds) * len(arguments.directions) > CALLS_AT_A_TIME:
        parser.error(f"PJSIP takes {CALLS_AT_A_TIME} calls: fewer --seeds or --directions")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(bench(arguments))
    write_json(results, arguments, arguments.out / "media.json")
    write_plot(results, arguments.out / "media.png")
    print(f"\nwritten: {arguments.out / 'media.json'}, {arguments.out / 'media.png'}")


if __name__ == "__main__":
    main()
