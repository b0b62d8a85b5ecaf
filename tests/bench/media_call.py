"""One call to an echo through one network, and what became of the speech."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from telephony.base.interfaces import MediaStats
from telephony.rehearsal.caller import CallRecord, SipCaller
from telephony.rehearsal.network import Network, shipped_profile
from telephony.rehearsal.phone import telephone
from telephony.rtp.frames import JitterConfig
from tests.bench.media_peers import Peer
from tests.bench.media_quality import Quality, Samples, judge

Direction = Literal["to", "from"]
"""Where the network is bad: on the way to the echo, or from it."""

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

STEADY_MS = 60
"""What the caller's buffer adds while the way back is clean; it decides nothing then."""

MORE_MS = (0, 10, 5, 15)
"""What it adds besides, by seed, and is taken off again. The caller hears and speaks in steps of
20 ms, so that every round trip of one call is a multiple of that, and only their mean tells more.
"""


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


class EchoCall:
    """A call to an echo: made ready, held, judged."""

    def __init__(self, peer: Peer, profile: str, direction: Direction, seed: int) -> None:
        self._peer = peer
        self._profile = profile
        self._direction = direction
        self._seed = seed
        bad, clean = shipped_profile(profile), shipped_profile("clean")
        self._to_echo = direction == "to"
        outbound, inbound = (bad, clean) if self._to_echo else (clean, bad)
        self._network = Network(outbound, seed, inbound)
        self._record = CallRecord()
        self._heard = MediaStats()
        self._cpu_percent = 0.0

    @property
    def _more_ms(self) -> int:
        return MORE_MS[self._seed % len(MORE_MS)] if self._to_echo else 0

    @property
    def _name(self) -> str:
        """What tells the calls of one echo apart."""
        return f"{self._profile}-{self._direction}-{self._seed}"

    def phone(self) -> AbstractAsyncContextManager[SipCaller]:
        """Return a telephone behind the network; getting one ready takes its time."""
        steady_ms = STEADY_MS + self._more_ms
        steady = JitterConfig(min_ms=steady_ms, start_ms=steady_ms, follow_sender=False)
        jitter = steady if self._to_echo else JitterConfig()
        return telephone("127.0.0.1", network=self._network, jitter=jitter)

    async def hold(self, caller: SipCaller, speech: bytes, calls: int) -> None:
        """Say ``speech``; ``calls`` is how many share the peer's CPU time meanwhile."""
        await caller.dial(self._peer.uri, f"sip:{self._name}@127.0.0.1", timeout_s=10.0)
        loop = asyncio.get_running_loop()
        cpu_s, started_at = self._peer.cpu_s(), loop.time()
        await caller.say(speech)
        cpu_s, elapsed_s = self._peer.cpu_s() - cpu_s, loop.time() - started_at
        self._cpu_percent = cpu_s / elapsed_s * 100 / calls
        self._heard = caller.media_stats()
        await caller.hang_up()
        self._record = caller.record

    def judged(self) -> Measured:
        """Judge what came back; the echo's own report is there a moment after the call."""
        network, report = self._network, self._peer.report_on(self._name)
        path = network.outbound if self._to_echo else network.inbound
        quality = judge(_samples(self._record.said), _samples(self._record.heard))
        return Measured(
            self._profile,
            self._peer.kind.name,
            self._direction,
            self._seed,
            quality.sooner(self._more_ms),
            path.stats.received,
            path.stats.lost,
            report.get("concealed_ms") if self._to_echo else self._heard.concealed_ms,
            self._cpu_percent,
        )


def _samples(pcm16: bytearray) -> Samples:
    samples: Samples = np.frombuffer(bytes(pcm16), "<i2") / 32768.0
    return samples
