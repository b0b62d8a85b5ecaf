"""Digits between two native stacks on loopback, in each of the ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitsSent
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy
from tests.support.stacks import Party, stack, until

VOICE = bytes([0x10, 0x90]) * 80
KEYS = "159*0#"


@asynccontextmanager
async def call(
    seed: int, *, ours: dict[str, Any] | None = None, theirs: dict[str, Any] | None = None
) -> AsyncIterator[tuple[NativeLeg, NativeLeg, Party, Party]]:
    """Give both legs of a call that is up, and who listens to them: caller, then callee."""
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(seed, **(theirs or {})))
        caller, _, _ = await context.enter_async_context(stack(seed + 1, **(ours or {})))
        alice, bob = Party(says=VOICE), Party(says=VOICE)
        outbound = caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        inbound = legs[0]
        inbound.listen(bob)
        inbound.prepare()
        inbound.answer()
        await until(lambda: alice.confirmed.is_set() and bob.confirmed.is_set())
        inbound.media.start(bob)
        outbound.media.start(alice)
        await until(lambda: VOICE in bob.heard and VOICE in alice.heard)
        yield outbound, inbound, alice, bob
        outbound.hangup()
        await until(lambda: bob.over.is_set() and alice.over.is_set())
        outbound.close()
        inbound.close()


WAYS = {
    "rfc4733": (21, {}, {}),
    # A peer without telephone-events whose Allow lists INFO.
    "info": (23, {"telephone_event": False}, {}),
    "inband": (25, {"dtmf": "inband"}, {"telephone_event": False}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_digits_both_ways(way: str) -> None:
    seed, ours, theirs = WAYS[way]
    theirs = theirs or ours
    async with call(seed, ours=ours, theirs=theirs) as (outbound, inbound, alice, bob):
        sent: list[DigitsSent] = []
        outbound.media.send_digits(KEYS, sent.append)
        await until(lambda: sent)
        assert sent == [DigitsSent(KEYS, way)]  # type: ignore[arg-type]
        await until(lambda: bob.digits == KEYS and bob.down == 0)
        # INFO is the answer of a peer that does not listen for better.
        if way == "inband":
            inbound.digits._user_agent.legs[inbound.leg_id].peer_methods = frozenset()
        inbound.media.send_digits(KEYS, sent.append)
        await until(lambda: len(sent) == 2)
        assert sent[1] == DigitsSent(KEYS, way)  # type: ignore[arg-type]
        await until(lambda: alice.digits == KEYS and alice.down == 0)
        if way != "info":
            assert all(120 <= ms <= 200 for ms in alice.durations_ms + bob.durations_ms)


async def test_a_trunk_says_how_digits_travel() -> None:
    policy = PeerPolicy(strangers=MediaPolicy(dtmf="info"))
    async with call(27, ours={"policy": policy}) as (outbound, _, _, bob):
        assert b"telephone-event" not in outbound.local_sdp
        sent: list[DigitsSent] = []
        outbound.media.send_digits("42", sent.append)
        await until(lambda: sent)
        assert sent == [DigitsSent("42", "info")]
        assert bob.digits == "42"


async def test_digits_of_a_call_that_ends_meanwhile_are_told() -> None:
    async with call(29, ours={"telephone_event": False}) as (outbound, inbound, alice, bob):
        sent: list[DigitsSent] = []
        outbound.media.send_digits(KEYS * 3, sent.append)
        await until(lambda: len(bob.digits) >= 1)
        inbound.hangup()
        await until(lambda: alice.over.is_set())
        outbound.close()
        assert len(sent) == 1
        assert len(sent[0].digits) < len(KEYS * 3)
        assert sent[0].failure


async def test_info_cannot_be_sent_before_the_answer() -> None:
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(31))
        caller, _, _ = await context.enter_async_context(stack(32, dtmf="info"))
        outbound = caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(Party())
        await until(lambda: legs)
        with pytest.raises(LocalProtocolError):
            outbound.media.send_digits("1")
        outbound.hangup()
        outbound.close()
        legs[0].close()
