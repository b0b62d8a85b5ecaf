"""Whole calls of a cascade on a line that gives back what the bot says, at -20 dB and 120 ms late.

The cascade finds the caller's turns in the audio by itself: the bot must not be one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from telephony.net.clock import monotonic
from telephony.realtime.cascade.claude_messages import INTERRUPTED
from telephony.turns.policy import BargeInPolicy, Mode
from tests.support.cascades import CascadePhones, cascade_phones
from tests.support.echoing_caller import EchoingCaller
from tests.support.eventually import eventually
from tests.support.scenes import PATIENCE_S, script, speech, until_silent

TALK = """\
  - {when: greeting, say: leave_message}
  - {when: {heard: opening hours}, say: [opening_hours, weekend_hours]}
  - {when: {heard: "yes"}, say: weekend_hours}
  - {when: {heard: agent}, say: agent}
  - {when: any, say: again}
"""
QUESTION = "What are your opening hours this week?"
YES = "Yes please do that."
AGENT = "Stop please I want to talk to an agent."
ECHO_IS_OVER_S = 1.2


def spoken_by_caller(c: CascadePhones) -> Sequence[str]:
    return [text for role, text in c.phones.watcher.transcripts if role == "user"]


def words(message: dict[str, Any]) -> str:
    return " ".join(block.get("text", "") for block in message["content"])


async def dial(c: CascadePhones) -> EchoingCaller:
    caller = EchoingCaller(c.phones.caller_stack, monotonic)
    await caller.dial(f"sip:bot@127.0.0.1:{c.phones.port}", "sip:+15550199@127.0.0.1")
    return caller


@pytest.mark.parametrize("mode", ["both", "server"])
async def test_the_bot_is_not_answered_and_a_caller_over_it_is(mode: Mode) -> None:
    """With "server" only a turn that the cascade opened interrupts the bot."""
    async with cascade_phones(script(TALK), barge_in=BargeInPolicy(mode=mode)) as c:
        caller = await dial(c)
        await until_silent(caller, ECHO_IS_OVER_S)
        assert len(c.claude.requests) == 1
        assert spoken_by_caller(c) == []
        await caller.say(speech("caller_question"))
        await until_silent(caller, ECHO_IS_OVER_S)
        assert len(c.claude.requests) == 2
        await caller.say(speech("caller_yes"))
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(1.5)
        assert len(c.claude.requests) == 3
        assert c.phones.watcher.barge_ins == []
        stats = c.core.cascade_stats
        assert (stats.empty_turns, stats.late_words, stats.speculations) == (0, 0, 2)
        # Without the gate the echo would have been a voice.
        assert c.core.stats.truncated == 0
        bridge = c.phones.present_call().conversation.bridge  # type: ignore[union-attr]
        assert bridge.echo.dismissed > 0

        await caller.say(speech("caller_interrupt"))
        await eventually(lambda: len(c.phones.watcher.barge_ins) == 1)
        await until_silent(caller, ECHO_IS_OVER_S)
        await caller.hang_up()
        await eventually(lambda: c.phones.reception.active_calls == 0)
    assert spoken_by_caller(c) == [QUESTION, YES, AGENT]
    assert all(asked.status == 200 for asked in c.claude.requests)
    assert stats.empty_turns == 0
    assert c.core.stats.truncated == 1
    [*_, cut_off, answer] = c.claude.requests[-1].body["messages"]
    assert words(answer) == AGENT
    kept = words(cut_off)
    assert kept.endswith(INTERRUPTED)
    whole = "On Saturday we are open until two,"
    assert whole.startswith(kept.removesuffix(INTERRUPTED))
    assert c.phones.watcher.transcripts[-1] == (
        "assistant",
        "Of course. I will connect you to an agent.",
    )
