"""Whole calls whose model refuses, is slow, drops out, comes back or stays away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.calls import turn_taking
from telephony.calls.keypad import KeypadConfig
from telephony.realtime import responses
from telephony.rehearsal import model_session
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.client_events import ResponseCreate
from telephony.rehearsal.faults import ConnectionFaults
from tests.support.eventually import eventually
from tests.support.phones import Phones
from tests.support.scenes import (
    PATIENCE_S,
    YES,
    clean_phones,
    items,
    script,
    speech,
    texts,
    until_silent,
)

SHORT = "  - {when: greeting, say: you_said}\n  - {when: any, say: you_said}\n"
FAST = {"reconnect_initial_s": 0.02, "reconnect_maximum_s": 0.05, "reconnect_attempts": 2}
SLOW = FAST | {"reconnect_initial_s": 2.0, "reconnect_maximum_s": 2.0}


def no_more_connections(p: Phones) -> None:
    p.model.faults = ConnectionFaults(refuse_status=503)


async def refused(p: Phones) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await p.dial()
    return caught.value


@pytest.mark.parametrize("faults", ["{refuse_status: 503}", "{refuse_status: 401}"])
async def test_a_model_that_refuses_the_handshake_is_a_503(faults: str) -> None:
    seen: list[bytes] = []
    async with clean_phones(scenario=script(SHORT, faults=faults)) as p:
        p.bot.endpoint.trace = lambda way, data, flow, now: seen.append(data)
        assert (await refused(p)).status == 503
        assert p.model.handshakes == 1
    answers = [data for data in seen if data.startswith(b"SIP/2.0")]
    assert any(b"\r\nRetry-After: 5\r\n" in data for data in answers)
    assert not any(data.startswith(b"SIP/2.0 200") for data in answers)
    assert p.watcher.finished == [("failed", "model_unavailable")]


@pytest.mark.parametrize(
    "faults",
    ["{stall_after_ms: 0}", "{drop_after_ms: 0}", "{error: {code: invalid_model, close: true}}"],
)
async def test_a_model_that_does_not_get_ready_is_a_503(faults: str) -> None:
    async with clean_phones(scenario=script(SHORT, faults=faults), connect_timeout_s=0.3) as p:
        assert (await refused(p)).status == 503
    assert p.watcher.finished == [("failed", "model_unavailable")]


async def test_a_model_that_is_not_there_is_a_503() -> None:
    async with clean_phones(base_url="http://127.0.0.1:9/v1") as p:
        assert (await refused(p)).status == 503


async def test_a_caller_who_gives_up_while_the_model_connects() -> None:
    async with clean_phones(scenario=script(SHORT, faults="{stall_after_ms: 0}")) as p:
        caller = p.caller()
        dialling = asyncio.create_task(
            caller.dial(f"sip:bot@127.0.0.1:{p.port}", "sip:+15550199@127.0.0.1")
        )
        await eventually(lambda: 180 in caller.record.statuses and p.model.connections)
        await caller.hang_up()
        with pytest.raises(CallFailed) as caught:
            await dialling
        assert caught.value.status == 487
    assert p.watcher.finished == [("cancelled", "caller_cancelled")]


async def test_the_conversation_goes_on_after_a_reconnect() -> None:
    remembers = script(
        """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: you_said}
  - {when: {turn: 2}, say: tool_done}
""",
    )
    async with clean_phones(scenario=remembers, keypad=KeypadConfig(inter_digit_ms=0), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.press("1")
        await until_silent(caller)
        for connection in list(p.model.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        assert len(p.model.sessions) == 2
        # Only a model that was told of the first turn knows that this is the second.
        assert texts(p)[-1] == "Done, that is taken care of."
        assert [item.role for item in items(p)] == [
            "assistant",
            "user",
            "assistant",
            "user",
            "assistant",
        ]
        await caller.hang_up()
    assert p.watcher.reconnects == ["restored"]


async def test_what_the_caller_says_during_a_reconnect_is_heard() -> None:
    async with clean_phones(
        scenario=script(SHORT, ears=True),
        **SLOW,
    ) as p:
        caller = await p.dial()
        await until_silent(caller)
        for connection in list(p.model.connections):
            connection.abort()
        await caller.say(speech("caller_question"))
        await until_silent(caller)
        assert "What are your opening hours this week?" in texts(p)
        assert [item.role for item in items(p)] == ["assistant", "user", "assistant"]
        await caller.hang_up()


async def test_a_greeting_lost_with_its_connection_is_said_again() -> None:
    lost = script("  - when: greeting\n    say: you_said\n    faults: {first_delta_ms: 600000}\n")
    async with clean_phones(scenario=lost, **FAST) as p:
        caller = await p.dial()
        call = p.present_call()
        await eventually(lambda: call.conversation.dialect.active_response_id)
        p.model.scenario = script(SHORT)
        for connection in list(p.model.connections):
            connection.abort()
        await until_silent(caller)
        assert [item.text for item in items(p)] == ["You said:"]
        await caller.hang_up()


async def test_a_model_lost_in_an_answer_is_asked_for_another() -> None:
    drops = script(
        """\
  - {when: greeting, say: you_said}
  - when: {turn: 1}
    say: [opening_hours, weekend_hours]
    faults: {drop_after_ms: 60}
  - {when: any, say: you_said}
