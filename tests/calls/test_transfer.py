from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from telephony.audio.tones import tone
from telephony.audio.wav import write_wav
from telephony.base.errors import LocalProtocolError
from telephony.calls import call as call_module
from telephony.calls import cause
from telephony.calls import transfer as transfer_module
from telephony.calls.call_line import Absent
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.services import CallLimits
from telephony.dialplan.actions import Action, Answer, ConnectModel, Hangup, Transfer
from tests.support.eventually import eventually
from tests.support.transfers import ATTENDED, Scene

BLIND = Destination("+15550111")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "WATCH_INTERVAL_S", 0.001)
    monkeypatch.setattr(call_module, "HEARD_TAIL_S", 0.0)
    monkeypatch.setattr(transfer_module, "PEER_HANGUP_S", 0.0)


@asynccontextmanager
async def scene(*actions: Action, **changes: Any) -> AsyncIterator[Scene]:
    """Run a call; nothing of it is left afterwards."""
    s = Scene(*(actions or (ConnectModel("bot"),)), **changes)
    yield s
    s.call.end(cause.DRAIN_DEADLINE)
    await s.running
    assert s.call.leg.did[-1] == "close"
    assert all(leg.gone for leg in s.dialer.answered)
    assert not s.dialer.pending
    assert s.watcher.legs == []


async def test_a_blind_transfer_that_succeeds_ends_the_call() -> None:
    async with scene() as s:
        await s.talk()
        transfer = s.transfer(BLIND)
        await eventually(lambda: s.leg.referred)
        assert ("transfer", "+15550111", None) in s.leg.did
        s.call.transfer_progressed(180, "Ringing")
        s.call.transfer_finished(200, "OK")
        assert (await transfer).succeeded
        await s.running
        assert s.call.ending is cause.TRANSFERRED
        assert ("hangup", "transferred") in s.leg.did
        assert s.outcomes == ["transferred"]


async def test_a_caller_who_hangs_up_after_it_was_transferred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer_module, "PEER_HANGUP_S", 3600.0)
    async with scene() as s:
        await s.talk()
        transfer = s.transfer(BLIND)
        await eventually(lambda: s.leg.referred)
        s.call.transfer_finished(202, "Accepted")
        await transfer
        s.call.leg_ended("remote", "", 0)
        await s.running
        assert s.call.ending is cause.TRANSFERRED


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(486, "busy"), (480, "no_answer"), (603, "rejected"), (404, "not_found"), (500, "failed")],
)
async def test_a_transfer_that_fails_gives_the_caller_back(status: int, outcome: str) -> None:
    async with scene() as s:
        bridge = await s.talk()
        transfer = s.transfer(BLIND)
        await eventually(lambda: s.leg.referred)
        line = s.call.line.opened
        assert isinstance(line.partner, Absent)
        assert line.speak(0.0) is None
        line.hear(b"\x00" * 160, 0.0)
        s.call.transfer_finished(status, "why")
        assert await transfer == TransferResult(outcome, status, "why")  # type: ignore[arg-type]
        assert line.partner is bridge
        assert s.call.ending is None


@pytest.mark.parametrize("status", [405, 501, 603])
async def test_a_caller_whose_side_does_not_transfer_stays(status: int) -> None:
    async with scene() as s:
        bridge = await s.talk()
        transfer = s.transfer(BLIND)
        await eventually(lambda: s.leg.referred)
        s.call.transfer_finished(status, "why", refused=True)
        assert await transfer == TransferResult("not_taken", status, "why")
        assert s.call.line.opened.partner is bridge
        assert s.outcomes == ["not_taken"]


async def test_a_transfer_has_a_limit_and_may_succeed_after_it() -> None:
    async with scene() as s:
        bridge = await s.talk()
        result = await s.call.transfer(Destination("+15550111", timeout_s=0.0))
        assert result.outcome == "no_answer"
        assert s.call.line.opened.partner is bridge
        assert (await s.call.transfer(BLIND)).reason == "another transfer is under way"
        s.call.transfer_finished(200, "OK")
        await s.running
        assert s.call.ending is cause.TRANSFERRED


async def test_a_late_failure_makes_room_for_another_try() -> None:
    async with scene() as s:
        await s.talk()
        await s.call.transfer(Destination("+15550111", timeout_s=0.0))
        s.call.transfer_finished(408, "")
        again = s.transfer(BLIND)
        await eventually(lambda: len([d for d in s.leg.did if d[0] == "transfer"]) == 2)
        s.call.transfer_finished(486, "")
        assert (await again).outcome == "busy"


async def test_a_leg_that_cannot_refer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise LocalProtocolError("a REFER is under way")

    async with scene() as s:
        await s.talk()
        monkeypatch.setattr(s.leg, "transfer", refuses)
        assert (await s.call.transfer(BLIND)).outcome == "failed"
        assert not s.call.transfers.refer_open


