"""Two native stacks on loopback: real sockets, real pacing, no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from telephony.base.ids import Ids
from telephony.base.interfaces import CannotAnswer
from telephony.net.clock import monotonic
from telephony.net.listen import PortInUse
from telephony.net.pacer import Pacer
from telephony.net.port_pool import PortPool
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.rtp_media import MediaConfig, MediaPlane

LOUD = bytes([0x10]) * 160


@dataclass
class Party:
    """A listener and a sink that notes what happens."""

    heard: list[bytes] = field(default_factory=list)
    digits: str = ""
    holds: list[bool] = field(default_factory=list)
    ended: tuple[str, str, int] | None = None
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    says: bytes | None = None

    def leg_progressed(self, status: int, early_media: bool = False) -> None: ...

    def leg_confirmed(self) -> None:
        self.confirmed.set()

    def leg_held(self, held: bool) -> None:
        self.holds.append(held)

    def digit_received(self, digit: str) -> None:
        self.digits += digit

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        self.ended = (ended_by, cause, status)
        self.over.set()

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
    seed: int, codecs: tuple[str, ...] = ("pcmu", "pcma"), **changes: object
) -> AsyncIterator[tuple[NativeStack, int, list[NativeLeg]]]:
    loop = asyncio.get_running_loop()
    ids = Ids.seeded(seed)
    pacer = Pacer(loop)
    first_port = 34000 + seed * 100
    plane = MediaPlane(
        MediaConfig("127.0.0.1", "127.0.0.1", codecs=codecs, **changes),  # type: ignore[arg-type]
        loop,
        PortPool(first_port, first_port + 40, ids, 0.0),
        pacer,
        monotonic,
        ids,
    )
    legs: list[NativeLeg] = []
    native = NativeStack(UserAgent(UserAgentConfig(), ids), plane, legs.append)
    port = await listen(native)
    try:
        yield native, port, legs
    finally:
        pacer.close()
        await native.close()


async def until(condition: object, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_carries_audio_both_ways_and_digits_and_ends(transport: str) -> None:
    async with AsyncExitStack() as context:
        bot, port, legs = await context.enter_async_context(stack(1))
        caller, _, _ = await context.enter_async_context(stack(2))
        alice, bob = Party(says=LOUD), Party(says=bytes([0x90]) * 160)
        uri = f"sip:bob@127.0.0.1:{port};transport={transport}"
        outbound = caller.place_call(uri, "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        inbound = legs[0]
        assert inbound.facts.called == "bob"
        assert inbound.facts.caller == "alice"
        inbound.listen(bob)
        inbound.prepare()
        inbound.ring()
        inbound.answer()
        await until(lambda: alice.confirmed.is_set() and bob.confirmed.is_set())
        inbound.media.start(bob)
        outbound.media.start(alice)
        await until(lambda: LOUD in bob.heard and bytes([0x90]) * 160 in alice.heard)
        outbound.media.send_digits("5#")
        await until(lambda: bob.digits == "5#")
        outbound.hangup()
        await until(lambda: bob.over.is_set() and alice.over.is_set())
        assert bob.ended is not None
        assert bob.ended[0] == "remote"
        outbound.close()
        inbound.close()
        assert bot.legs == caller.legs == 0
        assert bot.plane.ports.in_use == caller.plane.ports.in_use == 0


async def test_a_leg_without_a_common_codec_cannot_be_answered() -> None:
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(3, ("pcmu",)))
        caller, _, _ = await context.enter_async_context(stack(4, ("pcma",)))
        alice = Party()
        outbound = caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        with pytest.raises(CannotAnswer) as caught:
            legs[0].prepare()
        assert caught.value.status == 488
        legs[0].reject(488)
        legs[0].close()
        await until(alice.over.is_set)
        assert alice.ended is not None
        assert alice.ended[2] == 488
        outbound.close()


async def test_an_exhausted_port_pool_answers_503() -> None:
    async with AsyncExitStack() as context:
        bot, port, legs = await context.enter_async_context(stack(5))
        caller, _, _ = await context.enter_async_context(stack(6))
        while bot.plane.ports.in_use < bot.plane.ports.size:
            bot.plane.ports.acquire(monotonic())
        alice = Party()
        caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1").listen(alice)
        await until(lambda: legs)
        with pytest.raises(CannotAnswer) as caught:
            legs[0].prepare()
        assert caught.value.status == 503


async def test_a_cancelled_call_ends_the_inbound_leg() -> None:
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(7))
        caller, _, _ = await context.enter_async_context(stack(8))
        alice, bob = Party(), Party()
        outbound = caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        legs[0].listen(bob)
        legs[0].prepare()
        legs[0].ring()
        await asyncio.sleep(0.05)
        outbound.hangup()
        await until(lambda: bob.over.is_set() and alice.over.is_set())
        assert bob.ended == ("remote", "cancelled", 487)
        assert alice.ended is not None
        assert alice.ended[2] == 487
        outbound.close()
        legs[0].close()
