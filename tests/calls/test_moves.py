from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from telephony.base.interfaces import CannotAnswer, LegFacts
from telephony.calls import call as call_module
from telephony.calls import cause
from telephony.calls.destination import Destination
from telephony.calls.services import CallLimits
from telephony.dialplan.actions import ConnectModel, PreAnswer
from tests.support.eventually import eventually
from tests.support.fake_call import FACTS, FakeLeg, FakeMedia
from tests.support.transfers import Scene

SUCCESSOR = replace(FACTS, caller="+15550177", sip_call_id="other@host")
TARGET = "sip:+15550188@evil.example"


def allowed(facts: LegFacts, target_uri: str) -> str:
    """Dial the number over our trunks, whatever host was named."""
    return target_uri.removeprefix("sip:").partition("@")[0]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "WATCH_INTERVAL_S", 0.001)
    monkeypatch.setattr(call_module, "HEARD_TAIL_S", 0.0)


@asynccontextmanager
async def talking(**changes: Any) -> AsyncIterator[Scene]:
    """Run a call whose model has the line; nothing of it is left afterwards."""

    s = Scene(ConnectModel("bot"), **changes)
    await s.talk()
    yield s
    s.call.end(cause.DRAIN_DEADLINE)
    await s.running
    assert s.leg.did[-1] == s.call.leg.did[-1] == "close"
    assert all(leg.gone for leg in s.dialer.answered)
    assert s.watcher.legs == []


async def test_the_call_goes_on_over_the_leg_that_replaces_its_own() -> None:
    async with talking() as s:
        bridge = s.call.line.opened.partner
        new = FakeLeg(facts=SUCCESSOR, media=FakeMedia("pcma"))
        s.call.leg_replaced(new)
        assert new.did == [("adopt_encoding", "pcmu"), "prepare", "answer"]
        assert s.call.leg is new
        assert new.media.sink is s.call.line.opened
        assert s.call.line.opened.partner is bridge
        assert s.leg.did[-2:] == [("hangup", "replaced"), "close"]
        assert len(s.watcher.legs) == 1
        assert s.call.facts.caller == "+15550199"
        assert s.call.moves.count == 1
        assert s.leg.listener is not None
        s.leg.listener.leg_ended("remote", "", 0)
        assert s.call.ending is None
        assert new.listener is not None
        new.listener.leg_ended("remote", "", 0)
        await s.running
        assert s.call.ending is cause.CALLER_HUNG_UP


async def test_the_old_leg_stays_until_the_new_one_stands() -> None:
    async with talking() as s:
        new = FakeLeg(facts=SUCCESSOR, confirms=False)
        s.call.leg_replaced(new)
        assert s.call.leg is s.leg
        another = FakeLeg()
        s.call.leg_replaced(another)
        assert another.did == [("reject", 486, "", None), "close"]
        # Who transferred the call hangs up; nothing is lost by that.
        s.call.leg_ended("remote", "", 0)
        assert s.call.ending is None
        assert new.listener is not None
        new.listener.leg_confirmed()
        assert s.call.leg is new


async def test_a_new_leg_that_never_stands_leaves_the_call_as_it_was() -> None:
    async with talking() as s:
        new = FakeLeg(confirms=False)
        s.call.leg_replaced(new)
        assert new.listener is not None
        new.listener.leg_ended("error", "no_ack", 408)
        assert s.call.leg is s.leg
        assert s.call.ending is None
        assert new.gone


async def test_a_call_whose_both_legs_are_gone_is_over() -> None:
    async with talking() as s:
        new = FakeLeg(confirms=False)
        s.call.leg_replaced(new)
        s.call.leg_ended("remote", "", 0)
        assert new.listener is not None
        new.listener.leg_ended("error", "no_ack", 408)
        await s.running
        assert s.call.ending is cause.CALLER_HUNG_UP


async def test_media_that_cannot_be_had_refuses_the_new_leg_alone() -> None:
    async with talking() as s:
        new = FakeLeg(error=CannotAnswer(488, "no codec"))
        s.call.leg_replaced(new)
        assert new.did[-2:] == [("reject", 488, "no codec", None), "close"]
        other = FakeLeg()
        other.media.ptime_ms = 30
        s.call.leg_replaced(other)
        assert ("reject", 488, "media of another shape", None) in other.did
        assert s.call.leg is s.leg
        assert s.call.ending is None


async def test_a_call_that_is_over_is_not_replaced() -> None:
    async with talking() as s:
        s.call.end(cause.DRAIN_DEADLINE)
        new = FakeLeg()
        s.call.leg_replaced(new)
        assert new.did == [("reject", 603, "", None), "close"]


async def test_a_call_that_was_not_answered_is_not_replaced() -> None:

    s = Scene(PreAnswer())
    new = FakeLeg()
    s.call.leg_replaced(new)
    assert new.did == [("reject", 481, "", None), "close"]
    await s.running


