from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import sipmessage

from telephony.sip.events import CallFailed
from telephony.sip.message import HeaderView
from telephony.stacks.trunks.attempt import Attempt, DialledLeg, redirects_of
from tests.support.stacks import Party


class FakeLeg:
    def __init__(self, heard: bool = False) -> None:
        self.heard = heard


def leg(heard: bool = False) -> DialledLeg:
    return cast(DialledLeg, FakeLeg(heard))


def headers(*lines: tuple[str, str]) -> HeaderView:
    found = sipmessage.Headers()
    for name, value in lines:
        found.add(name, value)
    return HeaderView(found)


async def test_an_answer_is_passed_on_and_so_is_the_end_after_it() -> None:
    party = Party()
    attempt = Attempt(party)
    attempt.leg_progressed(183, True)
    attempt.leg_confirmed()
    assert await attempt.wait(leg(), 1.0)
    attempt.leg_held(True)
    attempt.digit_received("5", True)
    attempt.digit_finished("5", 160)
    attempt.transfer_progressed(180, "")
    attempt.transfer_finished(603, "", True)
    attempt.refer_received("sip:a", "")
    attempt.leg_replaced(cast(Any, "leg"))
    attempt.leg_ended("remote", "bye", 0)
    assert party.progress == [(183, True)]
    assert (party.holds, party.digits, party.transfer) == ([True], "5", [180])
    assert (party.down, party.durations_ms) == (0, [160])
    assert (party.transferred, party.refer_refused) == (603, True)
    assert (party.referred_to, party.replacement) == ("sip:a", "leg")
    assert party.ended == ("remote", "bye", 0)


async def test_the_end_of_what_was_never_answered_is_not_passed_on() -> None:
    party = Party()
    attempt = Attempt(party)
    attempt.leg_progressed(180)
    attempt.leg_ended("remote", "Busy Here", 486)
    assert not await attempt.wait(leg(), 1.0)
    assert party.ended is None
    failed = CallFailed("1", 486, "Busy Here", headers(("Call-ID", "x")))
    failure = attempt.failure(failed)
    assert (failure.status, failure.reason, failure.local) == (486, "Busy Here", False)
    assert (failure.progressed, failure.rang, failure.redirects) == (True, True, ())


async def test_a_status_without_headers_is_our_own() -> None:
    attempt = Attempt(Party())
    attempt.leg_ended("remote", "Service Unavailable", 503)
    assert attempt.failure(CallFailed("1", 503, "Service Unavailable")).local


async def test_a_server_that_says_nothing_is_left_and_one_that_does_is_waited_for() -> None:
    attempt = Attempt(Party())
    assert not await attempt.wait(leg(heard=False), 0.01)
    failure = attempt.failure(None)
    assert (failure.status, failure.local, failure.outcome) == (408, True, "unreachable")
    attempt = Attempt(Party())
    waiting = asyncio.create_task(attempt.wait(leg(heard=True), 0.01))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    attempt.leg_confirmed()
    assert await waiting


async def test_an_answer_that_we_could_not_use_is_not_tried_elsewhere() -> None:
    attempt = Attempt(Party())
    attempt.leg_ended("local", "", 0)
    failure = attempt.failure(None)
    assert (failure.outcome, failure.server_failed) == ("failed", False)


@pytest.mark.parametrize(
    ("contacts", "found"),
    [
        (["<sip:a@x>"], ("sip:a@x",)),
        (["<sip:a@x>;q=0.1, <sip:b@x>;q=0.9", "<sip:c@x>"], ("sip:c@x", "sip:b@x", "sip:a@x")),
        (["<tel:+1555>, <mailto:a@x>, *, <sip:a@x?Subject=x>"], ("sip:a@x",)),
        (["<sip:a@x>;q=nonsense", "<sip:b@x>;q=7"], ("sip:a@x", "sip:b@x")),
        (["", "<", "<>"], ()),
        ([], ()),
    ],
)
def test_redirects_are_in_order_of_preference(contacts: list[str], found: tuple[str, ...]) -> None:
    assert redirects_of(headers(*(("Contact", value) for value in contacts))) == found
