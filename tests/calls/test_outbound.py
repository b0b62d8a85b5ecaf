from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from telephony.base.dialing import DialRequest
from telephony.base.interfaces import ModelUnavailable
from telephony.calls import call as call_module
from telephony.calls import cause
from telephony.calls.call import Call
from telephony.calls.outbound import CannotPlace, Originator, OutboundCall
from telephony.calls.reception import Reception
from telephony.calls.services import CallServices, OutboundLine
from telephony.dialplan import Dialplan
from tests.support.eventually import eventually
from tests.support.fake_call import (
    FACTS,
    FakeConnector,
    FakeDialer,
    FakeLeg,
    FakeMedia,
    agent,
    services,
)
from tests.support.fake_recorder import FakeRecorder
from tests.support.phones import Watcher

REQUEST = DialRequest("+15550111", ("carrier",), caller_id="+15550100")
DIALLED = replace(FACTS, called="+15550111", caller="+15550100", trunk="carrier")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "HEARD_TAIL_S", 0.0)


class Scene:
    def __init__(self, reception: Reception, made: CallServices, watcher: Watcher) -> None:
        self.reception = reception
        self.watcher = watcher
        self.reported: list[Call] = []
        self.connector: Any = made.connector
        self.dialer: Any = made.dialer
        self.originator = Originator(reception, made)

    def place(self) -> OutboundCall:
        return self.originator.place(REQUEST, "bot")

    async def ringing(self) -> OutboundCall:
        call = self.place()
        await eventually(lambda: self.dialer.pending)
        return call


@asynccontextmanager
async def scene(*, max_calls: int = 2, **changes: Any) -> AsyncIterator[Scene]:
    watcher, reported = Watcher(), []
    fields: dict[str, Any] = {"metrics": watcher, "dialer": FakeDialer()}
    fields["agents"] = {"bot": agent(greeting="Say hello.")}
    made = services(**(fields | changes))
    plan = Dialplan({"main": []})
    async with Reception(plan, made, max_calls=max_calls, report=reported.append) as reception:
        s = Scene(reception, made, watcher)
        s.reported = reported
        yield s
    assert reception.active_calls == 0
    assert watcher.active == 0
    assert watcher.legs == []
    if s.dialer is not None:
        assert not s.dialer.pending
        assert all(leg.gone for leg in s.dialer.answered)


async def test_who_answers_is_greeted_by_a_model_that_was_ready_before() -> None:
    async with scene() as s:
        call = await s.ringing()
        model = s.connector.opened[-1]
        assert model.kinds == ["session.update"]
        s.dialer.listeners[-1].leg_progressed(183, True)
        assert (call.rang, call.early_media) == (True, True)
        leg = s.dialer.answer(FakeLeg(facts=DIALLED, media=FakeMedia("pcma")))
        assert await call.answered()
        await eventually(lambda: "response.create" in model.kinds)
        assert ("adopt_encoding", "pcmu") in leg.did
        assert leg.media.sink is call.line.line
        assert (call.facts, call.leg) == (DIALLED, leg)
        leg.listener.leg_ended("remote", "", 0)
        assert await call.finished() is cause.CALLEE_HUNG_UP
        assert s.watcher.finished == [("answered", "callee_hung_up")]
        assert s.reported == [call]
        assert call.agent_name == "bot"
        assert call.direction == "outbound"
        assert call.setup_s == 0.0


class Follower:
    """Notes how the dialling goes."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.heard: list[bytes] = []

    def call_rings(self) -> None:
        self.told.append("rings")

    def early_media_began(self) -> None:
        self.told.append("early media")

    def hear_early_media(self, frame: bytes, now: float) -> None:
        self.heard.append(frame)


FRAMES = [bytes([number]) * 160 for number in range(1, 4)]


def exchange(leg: FakeLeg, frame: bytes) -> bytes | None:
    """Pass one ptime, as the leg's media does; returns what we say in it."""
    assert leg.media.sink is not None
    leg.media.sink.hear(frame, 0.0)
    return leg.media.sink.speak(0.0)


