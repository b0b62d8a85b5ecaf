"""Whole calls over SIP and RTP with a cascade: Claude's stand-in, a transcriber and a voice."""

from __future__ import annotations

import asyncio
from typing import Any

from telephony.audio.convert import Converter
from telephony.audio.format import L16_24K, PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.realtime.cascade.claude_messages import INTERRUPTED
from telephony.realtime.tools import ToolRegistry, tool_from_function
from telephony.rehearsal.caller import SipCaller
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.speech.faults import SpeechFaults
from telephony.rehearsal.speech.recorded_voice import RecordedVoice
from telephony.rehearsal.speech.synthesizer import RehearsalSynthesizerService
from tests.support.cascades import CascadePhones, cascade_phones
from tests.support.eventually import eventually
from tests.support.scenes import PATIENCE_S, frames_of, script, speech, until_silent

PIECE = "We are open from nine in the morning until six in the evening,"
TALK = """\
  - {when: greeting, say: you_said}
  - {when: {heard: opening hours}, say: [opening_hours, weekend_hours]}
  - {when: {heard: "yes"}, say: short_answer}
  - {when: nudge, say: still_there}
  - {when: any, say: again}
"""


async def over(c: CascadePhones) -> None:
    await eventually(lambda: c.phones.reception.active_calls == 0)


def messages(c: CascadePhones, index: int = -1) -> list[dict[str, Any]]:
    body = c.claude.requests[index].body
    found: list[dict[str, Any]] = body["messages"]
    return found


def words(message: dict[str, Any]) -> str:
    return " ".join(block.get("text", "") for block in message["content"])


def heard_ms(text: str, caller: SipCaller) -> int:
    """Return how much of ``text``, said by the recorded voice, the caller heard."""
    pcm16 = RecordedVoice(shipped_prompts()).speak(text)
    converter = Converter(L16_24K, PCMU)
    spoken = frames_of(converter.convert(pcm16) + converter.flush())
    heard = set(frames_of(l16_to_pcmu(bytes(caller.record.heard))))
    return 20 * max(
        (i + 1 for i, f in enumerate(spoken) if f in heard and len(set(f)) > 8), default=0
    )


async def test_a_barge_in_leaves_in_the_request_what_the_caller_heard() -> None:
    async with cascade_phones(script(TALK)) as c:
        caller = await c.phones.dial()
        await until_silent(caller)
        await caller.say(speech("caller_question"))
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(1.2)
        await caller.say(speech("caller_yes"))
        await until_silent(caller)
        await caller.hang_up()
        await over(c)
    assert all(asked.status == 200 for asked in c.claude.requests)
    [_, greeting, question, cut_off, answer] = messages(c)
    assert words(greeting) == "You said:"
    assert words(question) == "What are your opening hours this week?"
    assert words(answer) == "Yes please do that."
    kept = words(cut_off)
    assert kept.endswith(INTERRUPTED)
    kept = kept.removesuffix(INTERRUPTED)
    assert PIECE.startswith(kept)
    # The words are spread over the piece's audio: the next one would have ended later.
    whole_ms = L16_24K.duration_ms(len(RecordedVoice(shipped_prompts()).speak(PIECE)))
    share = heard_ms(PIECE, caller) / whole_ms
    following = PIECE.find(" ", len(kept) + 1)
    assert len(kept) / len(PIECE) <= share + 0.02
    assert share - 0.02 <= following / len(PIECE)
    assert [reason for reason, _ in c.phones.watcher.barge_ins] == ["local_speech"]
    assert len(c.phones.watcher.latencies) == 2
    assert c.core.stats.truncated == 1
    assert ("user", "Yes please do that.") in c.phones.watcher.transcripts


