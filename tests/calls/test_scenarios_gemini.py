"""Whole calls over SIP and RTP with Gemini Live at the far end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from telephony.calls.model_source import ModelSource
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.tools import ToolRegistry
from telephony.rehearsal import model_server
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.support.eventually import eventually
from tests.support.model_phones import model_phones
from tests.support.phones import Phones
from tests.support.scenes import PATIENCE_S, YES, script, speech, until_silent

SHORT = "  - {when: greeting, say: you_said}\n  - {when: any, say: you_said}\n"
FAST = {"reconnect_initial_s": 0.02, "reconnect_maximum_s": 0.05, "reconnect_attempts": 2}
PROMPTS = shipped_prompts()


def said(p: Phones) -> list[tuple[str, str]]:
    """Return what the model believes was spoken or written."""
    entries = p.model.sessions[-1].conversation
    return [(e.role, e.text) for e in entries if e.kind in ("speech", "text")]


def dialect(p: Phones) -> Any:
    conversation = p.calls[0].conversation
    assert conversation is not None
    return conversation.dialect


@pytest.mark.parametrize("session", [{}, {"turn_detection": None}])
async def test_caller_and_bot_talk(session: dict[str, Any]) -> None:
    """With and without the model's own detection of turns."""
    hours = script(
        "  - {when: greeting, say: you_said}\n"
        "  - {when: {heard: opening hours}, say: short_answer}\n",
        ears=True,
    )
    async with model_phones("gemini_live", scenario=hours, session=session) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(speech("caller_question"))
        await until_silent(caller)
        await caller.hang_up()
    question, answer = PROMPTS["caller_question"].text, PROMPTS["short_answer"].text
    assert said(p)[-2:] == [("user", question), ("model", answer)]
    assert ("user", question) in p.watcher.transcripts
    assert p.watcher.transcripts[-1] == ("assistant", answer)
    assert p.watcher.finished == [("answered", "caller_hung_up")]
    (latency,) = p.watcher.latencies
    assert 0 < latency.caller_to_model_s <= latency.total_s
    stats = dialect(p).stats
    assert (stats.malformed, stats.unknown, stats.bad_audio) == (0, 0, 0)


@pytest.mark.parametrize("session", [{}, {"turn_detection": None}])
async def test_a_barge_in(session: dict[str, Any]) -> None:
    long_answer = script(
        "  - {when: greeting, say: you_said}\n"
        "  - {when: {turn: 1}, say: [opening_hours, weekend_hours]}\n"
        "  - {when: any, say: you_said}\n"
    )
    async with model_phones("gemini_live", scenario=long_answer, session=session) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.7)
        await caller.say(YES)
        await until_silent(caller)
        spoken = [e for e in p.model.sessions[-1].conversation if e.role == "model"]
        _, cut_off, _ = spoken
        assert [entry.cut for entry in spoken] == [False, True, False]
        kept = p.present_call().conversation.dialect.history
        heard = [item for item in kept if item.role == "assistant"][1]
        assert heard.heard_ms is not None
        assert heard.heard_text
        assert cut_off.text.startswith(heard.heard_text[:20])
        # Two clocks: the server's estimate of the playout, and playout itself.
        assert abs(heard.heard_ms - cut_off.audio_ms) < 400
        await caller.hang_up()
    assert len(p.watcher.barge_ins) == 1
    assert p.watcher.barge_ins[0][1] < 0.5


async def test_a_tool_and_the_hangup() -> None:
    asked: list[int] = []

    def book(seats: int) -> str:
        """Books a table."""
        asked.append(seats)
        return "booked"

    tools = script(
        "  - {when: greeting, say: you_said, call: {name: book, arguments: {seats: 4}}}\n"
        "  - {when: {tool: book}, say: you_said}\n"
        "  - {when: speech, say: you_said, call: {name: hangup}}\n"
    )
    async with model_phones("gemini_live", scenario=tools, tools=ToolRegistry([book])) as p:
        caller = await p.dial()
        await eventually(lambda: len([s for s in said(p) if s[0] == "model"]) == 2)
        await until_silent(caller, 0.6)
        await caller.say(YES)
        assert await caller.wait_until_ended(PATIENCE_S)
    assert asked == [4]
    assert p.watcher.finished == [("answered", "bot_hung_up")]


