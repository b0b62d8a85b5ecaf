"""Whole calls over SIP, RTP and a WebSocket: guardrails, handoffs, tools that run away."""

from __future__ import annotations

import asyncio

from telephony.calls.handoff import Handoff
from telephony.realtime.guardrails import Guardrails, Rule, read_phrase
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.tool_limits import ToolLimits
from telephony.realtime.tools import ToolRegistry
from telephony.rehearsal.model_server import serve
from tests.support.eventually import eventually
from tests.support.models import openai_agent
from tests.support.scenes import (
    PATIENCE_S,
    YES,
    clean_phones,
    heard_of,
    items,
    script,
    speech,
    texts,
    until_silent,
)

LONG = script(
    """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: [opening_hours, weekend_hours]}
  - {when: any, say: short_answer}
"""
)


def output(*phrases: str) -> Rule:
    return Rule(
        "hours", "output", tuple(map(read_phrase, phrases)), message="Tell no opening hours."
    )


async def test_what_breaks_a_rule_is_cut_off_long_before_it_is_heard() -> None:
    rails = Guardrails((output("monday to friday"),))
    async with clean_phones(scenario=LONG, guardrails=rails) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        await eventually(lambda: texts(p)[-1] == "Yes, that is possible.")
        await until_silent(caller)
        bad = [item for item in items(p) if item.role == "assistant"][1]
        # "Monday to Friday" is said after three seconds; the transcript knew it long before.
        assert bad.content[0].truncated
        assert heard_of(bad, caller) * 20 < 2000
        assert any("Tell no opening hours." in text for text in texts(p))
        assert p.watcher.guardrail_trips == [("hours", "output")]
        await caller.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]


async def test_an_answer_too_many_ends_the_call_in_recorded_words() -> None:
    rails = Guardrails((output("nine"),), max_trips=0)
    async with clean_phones(scenario=LONG, guardrails=rails) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await eventually(lambda: p.watcher.finished)
        # What was heard last is our own goodbye.
        assert caller.record.talkspurts[-1].ended_at - caller.record.talkspurts[-1].started_at > 1
    assert p.watcher.finished == [("answered", "guardrail")]


async def test_what_the_caller_says_may_end_the_call() -> None:
    rule = Rule("done", "input", (read_phrase("that is all"),), remedy="hangup")
    listens = script(
        "  - {when: greeting, say: you_said}\n  - {when: any, say: opening_hours}\n", ears=True
    )
    async with clean_phones(scenario=listens, guardrails=Guardrails((rule,))) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(speech("caller_goodbye"))
        await eventually(lambda: p.watcher.finished)
    assert p.watcher.guardrail_trips == [("done", "input")]
    assert p.watcher.finished == [("answered", "guardrail")]


async def test_the_model_hands_the_caller_over_after_it_said_so() -> None:
    front = script(
        """\
  - {when: greeting, say: you_said}
  - {when: any, say: agent, call: {name: handoff, arguments: {to: billing}}}
"""
    )
    back = script("  - {when: any, say: short_answer}\n")
    async with serve(scenario=back) as other:
        billing = openai_agent(
            name="billing-bot",
            base_url=other.base_url,
            session=SessionConfig(model="rehearsal"),
            instructions="You are billing for {{caller}}. {{topic}}",
            variables={"topic": "Any."},
        )
        async with clean_phones(
            scenario=front,
            others={"billing-bot": billing},
            handoffs={"billing": Handoff("billing-bot", "Invoices.")},
        ) as p:
            caller = await p.dial()
            await until_silent(caller)
            await caller.say(YES)
            await eventually(lambda: other.sessions and other.sessions[-1].conversation)
            await eventually(lambda: p.present_call().conversation.agent.name == "billing-bot")  # type: ignore[union-attr]
            await until_silent(caller)
            session = other.sessions[-1]
            assert session.settings.wire["instructions"] == "You are billing for +15550199. Any."
            said = [item.text for item in session.conversation]
            assert "Of course. I will connect you to an agent." in said
            await eventually(
                lambda: "Yes, that is possible." in [i.text for i in session.conversation]
            )
            await caller.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]


async def test_a_model_that_calls_tools_for_ever_is_made_to_talk() -> None:
    asked: list[int] = []

    async def look() -> str:
        """Look something up."""
        asked.append(1)
        return "nothing"

    runaway = script(
        """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, call: {name: look}}
  - {when: {tool: look}, say: filler, call: {name: look}}
  - {when: any, say: short_answer}
"""
    )
    async with clean_phones(
        scenario=runaway, tools=ToolRegistry([look]), tool_limits=ToolLimits(max_repeats=3)
    ) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await eventually(lambda: p.watcher.tool_limits)
        await until_silent(caller)
        assert len(asked) == 3
        assert p.watcher.tool_limits == ["repeats"]
        await caller.hang_up()


async def test_a_tool_that_takes_long_is_answered_for_while_the_caller_talks() -> None:
    release = asyncio.Event()

    async def slow() -> str:
        """Take long."""
        await release.wait()
        return "at last"

    works = script(
        """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: filler, call: {name: slow}}
  - {when: {tool: slow}, say: tool_done}
  - {when: any, say: short_answer}
"""
    )
    async with clean_phones(scenario=works, tools=ToolRegistry([slow])) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        await eventually(lambda: "Yes, that is possible." in texts(p))
        release.set()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await eventually(lambda: "Done, that is taken care of." in texts(p))
        outputs = [item.text for item in items(p) if item.kind == "function_call_output"]
        assert outputs.count("at last") <= 1
        await caller.hang_up()
