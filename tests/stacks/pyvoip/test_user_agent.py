"""Calls between a pyVoIP stack and a native one on loopback: real sockets, real pacing."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from tests.support.pyvoip import pyvoip_stack, require_pyvoip
from tests.support.stacks import Party, stack, until

require_pyvoip()

LOUD = bytes([0x10]) * 160
OTHER = bytes([0x90]) * 160


def faults(used: NativeStack) -> dict[str, int]:
    return dict(used.user_agent.pyvoip_stats.faults)  # type: ignore[attr-defined]


async def talk(inbound: NativeLeg, outbound: NativeLeg) -> tuple[Party, Party]:
    """Answer a call, and see that each side hears the other and its digits."""
    alice, bob = Party(says=LOUD), Party(says=OTHER)
    outbound.listen(alice)
    inbound.listen(bob)
    inbound.prepare()
    inbound.ring()
    inbound.answer()
    await until(lambda: alice.confirmed.is_set() and bob.confirmed.is_set())
    inbound.media.start(bob)
    outbound.media.start(alice)
    await until(lambda: LOUD in bob.heard and OTHER in alice.heard)
    outbound.media.send_digits("5#")
    inbound.media.send_digits("*9")
    await until(lambda: bob.digits == "5#" and alice.digits == "*9")
    return alice, bob


@pytest.mark.parametrize("pyvoip_answers", [True, False])
@pytest.mark.parametrize("caller_hangs_up", [True, False])
async def test_a_call_carries_audio_both_ways_and_digits_and_ends(
    pyvoip_answers: bool, caller_hangs_up: bool
) -> None:
    async with AsyncExitStack() as context:
        bot, bot_port, bot_legs = await context.enter_async_context(pyvoip_stack(1))
        peer, peer_port, peer_legs = await context.enter_async_context(stack(2))
        called, port, legs, calling = (
            (bot, bot_port, bot_legs, peer) if pyvoip_answers else (peer, peer_port, peer_legs, bot)
        )
        outbound = calling.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        await until(lambda: legs)
        inbound = legs[0]
        assert (inbound.facts.called, inbound.facts.caller) == ("bob", "alice")
        alice, bob = await talk(inbound, outbound)
        ending = outbound if caller_hangs_up else inbound
        ending.hangup("bot_hung_up")
        await until(lambda: bob.over.is_set() and alice.over.is_set())
        assert alice.ended is not None
        assert bob.ended is not None
        ours, theirs = (alice, bob) if caller_hangs_up else (bob, alice)
        assert ours.ended == ("local", "", 0)
        assert theirs.ended == ("remote", 'Q.850;cause=16;text="Normal call clearing"', 0)
        outbound.close()
        inbound.close()
        assert called.legs == calling.legs == 0
        await until(lambda: not bot.user_agent.dialogs)  # type: ignore[attr-defined]
        assert bot.plane.ports.in_use == peer.plane.ports.in_use == 0
        assert faults(bot) == {}
