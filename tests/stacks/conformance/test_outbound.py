"""Calls that the bot places: what every stack tells of them."""

from __future__ import annotations

import asyncio

import pytest

from telephony.base.dialing import DialFailed
from telephony.stacks.capabilities import StackName
from tests.support.conformance import LOUD, bot, is_loud, phone
from tests.support.stacks import Party, until


async def test_a_call_that_is_answered(name: StackName) -> None:
    async with bot(name) as ours, phone() as telephone:
        we, they = Party(says=LOUD), Party(says=LOUD)
        dialling = asyncio.create_task(ours.dial(telephone.uri, we))
        theirs = await telephone.next_leg()
        assert theirs.facts.called == "phone"
        theirs.listen(they)
        theirs.prepare()
        theirs.ring()
        await until(lambda: 180 in [status for status, _ in we.progress])
        theirs.answer()
        leg = await dialling
        await until(lambda: we.confirmed.is_set() and they.confirmed.is_set())
        leg.media.start(we)
        theirs.media.start(they)
        await until(lambda: is_loud(we) and is_loud(they))
        leg.media.send_digits("7")
        await until(lambda: they.digits == "7")
        theirs.hangup()
        await until(lambda: we.over.is_set() and they.over.is_set())
        assert we.ended is not None
        assert we.ended[0] == "remote"
        leg.close()
        theirs.close()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(486, "busy"), (404, "not_found"), (603, "rejected"), (480, "no_answer"), (500, "failed")],
)
async def test_a_call_that_is_refused(name: StackName, status: int, outcome: str) -> None:
    async with bot(name) as ours, phone() as telephone:
        we = Party()
        dialling = asyncio.create_task(ours.dial(telephone.uri, we))
        theirs = await telephone.next_leg()
        theirs.ring()
        theirs.reject(status)
        with pytest.raises(DialFailed) as caught:
            await dialling
        assert (caught.value.outcome, caught.value.status) == (outcome, status)
        assert we.ended is None
        theirs.close()


async def test_a_call_that_is_given_up_while_it_rings(name: StackName) -> None:
    async with bot(name) as ours, phone() as telephone:
        we, they = Party(), Party()
        dialling = asyncio.create_task(ours.dial(telephone.uri, we))
        theirs = await telephone.next_leg()
        theirs.listen(they)
        theirs.prepare()
        theirs.ring()
        await until(lambda: we.progress)
        dialling.cancel()
        await until(they.over.is_set)
        assert they.ended == ("remote", "cancelled", 487)
        assert we.ended is None
        theirs.close()


async def test_a_call_that_nobody_takes_in_time(name: StackName) -> None:
    async with bot(name) as ours, phone() as telephone:
        we, they = Party(), Party()
        dialling = asyncio.create_task(ours.dial(telephone.uri, we, ring_timeout_s=1.5))
        theirs = await telephone.next_leg()
        theirs.listen(they)
        theirs.prepare()
        theirs.ring()
        with pytest.raises(DialFailed) as caught:
            await dialling
        assert caught.value.outcome == "no_answer"
        await until(they.over.is_set)
        theirs.close()


async def test_early_media_of_the_network_is_heard(name: StackName) -> None:
    async with bot(name) as ours, phone() as telephone:
        we, they = Party(), Party(says=LOUD)
        dialling = asyncio.create_task(ours.dial(telephone.uri, we))
        theirs = await telephone.next_leg()
        theirs.listen(they)
        theirs.prepare()
        theirs.progress()
        await until(lambda: we.progress)
        if ours.can.early_media:
            await until(lambda: (183, True) in we.progress)
        else:
            assert not any(early for _, early in we.progress)
        theirs.answer()
        leg = await dialling
        leg.hangup()
        await until(lambda: we.over.is_set() and they.over.is_set())
        leg.close()
        theirs.close()
