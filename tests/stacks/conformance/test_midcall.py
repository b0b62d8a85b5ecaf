"""Digits, hold and transfer: what a stack declares is what it does."""

from __future__ import annotations

import asyncio

from telephony.stacks.capabilities import StackName
from tests.support.conformance import LOUD, Talk, is_loud, phone, talk
from tests.support.stacks import Party, until


async def test_digits_both_ways(name: StackName) -> None:
    async with talk(name) as call:
        call.theirs.media.send_digits("15#")
        await until(lambda: call.we.digits == "15#")
        call.ours.media.send_digits("90*")
        await until(lambda: call.they.digits == "90*")
        await call.hear_each_other()


async def test_the_peer_holds_and_resumes(name: StackName) -> None:
    async with talk(name) as call:
        await call.hear_each_other()
        call.theirs.hold()
        if call.bot.can.peer_hold:
            await until(lambda: call.we.holds == [True])
            call.theirs.resume()
            await until(lambda: call.we.holds == [True, False])
        else:
            await asyncio.sleep(0.3)
            assert call.we.holds == []
        await call.hear_each_other()


async def test_the_bot_holds_and_resumes(name: StackName) -> None:
    async with talk(name) as call:
        await call.hear_each_other()
        call.ours.hold()
        if call.bot.can.hold:
            await until(lambda: call.they.holds == [True])
            call.ours.resume()
            await until(lambda: call.they.holds == [True, False])
        else:
            await asyncio.sleep(0.3)
            call.ours.resume()
            assert call.they.holds == []
        await call.hear_each_other()


async def refused(call: Talk) -> None:
    """See that a transfer which the stack has not is refused, and that the call goes on."""
    await until(lambda: call.we.transferred is not None)
    assert (call.we.transferred, call.we.refer_refused) == (501, True)
    await call.hear_each_other()


async def test_a_blind_transfer_that_succeeds(name: StackName) -> None:
    async with talk(name) as call:
        call.ours.transfer("sip:agent@127.0.0.1:9")
        if not call.bot.can.blind_transfer:
            await refused(call)
            return
        await until(lambda: call.they.referred_to)
        assert call.they.referred_to == "sip:agent@127.0.0.1:9"
        call.theirs.answer_refer(100)
        call.theirs.answer_refer(180)
        await until(lambda: call.we.transfer)
        call.theirs.answer_refer(200)
        await until(lambda: call.we.transferred is not None)
        assert (call.we.transferred, call.we.refer_refused) == (200, False)


async def test_a_blind_transfer_to_somebody_busy_gives_the_caller_back(name: StackName) -> None:
    async with talk(name) as call:
        call.ours.transfer("sip:agent@127.0.0.1:9")
        if not call.bot.can.blind_transfer:
            await refused(call)
            return
        await until(lambda: call.they.referred_to)
        call.theirs.answer_refer(100)
        call.theirs.answer_refer(486)
        await until(lambda: call.we.transferred is not None)
        assert (call.we.transferred, call.we.refer_refused) == (486, False)
        await call.hear_each_other()


async def test_a_transfer_that_the_peer_declines(name: StackName) -> None:
    async with talk(name) as call:
        call.ours.transfer("sip:agent@127.0.0.1:9")
        if not call.bot.can.blind_transfer:
            await refused(call)
            return
        await until(lambda: call.they.referred_to)
        call.theirs.answer_refer(603)
        await until(lambda: call.we.transferred is not None)
        assert (call.we.transferred, call.we.refer_refused) == (603, True)
        await call.hear_each_other()


async def test_an_attended_transfer_brings_caller_and_agent_together(name: StackName) -> None:
    async with talk(name) as call, phone() as agent:
        consulted, at_first, at_last, they = Party(), Party(says=LOUD), Party(says=LOUD), Party()
        if not call.bot.can.attended_transfer:
            call.ours.transfer("sip:agent@127.0.0.1:9")
            await refused(call)
            return
        dialling = asyncio.create_task(call.bot.dial(agent.uri, consulted))
        consultation = await agent.next_leg()
        consultation.listen(at_first)
        consultation.prepare()
        consultation.answer()
        ours = await dialling
        call.ours.transfer("", ours)
        await until(lambda: call.phone.referrals)
        call.theirs.answer_refer(100)
        they.says = LOUD
        replacement = call.phone.follow(call.phone.referrals[0], they)
        await until(lambda: at_first.replacement)
        leg = at_first.replacement
        assert leg is not None
        leg.listen(at_last)
        leg.prepare()
        leg.answer()
        consultation.hangup()
        await until(lambda: they.confirmed.is_set() and consulted.over.is_set())
        call.theirs.answer_refer(200)
        await until(lambda: call.we.transferred == 200)
        leg.media.start(at_last)
        replacement.media.start(they)
        await until(lambda: is_loud(they) and is_loud(at_last))
        replacement.hangup()
        await until(lambda: at_last.over.is_set() and at_first.over.is_set())
        for done in (ours, consultation, replacement, leg):
            done.close()