async def test_the_end_of_the_call_ends_a_leg_on_its_way() -> None:
    async with talking() as s:
        new = FakeLeg(confirms=False)
        s.call.leg_replaced(new)
        s.call.end(cause.DRAIN_DEADLINE)
        await s.running
        assert new.gone


async def test_hold_and_watchdog_are_those_of_the_new_leg() -> None:
    async with talking(limits=CallLimits(media_timeout_s=10.0)) as s:
        s.call.leg_held(True)
        new = FakeLeg()
        s.clock.now += 100.0
        s.call.leg_replaced(new)
        assert not s.call.held
        s.clock.now += 9.0
        await asyncio.sleep(0.01)
        assert s.call.ending is None
        s.clock.now += 1.0
        await s.running
        assert s.call.ending is cause.MEDIA_TIMEOUT


async def test_a_leg_that_is_transferred_away_is_not_replaced() -> None:
    async with talking() as s:
        s.transfer(Destination("1"))
        await eventually(lambda: s.leg.referred)
        new = FakeLeg()
        s.call.leg_replaced(new)
        assert ("reject", 486, "", None) in new.did


# REFER


def statuses(leg: FakeLeg) -> list[int]:
    return [done[1] for done in leg.did if isinstance(done, tuple) and done[0] == "answer_refer"]


async def test_nobody_refers_us_by_default() -> None:
    async with talking() as s:
        s.call.refer_received(TARGET, "sip:x@y")
        assert statuses(s.leg) == [603]
        assert s.dialer.requests == []


async def test_a_refer_that_is_allowed_moves_the_call() -> None:
    async with talking(referral_target=allowed) as s:
        s.call.refer_received(TARGET, "sip:x@y")
        await eventually(lambda: s.dialer.pending)
        [request] = s.dialer.requests
        assert (request.target, request.headers) == (
            "+15550188",
            (("Referred-By", "<sip:x@y>"),),
        )
        s.dialer.listeners[-1].leg_progressed(180)
        s.call.refer_received(TARGET, "")
        new = s.dialer.answer()
        await eventually(lambda: s.call.leg is new)
        assert statuses(s.leg) == [100, 180, 200]
        assert s.leg.did[-2:] == [("hangup", "replaced"), "close"]
        assert new.media.sink is s.call.line.opened
        assert len(s.dialer.requests) == 1


async def test_a_target_that_does_not_answer_leaves_the_call_as_it_was() -> None:
    async with talking(referral_target=allowed) as s:
        s.call.refer_received(TARGET, "")
        await eventually(lambda: s.dialer.pending)
        s.dialer.fail("busy", 486)
        await eventually(lambda: statuses(s.leg) == [100, 486])
        assert s.call.leg is s.leg
        assert s.call.ending is None
        assert not s.call.moves.pending


async def test_who_refers_may_hang_up_at_once() -> None:
    async with talking(referral_target=allowed) as s:
        s.call.refer_received(TARGET, "")
        s.call.leg_ended("remote", "", 0)
        await eventually(lambda: s.dialer.pending)
        assert s.call.ending is None
        new = s.dialer.answer()
        await eventually(lambda: s.call.leg is new)
        assert s.call.ending is None


async def test_nobody_is_left_when_the_target_does_not_answer_either() -> None:
    async with talking(referral_target=allowed) as s:
        s.call.refer_received(TARGET, "")
        await eventually(lambda: s.dialer.pending)
        s.call.leg_ended("remote", "", 0)
        s.dialer.fail("no_answer")
        await s.running
        assert s.call.ending is cause.CALLER_HUNG_UP
        assert statuses(s.leg)[-1] == 503


async def test_a_target_that_hangs_up_as_it_answers() -> None:
    async with talking(referral_target=allowed) as s:
        s.call.refer_received(TARGET, "")
        await eventually(lambda: s.dialer.pending)
        new = s.dialer.answer()
        s.dialer.listeners[-1].leg_ended("remote", "", 0)
        await eventually(lambda: new.gone)
        assert s.call.leg is s.leg
        assert statuses(s.leg) == [100, 487]


async def test_a_target_of_another_shape_is_let_go() -> None:
    async with talking(referral_target=allowed) as s:
        s.call.refer_received(TARGET, "")
        await eventually(lambda: s.dialer.pending)
        new = FakeLeg()
        new.media.ptime_ms = 30
        s.dialer.answer(new)
        await eventually(lambda: new.gone)
        assert statuses(s.leg) == [100, 488]


async def test_a_fault_of_ours_ends_the_call_and_the_new_leg(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails() -> None:
        raise RuntimeError("a fault of ours")

    async with talking() as s:
        new = FakeLeg()
        monkeypatch.setattr(new, "prepare", fails)
        s.call.leg_replaced(new)
        await s.running
        assert s.call.ending is cause.INTERNAL_ERROR
        assert new.gone