async def test_the_media_watchdog_sleeps_while_the_caller_is_on_the_way() -> None:
    async with scene(limits=CallLimits(media_timeout_s=10.0)) as s:
        await s.talk()
        transfer = s.transfer(BLIND)
        await eventually(lambda: s.leg.referred)
        s.call.leg_held(True)
        s.call.leg_held(False)
        s.clock.now += 60.0
        await asyncio.sleep(0.01)
        assert s.call.ending is None
        s.call.transfer_finished(486, "")
        await transfer
        s.clock.now += 9.0
        await asyncio.sleep(0.01)
        assert s.call.ending is None
        s.clock.now += 1.0
        await s.running
        assert s.call.ending is cause.MEDIA_TIMEOUT


async def test_an_attended_transfer_replaces_the_leg_that_was_dialled() -> None:
    async with scene() as s:
        transfer, other = await s.consult()
        [request] = s.dialer.requests
        assert (request.target, request.trunks) == ("+15550111", ("carrier",))
        assert request.ring_timeout_s == 20.0
        assert ("transfer", "", other) in s.leg.did
        assert not other.gone
        s.call.transfer_finished(200, "OK")
        await transfer
        assert other.gone
        assert ("hangup", "transferred") in other.did
        await s.running
        assert s.call.ending is cause.TRANSFERRED


@pytest.mark.parametrize("outcome", ["busy", "no_answer", "rejected", "unreachable"])
async def test_nobody_to_talk_to(outcome: Any) -> None:
    async with scene() as s:
        bridge = await s.talk()
        transfer = s.transfer(ATTENDED)
        await eventually(lambda: s.dialer.pending)
        # The bot stays with the caller meanwhile.
        s.dialer.listeners[-1].leg_progressed(180)
        assert s.call.line.opened.partner is bridge
        s.dialer.fail(outcome, 486)
        assert (await transfer).outcome == outcome
        assert not s.leg.referred


async def test_without_trunks_there_is_no_attended_transfer() -> None:
    async with scene(dialer=None) as s:
        await s.talk()
        assert (await s.call.transfer(ATTENDED)).outcome == "unreachable"


async def test_an_attended_transfer_is_given_up_while_it_rings() -> None:
    async with scene() as s:
        partner = await s.talk()
        assert not s.call.transfers.give_up()
        transfer = s.transfer(ATTENDED)
        await eventually(lambda: s.dialer.pending)
        assert s.call.transfers.give_up()
        assert (await transfer).outcome == "cancelled"
        assert s.dialer.cancelled == 1
        assert s.call.line.opened.partner is partner
        assert not s.leg.referred
        # It may be tried again.
        again, other = await s.consult()
        assert not s.call.transfers.give_up(), "the caller is on the way"
        s.call.transfer_finished(486, "Busy Here")
        assert (await again).outcome == "busy"
        assert other.gone
        assert s.outcomes == ["cancelled", "busy"]


async def test_a_transfer_given_up_in_the_breath_of_its_answer_leaves_no_leg() -> None:
    async with scene() as s:
        await s.talk()
        transfer = s.transfer(ATTENDED)
        await eventually(lambda: s.dialer.pending)
        other = s.dialer.answer()
        assert s.call.transfers.give_up()
        assert (await transfer).outcome == "cancelled"
        assert other.gone
        assert not s.leg.referred


async def test_a_transfer_given_up_before_anybody_was_called() -> None:
    async with scene() as s:
        await s.talk()
        transfer = s.transfer(ATTENDED)
        await eventually(s.call.transfers.give_up)
        assert (await transfer).outcome == "cancelled"
        assert not s.leg.referred


async def test_a_blind_transfer_is_not_given_up() -> None:
    async with scene() as s:
        await s.talk()
        transfer = s.transfer(BLIND)
        await eventually(lambda: s.leg.referred)
        assert not s.call.transfers.give_up()
        s.call.transfer_finished(486, "Busy Here")
        await transfer


async def test_a_refused_refer_gives_the_caller_back_and_lets_the_other_go() -> None:
    async with scene() as s:
        transfer, other = await s.consult()
        s.call.transfer_finished(603, "Decline", refused=True)
        assert await transfer == TransferResult("not_taken", 603, "Decline")
        assert s.outcomes == ["not_taken"]
        assert ("hangup", "transfer_failed") in other.did
        assert other.gone
        assert s.call.ending is None


