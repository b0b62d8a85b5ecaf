"""Whole calls over SIP, RTP and a WebSocket: talking, barge-in, formats, digits."""

from __future__ import annotations

import asyncio
import json

from telephony.realtime.session_config import ServerVad, SessionConfig
from telephony.turns.policy import BargeInPolicy
from tests.support.eventually import eventually
from tests.support.phones import phones
from tests.support.scenes import (
    PATIENCE_S,
    YES,
    clean_phones,
    heard_of,
    items,
    lost_of,
    script,
    speech,
    texts,
    until_silent,
)

SHORT = "  - {when: greeting, say: you_said}\n  - {when: any, say: you_said}\n"


async def test_caller_and_bot_talk_and_the_barge_in_is_exact() -> None:
    long_answer = script(
        """\
  - {when: greeting, say: you_said}
  - when: {turn: 1}
    say: [opening_hours, weekend_hours]
    faults: {late_deltas: 30}
  - {when: any, say: you_said}
"""
    )
    async with clean_phones(scenario=long_answer) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.7)
        await caller.say(YES)
        await until_silent(caller)
        spoken = [item for item in items(p) if item.role == "assistant"]
        assert len(spoken) == 3
        greeting, cut_off, answer = spoken
        assert not greeting.content[0].truncated
        assert not answer.content[0].truncated
        assert cut_off.content[0].truncated
        heard_ms = heard_of(cut_off, caller) * 20
        assert heard_ms >= 500
        assert abs(heard_ms - cut_off.audio_ms) <= 20
        assert [reason for reason, _ in p.watcher.barge_ins] == ["local_speech"]
        assert len(p.watcher.latencies) == 2
        await caller.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]
    assert p.calls[0].conversation is not None
    assert p.calls[0].conversation.dialect.stats.errors == 0
    assert p.calls[0].conversation.dialect.stats.truncated == 1


async def test_formats_between_caller_and_model() -> None:
    await asyncio.gather(talk_in("pcma", "auto"), talk_in("pcmu", "pcm16"), talk_in("pcma", "g711"))


async def talk_in(codec: str, model_format: str) -> None:
    # All three at once: whose tasks are left is not to be told apart.
    async with phones(
        scenario=script(SHORT, ears=True), media={"codecs": (codec,)}, model_format=model_format
    ) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(speech("caller_question"))
        await until_silent(caller)
        await caller.hang_up()
    assert ("user", "What are your opening hours this week?") in p.watcher.transcripts
    spurts = caller.record.talkspurts
    assert 0.2 < spurts[-1].ended_at - spurts[-1].started_at < 1.0


async def test_a_model_that_sends_another_format_is_understood() -> None:
    async with clean_phones(scenario=script(SHORT, faults="{output_format: audio/pcm}")) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.hang_up()
    [spurt] = caller.record.talkspurts
    # Taken for G.711, 24 kHz PCM16 would last six times as long.
    assert 0.2 < spurt.ended_at - spurt.started_at < 1.0
    assert p.calls[0].conversation is not None
    assert p.calls[0].conversation.dialect.stats.format_changes == 1


async def test_digits_interrupt_at_once_and_reach_the_model_together() -> None:
    menu = script(
        "  - {when: greeting, say: leave_message}\n  - {when: {dtmf: '42'}, say: you_said}\n"
    )
    async with clean_phones(scenario=menu) as p:
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.4)
        await caller.press("42")
        await eventually(lambda: "The caller pressed 42 on the keypad." in texts(p))
        await until_silent(caller)
        greeting = items(p)[0]
        assert greeting.content[0].truncated
        assert abs(heard_of(greeting, caller) * 20 - greeting.audio_ms) <= 20
        await caller.hang_up()
    assert [reason for reason, _ in p.watcher.barge_ins] == ["digit"]
    assert p.watcher.latencies == []


async def test_keys_of_the_bot_interrupt_what_it_says_and_nothing_of_that_is_lost() -> None:
    menu = script(
        "  - {when: greeting, say: leave_message, "
        "call: {name: send_digits, arguments: {digits: '4,2'}}}\n"
        "  - {when: {tool: send_digits}, say: tool_done}\n"
    )
    async with clean_phones(scenario=menu, can_send_digits=True) as p:
        caller = await p.dial()
        await eventually(lambda: caller.record.digits == "42")
        await eventually(lambda: "Done, that is taken care of." in texts(p))
        await until_silent(caller, 0.5)
        await caller.hang_up()
    greeting = items(p)[0]
    assert not greeting.content[0].truncated
    # The digits came while it was said, and it went on after them.
    assert lost_of(greeting, caller) <= 1
    (output,) = (item for item in items(p) if item.kind == "function_call_output")
    assert json.loads(output.output) == {"sent": "4,2"}


async def test_without_turn_detection_of_the_model_ours_ends_the_turns() -> None:
    session = SessionConfig(model="rehearsal", turn_detection=None)
    async with clean_phones(scenario=script(SHORT), session=session) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        assert [item.role for item in items(p)] == ["assistant", "user", "assistant"]
        await caller.hang_up()
    assert p.calls[0].conversation is not None
    assert p.calls[0].conversation.dialect.stats.benign_errors == 0


async def test_a_model_that_does_not_respond_by_itself_is_asked_to() -> None:
    session = SessionConfig(
        model="rehearsal",
        turn_detection=ServerVad(create_response=False, interrupt_response=False),
    )
    answers = script(
        "  - {when: greeting, say: you_said}\n"
        "  - {when: {turn: 1}, say: agent}\n"
        "  - {when: any, say: you_said}\n"
    )
    async with clean_phones(scenario=answers, session=session) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.4)
        await caller.say(YES)
        await until_silent(caller)
        roles = [item.role for item in items(p)]
        assert roles == ["assistant", "user", "assistant", "user", "assistant"]
        assert items(p)[2].content[0].truncated
        await caller.hang_up()


async def test_a_greeting_that_is_protected_is_heard_to_its_end() -> None:
    async with clean_phones(
        scenario=script(SHORT), barge_in=BargeInPolicy(protect_greeting=True)
    ) as p:
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await caller.press("1")
        await until_silent(caller)
        await eventually(lambda: len(items(p)) >= 2)
        assert not items(p)[0].content[0].truncated
        await caller.hang_up()
    assert p.watcher.barge_ins == []


async def test_two_calls_at_once_do_not_mix() -> None:
    async with clean_phones(scenario=script(SHORT, ears=True)) as p:
        one, two = await asyncio.gather(p.dial(), p.dial())
        await asyncio.gather(until_silent(one), until_silent(two))
        await asyncio.gather(one.say(speech("caller_question")), two.say(speech("caller_weekend")))
        await asyncio.gather(until_silent(one), until_silent(two))
        heard = [[i.text for i in s.conversation if i.role == "user"] for s in p.model.sessions]
        assert sorted(heard) == [
            ["Are you also open on the weekend?"],
            ["What are your opening hours this week?"],
        ]
        await asyncio.gather(one.hang_up(), two.hang_up())