async def test_early_media_is_recorded_and_heard_and_not_answered() -> None:
    recording, follower = FakeRecorder(), Follower()
    async with scene(open_recorder=lambda *_: recording) as s:
        call = s.originator.place(REQUEST, "bot", follower)
        await eventually(lambda: s.dialer.pending)
        model = s.connector.opened[-1]
        first = s.dialer.ring()
        assert first.did == [("adopt_encoding", "pcmu")]
        s.dialer.listeners[-1].leg_progressed(180)
        assert first.media.sink is None
        s.dialer.listeners[-1].leg_progressed(183, True)
        s.dialer.listeners[-1].leg_progressed(180, True)
        assert follower.told == ["rings", "early media"]
        assert exchange(first, FRAMES[0]) is None
        assert len(s.watcher.legs) == 1
        # The trunk gives way to another one, whose early media goes on in the same recording.
        second = s.dialer.ring()
        s.dialer.listeners[-1].leg_progressed(183, True)
        assert second.media.sink is first.media.sink
        assert exchange(second, FRAMES[1]) is None
        assert len(s.watcher.legs) == 1
        assert model.audio == []
        assert call.line.recording.path
        s.dialer.answer(second)
        assert call.line.opened.partner is None
        assert exchange(second, FRAMES[2]) is None
        assert await call.answered()
        await eventually(lambda: call.line.opened.partner)
        assert second.media.sink is call.line.line
        call.cancel()
        await call.finished()
    assert recording.pushed == [(frame, None) for frame in FRAMES]
    assert recording.closed
    assert follower.heard == FRAMES[:2]


async def test_a_call_that_fails_after_early_media_leaves_its_recording() -> None:
    recording = FakeRecorder()
    async with scene(open_recorder=lambda *_: recording) as s:
        call = await s.ringing()
        leg = s.dialer.ring()
        s.dialer.listeners[-1].leg_progressed(183, True)
        exchange(leg, FRAMES[0])
        s.dialer.fail("not_found", 404)
        assert await call.finished() == cause.CALLEE_NOT_FOUND
        assert call.early_media
        # What comes late opens nothing again.
        call.leg_progressed(183, True)
        assert recording.closed
        assert recording.pushed == [(FRAMES[0], None)]
        assert call.line.recording.path


async def test_early_media_of_another_ptime_is_not_heard() -> None:
    async with scene(outbound_line=lambda request: OutboundLine(ptime_ms=30)) as s:
        call = await s.ringing()
        leg = s.dialer.ring()
        s.dialer.listeners[-1].leg_progressed(183, True)
        assert call.early_media
        assert leg.media.sink is None
        s.dialer.fail("busy", 486)
        await call.finished()


async def test_a_watcher_that_fails_ends_its_call_alone() -> None:
    class Broken(Follower):
        def call_rings(self) -> None:
            raise RuntimeError("a fault of the watcher")

    async with scene() as s:
        call = s.originator.place(REQUEST, "bot", Broken())
        await eventually(lambda: s.dialer.pending)
        s.dialer.listeners[-1].leg_progressed(180)
        assert await call.finished() is cause.INTERNAL_ERROR


@pytest.mark.parametrize(
    ("outcome", "status", "finished"),
    [
        ("busy", 486, ("unanswered", "callee_busy")),
        ("no_answer", 0, ("unanswered", "no_answer")),
        ("rejected", 603, ("unanswered", "callee_rejected")),
        ("not_found", 404, ("unanswered", "callee_not_found")),
        ("unreachable", 0, ("failed", "unreachable")),
        ("failed", 500, ("failed", "dial_failed")),
    ],
)
async def test_why_nobody_answered(outcome: Any, status: int, finished: tuple[str, str]) -> None:
    async with scene() as s:
        call = await s.ringing()
        # One trunk gave way to another meanwhile.
        s.dialer.listeners[-1].leg_ended("remote", "", 503)
        s.dialer.fail(outcome, status)
        assert not await call.answered()
        ending = await call.finished()
        assert s.watcher.finished == [finished]
        assert call.failure is not None
        assert ending.status == status or not status
        assert s.connector.opened[-1].closed