async def test_a_tool_that_the_model_waits_for() -> None:
    def book(seats: int) -> str:
        """Books a table."""
        return "booked"

    tools = script(
        "  - {when: greeting, call: {name: book, arguments: {seats: 4}}}\n"
        "  - {when: {tool: book}, say: you_said}\n"
    )
    session = {"functions": "blocking"}
    options: dict[str, Any] = {"session": session, "tools": ToolRegistry([book])}
    async with model_phones("gemini_live", scenario=tools, **options) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.hang_up()
    assert said(p)[-1] == ("model", PROMPTS["you_said"].text)


async def test_a_call_outlives_its_connections() -> None:
    scenario = script(SHORT).model_copy(update={"max_session_s": 3.0})
    async with model_phones("gemini_live", scenario=scenario, **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        await eventually(lambda: len(p.model.sessions) == 2)
        await eventually(lambda: p.watcher.reconnects)
        p.model.scenario = script(SHORT)
        await caller.say(YES)
        await until_silent(caller)
        assert p.model.sessions[-1].resumed
        roles = [role for role, _ in said(p)]
        assert roles == ["model", "user", "model"]
        await caller.hang_up()
    assert set(p.watcher.reconnects) == {"restored"}


async def test_a_dropped_connection_is_resumed() -> None:
    async with model_phones("gemini_live", scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        session = p.model.sessions[-1]
        await eventually(lambda: session._turn is None)
        for connection in list(p.model.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        assert p.model.sessions[-1].resumed
        assert [role for role, _ in said(p)] == ["model", "user", "model"]
        await caller.hang_up()
    assert p.watcher.reconnects == ["restored"]


async def test_without_resumption_the_conversation_is_told_again() -> None:
    session = {"session_resumption": False}
    async with model_phones("gemini_live", scenario=script(SHORT), session=session, **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        for connection in list(p.model.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        assert not p.model.sessions[-1].resumed
        assert said(p)[0] == ("model", PROMPTS["you_said"].text)
        await caller.hang_up()


async def test_a_handle_that_is_refused_costs_one_more_try() -> None:
    async with model_phones("gemini_live", scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        await eventually(lambda: p.model.sessions[-1]._turn is None)
        p.model._handles._kept.clear()
        for connection in list(p.model.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        assert not p.model.sessions[-1].resumed
        assert said(p)[0] == ("model", PROMPTS["you_said"].text)
        assert p.model.handshakes == 3
        await caller.hang_up()
    assert p.watcher.reconnects == ["restored"]


async def test_a_refusal_is_final() -> None:
    async with model_phones("gemini_live", scenario=script(SHORT), **FAST) as p:
        caller = await p.dial()
        await until_silent(caller)
        p.model.faults = ConnectionFaults.model_validate(
            {"close_code": 1008, "error": {"code": "PERMISSION_DENIED"}}
        )
        for connection in list(p.model.connections):
            connection.abort()
        assert await caller.wait_until_bot_speaks(PATIENCE_S), "an apology"
        await caller.hang_up()
        # The first may have been about the session that was to be resumed.
        assert p.model.handshakes == 3
    assert p.watcher.reconnects == ["lost"]


async def test_gemini_takes_over_from_a_model_that_is_gone_and_hands_back() -> None:
    """A conversation goes on with another model, told what was said so far."""
    async with AsyncExitStack() as stack:
        openai = await stack.enter_async_context(model_server.serve(scenario=script(SHORT)))
        other = ModelSource(OpenAIRealtimeModel(SessionConfig()), openai.base_url)
        options: dict[str, Any] = {"fallbacks": (other,), **FAST}
        p = await stack.enter_async_context(
            model_phones("gemini_live", scenario=script(SHORT), **options)
        )
        caller = await p.dial()
        await until_silent(caller)
        p.model.faults = ConnectionFaults(refuse_status=503)
        for connection in list(p.model.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        # Both sides of the conversation, as the other model knows it.
        roles = [item.role for item in openai.sessions[-1].conversation]
        assert roles == ["assistant", "user", "assistant"]
        p.model.faults = None
        for connection in list(openai.connections):
            connection.abort()
        openai.faults = ConnectionFaults(refuse_status=503)
        await eventually(lambda: len(p.watcher.reconnects) == 2)
        await caller.say(YES)
        await until_silent(caller)
        spoken = [text for role, text in said(p) if role == "model"]
        assert spoken == [PROMPTS["you_said"].text] * 3
        assert not p.model.sessions[-1].resumed
        await caller.hang_up()
    assert p.watcher.reconnects == ["failed_over", "failed_over"]
