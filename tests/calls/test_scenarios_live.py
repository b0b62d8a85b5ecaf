"""Whole calls over SIP, RTP and a WebSocket with OpenAI Live: full duplex."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from telephony.audio.format import L16_24K
from telephony.realtime.openai_live_config import LiveConfig
from telephony.rehearsal.caller import SipCaller
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.turns.policy import BargeInPolicy
from tests.support.eventually import eventually
from tests.support.live_phones import dialect_of, live_phones
from tests.support.phones import Phones
from tests.support.scenes import PATIENCE_S, YES, script, speech, until_silent

PROMPTS = shipped_prompts()
SHORT = "  - {when: greeting, say: you_said}\n  - {when: any, say: you_said}\n"
PAUSE_S = 1.0
"""Longer than any pause within what is said here."""

SERVER_ONLY = BargeInPolicy(mode="server")


async def hang_up(caller: SipCaller, p: Phones) -> None:
    await caller.hang_up()
    await eventually(lambda: p.watcher.finished)


def history_of(p: Phones) -> list[tuple[str, str]]:
    return [(item.role, item.heard_text) for item in dialect_of(p).history if item.text]


async def test_greeting_question_answer_and_goodbye() -> None:
    talk = script(
        "  - {when: greeting, say: you_said}\n  - {when: {heard: weekend}, say: short_answer}\n",
        ears=True,
    )
    async with live_phones(talk, barge_in=SERVER_ONLY) as (server, p):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(speech("caller_weekend"))
        await until_silent(caller)
        said = [
            ("assistant", "You said:"),
            ("user", "Are you also open on the weekend?"),
            ("assistant", "Yes, that is possible."),
        ]
        await eventually(lambda: p.watcher.transcripts == said)
        assert history_of(p) == said
        [session] = server.sessions
        assert session.settings is not None
        assert session.settings.audio is not None
        assert session.audio_format.encoding == "pcmu"
        assert [text for kind, text, _ in session.told if kind == "commentary"] == [
            "Speak to the caller now, as follows. Greet."
        ]
        assert len(p.watcher.latencies) == 1
        await caller.hang_up()
        # The session is closed, and not just left.
        await eventually(lambda: session.ending is not None)
        assert session.ending is not None
        assert session.ending.reason == "close_requested"
    assert p.watcher.finished == [("answered", "caller_hung_up")]
    assert p.watcher.barge_ins == []
    # Silence is not queued: what was heard began and ended with the words.
    greeting, *answer = caller.record.talkspurts
    for spurts, name in (([greeting], "you_said"), (answer, "short_answer")):
        length_s = PROMPTS[name].duration_ms / 1000
        assert abs(spurts[-1].ended_at - spurts[0].started_at - length_s) < 0.5


async def test_a_barge_in_of_ours_mutes_a_model_that_is_slow_to_stop() -> None:
    slow = script(
        "  - when: greeting\n    say: [opening_hours, weekend_hours]\n"
        "    faults: {late_deltas: 60}\n"
        "  - {when: any, say: short_answer}\n"
    )
    ours = BargeInPolicy(mode="local", false_interruption_ms=0)
    async with live_phones(slow, barge_in=ours) as (server, p):
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(1.2)
        await caller.say(YES)
        await until_silent(caller, PAUSE_S)
        [session] = server.sessions
        assert len(session.mouth.said) == 2
        first = session.mouth.said[0]
        assert first.cut
        # It went on for more than two seconds; the caller heard none of that.
        heard = caller.record.talkspurts[0]
        heard_ms = (heard.ended_at - heard.started_at) * 1000
        assert heard_ms < first.audio_ms - 1500
        [cut_off, *_] = [item for item in dialect_of(p).history if item.role == "assistant"]
        assert cut_off.heard_ms is not None
        assert abs(cut_off.heard_ms - heard_ms) < 250
        words = cut_off.heard_text
        assert words
        assert first.utterance.transcript.startswith(words)
        assert first.utterance.transcript_begun(heard_ms + 400).startswith(words)
        assert history_of(p)[-1] == ("assistant", "Yes, that is possible.")
        await hang_up(caller, p)
    assert [reason for reason, _ in p.watcher.barge_ins] == ["local_speech"]


async def test_a_model_that_is_left_to_itself_falls_silent_by_itself() -> None:
    long = script(
        "  - {when: greeting, say: [opening_hours, weekend_hours]}\n"
        "  - {when: any, say: short_answer}\n"
    )
    async with live_phones(long, barge_in=SERVER_ONLY) as (server, p):
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.8)
        await caller.say(YES)
        await eventually(lambda: len(p.watcher.transcripts) == 3)
        assert server.sessions[-1].mouth.said[0].cut
        assert dialect_of(p).stats.truncated == 0
        assert dialect_of(p).stats.fenced_deltas == 0
        await hang_up(caller, p)
    assert p.watcher.barge_ins == []


async def test_delegated_work_is_done_and_spoken_of_and_may_end_the_call() -> None:
    asked: list[list[dict[str, str]]] = []

    async def delegate(conversation: list[dict[str, str]], delegation_id: str) -> dict[str, Any]:
        """Do what the caller wants."""
        asked.append(conversation)
        await asyncio.sleep(0)
        if "goodbye" in conversation[-1]["text"]:
            return {"say": "", "calls": [{"name": "hangup", "arguments": {}}]}
        return {"say": f"Say: {PROMPTS['weekend_hours'].text}"}

    talk = script(
        "  - {when: greeting, say: you_said}\n"
        "  - {when: {heard: weekend}, call: {name: look_up}}\n"
        "  - {when: {heard: goodbye}, call: {name: look_up}}\n"
        "  - {when: nudge, say: goodbye}\n",
        ears=True,
    )
    async with live_phones(talk, barge_in=SERVER_ONLY, tools=[delegate]) as (server, p):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(speech("caller_weekend"))
        await until_silent(caller, PAUSE_S)
        assert asked[0][-1] == {"role": "user", "text": "Are you also open on the weekend?"}
        [session] = server.sessions
        assert [kind for kind, _, delegation in session.told if delegation] == ["commentary"]
        assert session.mouth.said[-1].text == PROMPTS["weekend_hours"].text
        await eventually(lambda: history_of(p)[-1] == ("assistant", session.mouth.said[-1].text))
        await caller.say(speech("caller_goodbye"))
        assert await caller.wait_until_ended(PATIENCE_S)
        assert session.mouth.said[-1].text == PROMPTS["goodbye"].text
        assert not session.mouth.said[-1].cut
    assert p.watcher.finished == [("answered", "bot_hung_up")]


async def test_a_backend_at_the_provider_calls_the_tools_of_the_agent() -> None:
    def opening_hours(day: str) -> str:
        """Tell the opening hours."""
        return f"{day}: nine to six"

    config = LiveConfig.from_mapping(
        {"delegation": {"type": "responses", "responses": {"model": "gpt-5.5"}}}
    )
    talk = script(
        "  - {when: greeting, say: you_said}\n"
        "  - when: speech\n"
        "    call: [{name: opening_hours, arguments: {day: monday}}, "
        "{name: opening_hours, arguments: {day: friday}}]\n"
        "  - {when: {tool: opening_hours}, say: tool_done}\n"
    )
    options: dict[str, Any] = {"session": config, "tools": [opening_hours]}
    async with live_phones(talk, barge_in=SERVER_ONLY, **options) as (server, p):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        [work] = server.sessions[-1].work.delegated
        assert list(work.outputs.values()) == ["monday: nine to six", "friday: nine to six"]
        assert server.sessions[-1].mouth.said[-1].text == PROMPTS["tool_done"].text
        await hang_up(caller, p)
    assert dialect_errors(p) == 0


def dialect_errors(p: Phones) -> int:
    conversation = p.calls[0].conversation
    assert conversation is not None
    return conversation.bridge.dialect.stats.errors


async def test_a_session_that_expires_is_followed_by_another_that_knows_what_was_said() -> None:
    talk = script(
        "  - {when: greeting, say: you_said}\n  - {when: any, say: short_answer}\n", ears=True
    )
    short = talk.model_copy(update={"max_session_s": 8.0})
    async with live_phones(short, barge_in=SERVER_ONLY) as (server, p):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(speech("caller_yes"))
        await until_silent(caller)
        await eventually(lambda: len(server.sessions) == 2)
        second = server.sessions[-1]
        await eventually(lambda: second.settings is not None)
        assert second.settings is not None
        before = [item.content[0].text for item in second.settings.input or ()]
        assert before == ["You said:", "Yes please do that.", "Yes, that is possible."]
        await eventually(lambda: server.sessions[0].ending is not None)
        await caller.say(speech("caller_yes"))
        await until_silent(caller)
        assert len(second.mouth.said) == 1
        assert not second.mouth.said[0].cut
        await hang_up(caller, p)
    assert p.watcher.finished == [("answered", "caller_hung_up")]


async def test_a_lost_connection_is_followed_by_another() -> None:
    async with live_phones(
        script(SHORT, ears=True), barge_in=SERVER_ONLY, reconnect_initial_s=0.02
    ) as (server, p):
        caller = await p.dial()
        await until_silent(caller)
        await eventually(lambda: len(history_of(p)) == 1)
        for connection in list(server.connections):
            connection.transport.abort()
        await eventually(lambda: len(server.sessions) == 2)
        await eventually(lambda: p.watcher.reconnects)
        await caller.say(YES)
        await until_silent(caller)
        assert server.sessions[-1].mouth.said[-1].text == "You said:"
        await hang_up(caller, p)
    assert p.watcher.reconnects == ["restored"]


async def test_the_legal_notice_comes_first_and_whole() -> None:
    notice = PROMPTS["leave_message"]
    assert notice.sample_rate_hz == L16_24K.sample_rate_hz
    options: dict[str, Any] = {"notice": notice.pcm16, "model_format": "pcm16"}
    async with live_phones(script(SHORT), barge_in=SERVER_ONLY, **options) as (server, p):
        caller = await p.dial()
        await until_silent(caller, 1.5)
        [session] = server.sessions
        assert session.audio_format == L16_24K
        assert session.fixtures == [notice.pcm16]
        assert [said.text for said in session.mouth.said] == ["You said:"]
        await caller.hang_up()
    first, *_ = caller.record.talkspurts
    assert first.ended_at - first.started_at == pytest.approx(notice.duration_ms / 1000, abs=0.5)


async def test_keys_reach_the_model_together() -> None:
    menu = script(
        "  - {when: greeting, say: you_said}\n  - {when: {dtmf: '42'}, say: key_pressed}\n"
    )
    async with live_phones(menu, barge_in=SERVER_ONLY) as (server, p):
        caller = await p.dial()
        await until_silent(caller)
        await caller.press("42")
        await until_silent(caller)
        [session] = server.sessions
        assert ("thinking", "The caller pressed 42 on the keypad.", None) in session.told
        text = PROMPTS["key_pressed"].text
        await eventually(lambda: session.mouth.said[-1].text == text)
        await caller.hang_up()


async def test_a_model_that_cannot_be_had_refuses_the_call() -> None:
    async with live_phones(script(SHORT)) as (server, p):
        server.faults = ConnectionFaults.model_validate(
            {"error": {"code": "insufficient_quota", "close": True}}
        )
        caller = p.caller()
        with pytest.raises(Exception, match="503"):
            await caller.dial(f"sip:bot@127.0.0.1:{p.port}", "sip:+15550199@127.0.0.1")
    assert json.dumps(p.watcher.finished)
