"""Transfers between two native stacks on loopback, in every role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from telephony.base.interfaces import CannotAnswer, LegFacts
from telephony.sip.events import InviteReceived
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy
from tests.support.stacks import Party, stack, until


@dataclass
class Talk:
    """An answered call: ``outbound`` of the caller, ``inbound`` of the bot."""

    caller: NativeStack
    port: int
    outbound: NativeLeg
    inbound: NativeLeg
    alice: Party
    bob: Party
    legs: list[NativeLeg]


@asynccontextmanager
async def talk(
    seed: int, policy: PeerPolicy | None = None, callers: PeerPolicy | None = None
) -> AsyncIterator[Talk]:
    async with AsyncExitStack() as context:
        _bot, port, legs = await context.enter_async_context(stack(seed, policy=policy))
        caller, _, _ = await context.enter_async_context(stack(seed + 1, policy=callers))
        alice, bob = Party(), Party()
        outbound = caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        answer(legs[0], bob)
        await until(lambda: alice.confirmed.is_set() and bob.confirmed.is_set())
        yield Talk(caller, port, outbound, legs[0], alice, bob, legs)


def answer(leg: NativeLeg, party: Party) -> None:
    leg.listen(party)
    leg.prepare()
    leg.answer()


ANYBODY = PeerPolicy(may_refer=lambda facts, target: True)


async def test_a_blind_transfer_is_followed_to_its_end() -> None:
    async with talk(41, callers=ANYBODY) as call:
        call.inbound.transfer("+15550123")
        await until(lambda: call.alice.referred_to)
        host, port = call.outbound.facts.source_ip, call.caller.endpoint.udp.local[1]  # type: ignore[union-attr]
        assert call.alice.referred_to == f"sip:+15550123@{host}:{port}"
        for status in (100, 180, 200):
            call.outbound.answer_refer(status)
        await until(lambda: call.bob.transferred is not None)
        assert call.bob.transferred == 200
        assert call.bob.transfer[-1] == 180
        call.inbound.hangup("transferred")
        await until(lambda: call.alice.over.is_set())
        call.outbound.close()
        call.inbound.close()


async def test_a_busy_target_gives_the_caller_back() -> None:
    async with talk(43, callers=ANYBODY) as call:
        call.inbound.transfer("sip:agent@127.0.0.1")
        await until(lambda: call.alice.referred_to)
        call.outbound.answer_refer(100)
        call.outbound.answer_refer(486)
        await until(lambda: call.bob.transferred is not None)
        assert call.bob.transferred == 486
        assert not call.bob.refer_refused
        assert not call.inbound.ended


async def test_a_refer_is_declined_unless_the_policy_allows_it() -> None:
    async with talk(45) as call:
        call.inbound.transfer("sip:agent@127.0.0.1")
        await until(lambda: call.bob.transferred is not None)
        assert call.bob.transferred == 603
        assert call.bob.refer_refused
        assert call.alice.referred_to == ""


async def test_an_attended_transfer_replaces_the_consultation() -> None:
    async with talk(47, callers=ANYBODY) as call, stack(49) as (agents, agent_port, agent_legs):
        # The bot's consultation leg goes to an agent on a third stack.
        consulting, agent = Party(), Party()
        bot = call.inbound
        async with stack(51) as (other, _, _):
            consultation = other.place_call(f"sip:agent@127.0.0.1:{agent_port}", "sip:bot@host")
            consultation.listen(consulting)
            await until(lambda: agent_legs)
            answer(agent_legs[0], agent)
            await until(lambda: consulting.confirmed.is_set() and agent.confirmed.is_set())
            dialog = next(iter(other.user_agent.dialogs))
            headers = (("Replaces", f"{dialog[0]};to-tag={dialog[2]};from-tag={dialog[1]}"),)
            taking_over = call.caller.place_call(
                f"sip:agent@127.0.0.1:{agent_port}", "sip:alice@host", headers
            )
            alice = Party()
            taking_over.listen(alice)
            await until(lambda: agent.replacement)
            replacement = agent.replacement
            assert isinstance(replacement, NativeLeg)
            second = Party()
            answer(replacement, second)
            agent_legs[0].hangup()
            await until(lambda: alice.confirmed.is_set() and consulting.over.is_set())
            assert not taking_over.ended
            agent_legs[0].close()
            consultation.close()
        assert not bot.ended
        assert agents.legs == 1


async def test_hold_and_resume_from_our_side() -> None:
    async with talk(53) as call:
        call.inbound.hold()
        await until(lambda: call.alice.holds == [True])
        call.inbound.resume()
        await until(lambda: call.alice.holds == [True, False])


class Screen:
    """Takes its time, then lets a call pass with an attestation or refuses it."""

    def __init__(self, refusal: CannotAnswer | None = None) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.refusal = refusal

    def concerns(self, facts: LegFacts) -> bool:
        return facts.called == "bob"

    async def check(self, event: InviteReceived, facts: LegFacts) -> LegFacts:
        self.asked.set()
        await self.go_on.wait()
        if self.refusal is not None:
            raise self.refusal
        return replace(facts, attestation="A")


@pytest.mark.parametrize("refusal", [None, CannotAnswer(438, "Invalid Identity Header")])
async def test_calls_are_screened_before_they_are_reported(refusal: CannotAnswer | None) -> None:
    screen = Screen(refusal)
    async with stack(55, policy=PeerPolicy(screen=screen)) as (_, port, legs), stack(57) as caller:
        alice = Party()
        outbound = caller[0].place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await screen.asked.wait()
        assert legs == []
        screen.go_on.set()
        await until(lambda: legs or alice.over.is_set())
        if refusal is None:
            assert legs[0].facts.attestation == "A"
        else:
            assert alice.ended is not None
            assert alice.ended[2] == 438
        outbound.close()


async def test_a_caller_who_gives_up_while_screened_is_not_reported() -> None:
    screen = Screen()
    async with (
        stack(59, policy=PeerPolicy(screen=screen)) as (bot, port, legs),
        stack(61) as caller,
    ):
        alice = Party()
        outbound = caller[0].place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await screen.asked.wait()
        outbound.hangup()
        await until(lambda: alice.over.is_set() and bot.legs == 0)
        screen.go_on.set()
        await asyncio.sleep(0.01)
        assert legs == []
        outbound.close()
