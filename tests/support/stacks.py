"""Native stacks on loopback: real sockets, real pacing, no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from telephony.base.ids import Ids
from telephony.base.interfaces import Leg
from telephony.net.clock import monotonic
from telephony.net.listen import PortInUse
from telephony.net.pacer import Pacer
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.rtp_media import MediaConfig, MediaPlane
from tests.support.ports import port_pool


@dataclass
class Party:
    """A listener and a sink that notes what happens."""

    heard: list[bytes] = field(default_factory=list)
    digits: str = ""
    down: int = 0
    durations_ms: list[int] = field(default_factory=list)
    holds: list[bool] = field(default_factory=list)
    ended: tuple[str, str, int] | None = None
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    says: bytes | None = None
    progress: list[tuple[int, bool]] = field(default_factory=list)
    transfer: list[int] = field(default_factory=list)
    transferred: int | None = None
    refer_refused: bool = False
    referred_to: str = ""
    replacement: Leg | None = None

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        self.progress.append((status, early_media))

    def leg_confirmed(self) -> None:
        self.confirmed.set()

    def leg_held(self, held: bool) -> None:
        self.holds.append(held)

    def digit_received(self, digit: str, held: bool = False) -> None:
        self.digits += digit
        self.down += held

    def digit_finished(self, digit: str, duration_ms: int) -> None:
        self.down -= 1
        self.durations_ms.append(duration_ms)

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        self.ended = (ended_by, cause, status)
        self.over.set()

    def transfer_progressed(self, status: int, reason: str) -> None:
        self.transfer.append(status)

    def transfer_finished(self, status: int, reason: str, refused: bool = False) -> None:
        self.transferred, self.refer_refused = status, refused

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        self.referred_to = target_uri

    def leg_replaced(self, leg: Leg) -> None:
        self.replacement = leg

    def hear(self, frame: bytes, now: float) -> None:
        self.heard.append(frame)

    def speak(self, now: float) -> bytes | None:
        return self.says


async def listen(native: NativeStack) -> int:
    """Open UDP and TCP on a port that both have free."""
    while True:
        with suppress(PortInUse):
            return await native.endpoint.listen("127.0.0.1", 0)


@asynccontextmanager
async def stack(
    seed: int,
    codecs: tuple[str, ...] = ("pcmu", "pcma"),
    policy: PeerPolicy | None = None,
    **changes: object,
) -> AsyncIterator[tuple[NativeStack, int, list[NativeLeg]]]:
    loop = asyncio.get_running_loop()
    ids = Ids.seeded(seed)
    pacer = Pacer(loop)
    plane = MediaPlane(
        MediaConfig("127.0.0.1", "127.0.0.1", codecs=codecs, **changes),  # type: ignore[arg-type]
        loop,
        port_pool(20, ids),
        pacer,
        monotonic,
        ids,
    )
    legs: list[NativeLeg] = []
    native = NativeStack(UserAgent(UserAgentConfig(), ids), plane, legs.append, policy=policy)
    port = await listen(native)
    try:
        yield native, port, legs
    finally:
        pacer.close()
        await native.close()


async def until(condition: object, timeout_s: float = 60.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