async def test_a_call_that_is_cancelled_while_it_rings() -> None:
    async with scene() as s:
        call = await s.ringing()
        call.cancel()
        assert await call.finished() is cause.DIAL_CANCELLED
        assert s.dialer.cancelled == 1
        assert s.watcher.finished == [("cancelled", "dial_cancelled")]


async def test_a_call_that_is_hung_up_by_its_operator() -> None:
    async with scene() as s:
        call = await s.ringing()
        leg = s.dialer.answer()
        assert await call.answered()
        call.cancel()
        assert await call.finished() is cause.OPERATOR_HUNG_UP
        assert ("hangup", "operator_hung_up") in leg.did


async def test_nobody_is_rung_without_a_model() -> None:
    async with scene(connector=FakeConnector(ModelUnavailable("down"))) as s:
        call = s.place()
        assert await call.finished() is cause.MODEL_UNAVAILABLE
        assert s.dialer.requests == []


async def test_a_model_that_is_lost_stops_the_ringing() -> None:
    async with scene(agents={"bot": agent(reconnect_attempts=0)}) as s:
        call = await s.ringing()
        s.connector.opened[-1].on_closed(1006, "")
        assert await call.finished() is cause.MODEL_LOST
        assert s.dialer.cancelled == 1


async def test_a_callee_who_hangs_up_as_they_answer() -> None:
    async with scene() as s:
        call = await s.ringing()
        leg = s.dialer.answer()
        leg.listener.leg_ended("remote", "", 0)
        assert await call.finished() is cause.CALLEE_HUNG_UP
        assert call.result == "answered"


async def test_a_call_that_ends_in_the_breath_of_its_answer_leaves_no_leg() -> None:
    async with scene() as s:
        call = await s.ringing()
        s.dialer.answer()
        call.cancel()
        await call.finished()


async def test_media_of_another_ptime_ends_the_call() -> None:
    async with scene(outbound_line=lambda request: OutboundLine(ptime_ms=30)) as s:
        call = await s.ringing()
        leg = s.dialer.answer()
        assert await call.finished() is cause.MEDIA_NOT_ACCEPTABLE
        assert leg.gone


async def test_placed_calls_count_as_calls() -> None:
    async with scene(max_calls=1) as s:
        await s.ringing()
        with pytest.raises(CannotPlace) as caught:
            s.place()
        assert caught.value.ending is cause.NO_CAPACITY
        refused = FakeLeg()
        s.reception.incoming(refused)
        assert refused.did[0] == ("reject", 503, "", 5)


async def test_draining_places_no_calls_and_waits_for_those_there_are() -> None:
    async with scene() as s:
        call = await s.ringing()
        draining = asyncio.ensure_future(s.reception.drain(60.0))
        await asyncio.sleep(0)
        with pytest.raises(CannotPlace):
            s.place()
        assert not draining.done()
        s.dialer.fail("busy", 486)
        assert await draining
        assert call.ending is not None


async def test_nothing_is_placed_without_trunks_or_by_nobody() -> None:
    async with scene(dialer=None) as s:
        with pytest.raises(CannotPlace) as caught:
            s.place()
        assert caught.value.ending is cause.UNREACHABLE
        with pytest.raises(KeyError):
            s.originator.place(REQUEST, "nobody")


async def test_what_is_left_ends_with_the_reception() -> None:
    async with scene() as s:
        call = await s.ringing()
    assert call.ending is cause.DRAIN_DEADLINE