"""
    )
    async with clean_phones(scenario=drops, **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await eventually(lambda: p.watcher.reconnects)
        await until_silent(caller, 0.6)
        # What had come before the loss was heard, and then the answer was given anew.
        assert [item.role for item in items(p)][-2:] == ["assistant", "assistant"]
        await caller.hang_up()


async def test_a_model_lost_for_good_is_apologised_for() -> None:
    async with clean_phones(scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        no_more_connections(p)
        for connection in list(p.model.connections):
            connection.abort()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        assert await caller.wait_until_ended(PATIENCE_S)
        assert p.model.handshakes == 3
    assert caller.record.ended_by == "remote"
    spurts = caller.record.talkspurts[1:]
    assert 3.0 < spurts[-1].ended_at - spurts[0].started_at < 6.0
    assert p.watcher.reconnects == ["lost"]
    assert p.watcher.finished == [("answered", "model_lost")]


async def test_a_caller_may_hang_up_during_the_apology() -> None:
    async with clean_phones(scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        no_more_connections(p)
        for connection in list(p.model.connections):
            connection.abort()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await caller.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]


async def test_an_empty_account_is_not_asked_again() -> None:
    empty = script(
        "  - when: greeting\n    say: you_said\n"
        "    faults: {error: {type: insufficient_quota, code: insufficient_quota}}\n"
    )
    async with clean_phones(scenario=empty, **FAST) as p:
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await caller.hang_up()
        assert p.model.handshakes == 1
    assert p.watcher.reconnects == ["lost"]


async def test_connections_that_drop_at_once_are_not_tried_for_ever() -> None:
    async with clean_phones(scenario=script(SHORT, faults="{drop_after_ms: 300}"), **FAST) as p:
        caller = await p.dial()
        await eventually(lambda: len(p.watcher.reconnects) == 3)
        await caller.hang_up()
        assert p.model.handshakes == 3
    assert p.watcher.reconnects == ["restored", "restored", "lost"]


async def test_a_session_near_its_limit_is_renewed_in_a_pause() -> None:
    async with clean_phones(scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        conversation = p.present_call().conversation
        conversation.session_expiring(None)
        await eventually(lambda: len(p.model.sessions) == 2)
        assert not p.watcher.reconnects
        await until_silent(caller)
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        assert [item.role for item in items(p)] == ["assistant", "user", "assistant"]
        await caller.hang_up()
    assert p.watcher.reconnects == ["rolled_over"]


def mute_sessions(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let the first so many sessions that are asked to speak say nothing more for ever."""
    answer = model_session._COMMANDS[ResponseCreate]
    asked: list[object] = []

    def stay_mute(session: Any, event: Any, now: float) -> None:
        asked.append(session)
        if len(asked) <= count:
            session._stall(now)
        else:
            answer(session, event, now)

    monkeypatch.setitem(model_session._COMMANDS, ResponseCreate, stay_mute)
    monkeypatch.setattr(responses, "CREATED_TIMEOUT_S", 0.3)


async def test_a_model_that_is_mute_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    mute_sessions(monkeypatch, 1)
    async with clean_phones(scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        assert p.model.handshakes == 2
        await caller.hang_up()
    assert p.watcher.reconnects == ["restored"]


async def test_a_caller_is_not_left_with_models_that_are_mute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mute_sessions(monkeypatch, 10)
    async with clean_phones(scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S), "an apology"
        assert await caller.wait_until_ended(PATIENCE_S)
        assert p.model.handshakes == 2
    assert p.watcher.finished == [("answered", "model_lost")]


async def test_a_model_that_goes_mute_after_the_greeting_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(responses, "CREATED_TIMEOUT_S", 0.3)
    monkeypatch.setattr(turn_taking, "ANSWER_LIMIT_S", 0.3)
    async with clean_phones(scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        for session in p.model.sessions:
            session._stall(0.0)
        await caller.say(YES)
        await until_silent(caller)
        assert p.model.handshakes == 2
        await caller.hang_up()
    assert p.watcher.reconnects == ["restored"]
