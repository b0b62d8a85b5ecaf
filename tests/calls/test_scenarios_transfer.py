"""Whole calls over SIP and RTP that leave the bot, come back to it, or change hands."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from telephony.net.clock import monotonic
from telephony.rehearsal.caller import CallFailed, SipCaller
from telephony.sip.replaces import replaces_value
from tests.support.eventually import eventually
from tests.support.phones import Phones
from tests.support.scenes import PATIENCE_S, YES, clean_phones, script, until_silent

TALK = script("  - {when: greeting, say: you_said}\n  - {when: any, say: you_said}\n")


def plan(*actions: str) -> str:
    lines = "\n".join(f"        - {action}" for action in actions)
    return f"contexts:\n  main:\n    - name: everyone\n      do:\n{lines}\n"


class Follower(SipCaller):
    """A telephone that calls whom it is asked to call, and tells how that went."""

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        assert self._leg is not None
        self.target_uri = target_uri
        for status in (100, 180, 200):
            self._leg.answer_refer(status)


async def test_a_caller_is_transferred_and_nothing_is_left() -> None:
    async with clean_phones(dialplan=plan('transfer: "100"', "hangup")) as p:
        stack = p.caller_stack
        stack.policy = replace(stack.policy, may_refer=lambda facts, uri: True)
        caller = Follower(stack, monotonic)
        await caller.dial(f"sip:bot@127.0.0.1:{p.port}", "sip:+15550199@127.0.0.1")
        assert await caller.wait_until_ended(PATIENCE_S)
        assert caller.target_uri.startswith("sip:100@127.0.0.1")
    assert p.watcher.finished == [("answered", "transferred")]
    [record] = p.calls[0].transfers.records
    assert (record.to, record.outcome) == ("100", "transferred")


class Waiting(SipCaller):
    """A telephone that is asked to call somebody, and takes its time."""

    asked = False

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        assert self._leg is not None
        self.asked = True
        self._leg.answer_refer(100)

    def fail(self) -> None:
        assert self._leg is not None
        self._leg.answer_refer(486)


async def test_a_caller_who_waits_hears_music_until_the_transfer_has_failed() -> None:
    transfer = "transfer: {to: '100', hold_music: tone:ringback/de}"
    async with clean_phones(dialplan=plan(transfer, "play: tone:busy/us/0.4", "hangup")) as p:
        stack = p.caller_stack
        stack.policy = replace(stack.policy, may_refer=lambda facts, uri: True)
        caller = Waiting(stack, monotonic)
        await caller.dial(f"sip:bot@127.0.0.1:{p.port}", "sip:+15550199@127.0.0.1")
        await eventually(lambda: caller.asked)
        await asyncio.sleep(0.6)
        caller.fail()
        assert await caller.wait_until_ended(PATIENCE_S)
    heard = np.frombuffer(bytes(caller.record.heard), "<i2").astype(float)
    music, busy = loudest_hz(heard[2400:4000]), loudest_hz(heard[-4400:-2800])
    assert music == pytest.approx(425, abs=10)
    assert busy == pytest.approx(480, abs=10) or busy == pytest.approx(620, abs=10)
    assert p.watcher.finished == [("answered", "dialplan_hung_up")]


def loudest_hz(samples: npt.NDArray[np.float64]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * 8000 / len(samples)


async def test_a_refused_transfer_gives_the_caller_to_the_bot() -> None:
    dialplan = plan('transfer: "100"', "connect_model: bot")
    async with clean_phones(scenario=TALK, dialplan=dialplan) as p:
        caller = await p.dial()
        await until_silent(caller)
        assert p.present_call().transfers.records[0].outcome == "not_taken"
        await caller.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]


def replaces_of(p: Phones, caller: SipCaller) -> str:
    leg_id = caller._leg.leg_id  # type: ignore[union-attr]
    dialog = p.caller_stack.user_agent.legs[leg_id].dialog
    assert dialog is not None
    return replaces_value(dialog)


async def test_the_conversation_goes_on_with_whoever_takes_the_callers_place() -> None:
    async with clean_phones(scenario=TALK) as p:
        caller = await p.dial()
        await until_silent(caller)
        other = await p.dial(headers=[("Replaces", replaces_of(p, caller))])
        assert await caller.wait_until_ended(PATIENCE_S)
        assert caller.record.ended_by == "remote"
        await asyncio.sleep(0.1)
        await other.say(YES)
        await until_silent(other)
        call = p.present_call()
        assert call.moves.count == 1
        assert len(p.model.sessions) == 1
        await other.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]


async def test_an_announcement_is_heard_by_a_caller_who_is_not_answered() -> None:
    dialplan = plan("pre_answer", "play: apology", "reject: {status: 480}")
    async with clean_phones(dialplan=dialplan) as p:
        caller = p.caller()
        with pytest.raises(CallFailed, match="480"):
            await caller.dial(f"sip:bot@127.0.0.1:{p.port}", "sip:+15550199@127.0.0.1")
        assert 183 in caller.record.statuses
        assert caller.record.answered_at is None
    assert p.watcher.finished == [("rejected", "dialplan_rejected")]
    assert p.calls[0].leg.media.stats().packets_sent > 50
