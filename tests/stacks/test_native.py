"""Two native stacks on loopback: real sockets, real pacing, no model."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from telephony.base.interfaces import CannotAnswer
from telephony.net.clock import monotonic
from telephony.sdp.rtcp_attributes import RtcpMux
from telephony.stacks.media_config import RtcpPolicy
from tests.support.stacks import Party, stack, until

LOUD = bytes([0x10]) * 160


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


@pytest.mark.parametrize("mux", ["accept", "offer"])
async def test_both_legs_report_to_each_other_and_say_goodbye(mux: RtcpMux) -> None:
    rtcp = RtcpPolicy(interval_s=0.1, mux=mux)
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(63, rtcp=rtcp))
        caller, _, _ = await context.enter_async_context(stack(65, rtcp=rtcp))
        alice, bob = Party(says=LOUD), Party(says=LOUD)
        outbound = caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        [inbound] = legs
        inbound.listen(bob)
        inbound.prepare()
        assert (b"a=rtcp-mux" in inbound.local_sdp) == (mux == "offer")
        inbound.answer()
        await until(lambda: alice.confirmed.is_set() and bob.confirmed.is_set())
        inbound.media.start(bob)
        outbound.media.start(alice)
        for leg in (inbound, outbound):
            await until(lambda leg=leg: leg.media.stats().round_trip_ms is not None)
            assert leg.media.stats().remote_mos is not None
        outbound.hangup()
        outbound.close()
        await until(lambda: inbound.media.stats().rtcp_bye_received)
        inbound.close()


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