async def test_whoever_answers_hears_the_prompt_first() -> None:
    destination = Destination("+15550111", "attended", play="apology")
    async with scene() as s:
        await s.talk()
        transfer = s.transfer(destination)
        await eventually(lambda: s.dialer.pending)
        other = s.dialer.answer()
        await eventually(lambda: other.media.sink)
        await asyncio.sleep(0.02)
        assert not s.leg.referred
        assert other.media.sink is not None
        spoken = 0
        while other.media.sink.speak(0.0) is not None:
            spoken += 1
        assert spoken > 50
        await eventually(lambda: s.leg.referred)
        s.call.transfer_finished(200, "OK")
        await transfer


async def test_a_prompt_that_cannot_be_read_keeps_nobody_apart() -> None:
    async with scene() as s:
        await s.talk()
        s.transfer(Destination("+15550111", "attended", play="/nowhere.wav"))
        await eventually(lambda: s.dialer.pending)
        s.dialer.answer()
        await eventually(lambda: s.leg.referred)


async def test_whoever_answers_may_hang_up_before_the_caller_comes() -> None:
    destination = Destination("+15550111", "attended", play="apology")
    async with scene() as s:
        await s.talk()
        transfer = s.transfer(destination)
        await eventually(lambda: s.dialer.pending)
        other = s.dialer.answer()
        await eventually(lambda: other.media.sink)
        s.dialer.listeners[-1].leg_ended("remote", "", 0)
        assert (await transfer).outcome == "rejected"
        assert not s.leg.referred


async def test_a_peer_that_leaves_without_a_word_was_transferred() -> None:
    async with scene() as s:
        await s.consult()
        s.dialer.listeners[-1].leg_ended("remote", "", 0)
        s.call.leg_ended("remote", "", 0)
        await s.running
        assert s.call.ending is cause.TRANSFERRED


async def test_a_caller_who_hangs_up_while_it_rings_cancels_it() -> None:
    async with scene(Transfer("+15550111", "attended")) as s:
        await eventually(lambda: s.dialer.pending)
        s.call.leg_ended("remote", "", 0)
        await s.running
        assert s.call.ending is cause.CALLER_HUNG_UP
        assert s.dialer.cancelled == 1
        assert s.outcomes == ["abandoned"]


async def test_the_actions_after_a_failed_transfer_go_on() -> None:
    async with scene(Transfer("1", "attended"), Transfer("2"), Hangup()) as s:
        await eventually(lambda: s.dialer.pending)
        assert s.leg.did[:2] == ["prepare", "answer"]
        # The caller has nobody to talk to, and hears it ring.
        line = s.call.line.opened
        assert line.speak(0.0) is None
        s.dialer.listeners[-1].leg_progressed(180)
        assert line.speak(0.0) is not None
        s.dialer.fail("busy", 486)
        await eventually(lambda: s.leg.referred)
        assert line.speak(0.0) is None
        s.call.transfer_finished(486, "Busy Here")
        await s.running
        assert s.call.ending is cause.DIALPLAN_HUNG_UP
        assert s.outcomes == ["busy", "busy"]


async def test_nothing_follows_a_transfer_that_succeeds() -> None:
    async with scene(Answer(), Transfer("1"), Hangup()) as s:
        await eventually(lambda: s.leg.referred)
        s.call.transfer_finished(200, "OK")
        await s.running
        assert s.call.ending is cause.TRANSFERRED


@pytest.mark.parametrize("ending", [cause.MODEL_LOST, cause.SPEND_LIMIT])
async def test_a_model_that_is_lost_does_not_take_the_way_out_with_it(ending: cause.Ending) -> None:
    async with scene() as s:
        transfer, _ = await s.consult()
        assert s.call.conversation is not None
        s.call.conversation.end(ending)
        await asyncio.sleep(0.01)
        assert s.call.ending is None
        s.call.transfer_finished(200, "OK")
        await transfer
        await s.running
        assert s.call.ending is cause.TRANSFERRED


async def test_an_end_that_nobody_asked_about_is_nothing() -> None:
    async with scene() as s:
        await s.talk()
        s.call.transfer_finished(200, "OK")
        assert not s.call.transfers.succeeded


@pytest.mark.parametrize("mode", ["blind", "attended"])
async def test_who_waits_hears_music_until_it_is_over(mode: Any) -> None:
    prompts = PromptAudio(lambda path: write_wav(tone((440.0,), 1000), 8000))
    async with scene(Answer(), ConnectModel("bot"), prompts=prompts) as s:
        await s.talk()
        line = s.call.line.opened
        destination = Destination("+15550111", mode, hold_music="music.wav")
        transfer = s.transfer(destination)
        await eventually(lambda: line.filled)
        assert line.speak(0.0) is not None
        if mode == "attended":
            await eventually(lambda: s.dialer.pending)
            s.dialer.fail("busy", 486)
        else:
            await eventually(lambda: s.leg.referred)
            assert line.speak(0.02) is not None
            s.call.transfer_finished(486, "Busy")
        assert (await transfer).outcome == "busy"
        assert not line.filled
