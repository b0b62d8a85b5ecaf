"""One call to an echo through one network, and what became of the speech."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from telephony.base.interfaces import MediaStats
from telephony.rehearsal.caller import CallRecord
from telephony.rehearsal.network import Network, Path, shipped_profile
from telephony.rehearsal.phone import telephone
from telephony.rtp.frames import JitterConfig
from tests.bench.media_peers import Peer
from tests.bench.media_quality import Quality, Samples, judge

Direction = Literal["to", "from"]
"""Where the network is bad: on the way to the echo, or from it."""

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

STEADY = JitterConfig(min_ms=60, start_ms=60)
"""Of the caller while the way back is clean: a buffer that adds 60 ms and decides nothing."""


@dataclass(frozen=True)
class Measured:
    """One call. ``concealed_ms`` is what the bad direction's receiver counted, None if it can't."""

    profile: str
    peer: str
    direction: Direction
    seed: int
    quality: Quality
    sent_packets: int
    lost_packets: int
    concealed_ms: int | None
    cpu_percent: float


@dataclass(frozen=True)
class Call:
    """A call that is over, not judged yet."""

    peer: Peer
    profile: str
    direction: Direction
    seed: int
    path: Path
    record: CallRecord
    heard: MediaStats
    cpu_percent: float

    def judged(self) -> Measured:
        """Judge what came back; the echo's own report is there a moment after the call."""
        report = self.peer.report_on(caller_name(self.profile, self.direction, self.seed))
        to_echo = self.direction == "to"
        return Measured(
            self.profile,
            self.peer.kind.name,
            self.direction,
            self.seed,
            judge(_samples(self.record.said), _samples(self.record.heard)),
            self.path.stats.received,
            self.path.stats.lost,
            report.get("concealed_ms") if to_echo else self.heard.concealed_ms,
            self.cpu_percent,
        )


def caller_name(profile: str, direction: Direction, seed: int) -> str:
    """Return what tells the calls of one echo apart."""
    return f"{profile}-{direction}-{seed}"


async def talk(
    peer: Peer, profile: str, direction: Direction, seed: int, speech: bytes, calls: int
) -> Call:
    """Say ``speech`` to an echo; ``calls`` is how many share the peer's CPU time meanwhile."""
    bad, clean = shipped_profile(profile), shipped_profile("clean")
    network = Network(bad, seed, clean) if direction == "to" else Network(clean, seed, bad)
    jitter = STEADY if direction == "to" else JitterConfig()
    path = network.outbound if direction == "to" else network.inbound
    from_uri = f"sip:{caller_name(profile, direction, seed)}@127.0.0.1"
    async with telephone("127.0.0.1", network=network, jitter=jitter) as caller:
        await caller.dial(peer.uri, from_uri, timeout_s=10.0)
        loop = asyncio.get_running_loop()
        cpu_s, started_at = peer.cpu_s(), loop.time()
        await caller.say(speech)
        cpu_percent = (peer.cpu_s() - cpu_s) / (loop.time() - started_at) * 100 / calls
        heard = caller.media_stats()
    return Call(peer, profile, direction, seed, path, caller.record, heard, cpu_percent)


def _samples(pcm16: bytearray) -> Samples:
    samples: Samples = np.frombuffer(bytes(pcm16), "<i2") / 32768.0
    return samples