async def test_a_caller_who_goes_on_after_a_pause_is_not_answered_in_between() -> None:
    patient = {"complete_ms": 1500, "silence_ms": 1500, "unfinished_ms": 1500}
    async with cascade_phones(script(TALK), session={"end_of_turn": patient}) as c:
        caller = await c.phones.dial()
        await until_silent(caller)
        await caller.say(speech("caller_yes"))
        await eventually(lambda: c.core.cascade_stats.speculations == 1)
        await caller.say(speech("caller_question"))
        await until_silent(caller)
        await caller.hang_up()
        await over(c)
    stats = c.core.cascade_stats
    assert (stats.speculations, stats.speculations_used) == (2, 1)
    assert words(messages(c, 1)[-1]) == "Yes please do that."
    assert words(messages(c)[-1]) == "Yes please do that. What are your opening hours this week?"
    assert "Yes, that is possible." not in str(messages(c))
    said = [text for role, text in c.phones.watcher.transcripts if role == "user"]
    assert said == ["Yes please do that. What are your opening hours this week?"]


async def test_a_slow_tool_is_bridged_with_a_phrase() -> None:
    turns = """\
  - {when: greeting, say: you_said}
  - when: {heard: "yes"}
    call: {name: look_up, arguments: {order: 4711}}
  - {when: {tool: look_up}, say: tool_done}
"""
    asked: list[int] = []
    finish = asyncio.Event()

    async def look_up(order: int) -> str:
        """Look up an order."""
        asked.append(order)
        await finish.wait()
        return "on its way"

    tools = ToolRegistry([tool_from_function(look_up)])
    fillers = {"fillers": ["One moment, please."], "filler_after_ms": 300}
    async with cascade_phones(script(turns), session=fillers, tools=tools) as c:
        caller = await c.phones.dial()
        await until_silent(caller)
        await caller.say(speech("caller_yes"))
        await until_silent(caller)
        assert c.core.cascade_stats.fillers == 1
        assert asked == [4711]
        finish.set()
        await until_silent(caller)
        await caller.hang_up()
        await over(c)
    [*_, called, result] = messages(c)
    assert [block["type"] for block in called["content"]] == ["text", "tool_use"]
    assert called["content"][0]["text"] == "One moment, please."
    assert result["content"][0]["content"] == "on its way"
    assert ("assistant", "Done, that is taken care of.") in c.phones.watcher.transcripts


async def test_an_overloaded_model_is_asked_again_and_the_caller_waits_a_little() -> None:
    async with cascade_phones(script(TALK), session={"llm": {"retry_s": 5}}) as c:
        caller = await c.phones.dial()
        await until_silent(caller)
        c.claude.faults = ConnectionFaults(
            connections=len(c.claude.requests) + 1, refuse_status=529
        )
        await caller.say(speech("caller_yes"))
        await until_silent(caller)
        await caller.hang_up()
        await over(c)
    assert [a.status for a in c.claude.requests].count(529) == 1
    assert ("assistant", "Yes, that is possible.") in c.phones.watcher.transcripts
    assert c.phones.watcher.reconnects == []


async def test_a_voice_that_is_lost_is_opened_again_and_the_answer_said() -> None:
    tts = RehearsalSynthesizerService(faults=SpeechFaults(fail_after=1))
    async with cascade_phones(script(TALK), tts=tts) as c:
        caller = await c.phones.dial()
        await until_silent(caller)
        await caller.say(speech("caller_yes"))
        await until_silent(caller)
        await caller.hang_up()
        await over(c)
    assert tts.faults.opens == 2
    assert c.phones.watcher.reconnects == ["restored"]
    assert ("assistant", "Yes, that is possible.") in c.phones.watcher.transcripts
    assert all(asked.status == 200 for asked in c.claude.requests)


async def test_a_wrong_key_ends_the_call_and_is_not_tried_again() -> None:
    async with cascade_phones(script(TALK)) as c:
        c.claude.api_key = "another"
        await c.phones.dial()
        await over(c)
    assert [asked.status for asked in c.claude.requests] == [401]
    assert [cause for _, cause in c.phones.watcher.finished] == ["model_lost"]


async def test_digits_reach_the_model_and_it_answers() -> None:
    turns = "  - {when: greeting, say: you_said}\n  - {when: {dtmf: '42'}, say: key_pressed}\n"
    async with cascade_phones(script(turns)) as c:
        caller = await c.phones.dial()
        await until_silent(caller)
        await caller.press("42")
        await until_silent(caller)
        await caller.hang_up()
        await over(c)
    assert words(messages(c)[-1]) == "The caller pressed 42 on the keypad."
