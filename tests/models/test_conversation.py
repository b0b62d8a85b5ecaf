"""What every model does on a call over SIP and RTP, whichever protocol it speaks."""

from __future__ import annotations

import asyncio
from typing import Any

from telephony.realtime.tools import ToolRegistry, tool_from_function
from tests.models.conftest import Scene
from tests.support.eventually import eventually
from tests.support.scenes import PATIENCE_S, script, until_silent

TALK = script(
    """\
  - {when: greeting, say: you_said}
  - {when: any, say: short_answer}
"""
)
LONG = script(
    """\
  - {when: greeting, say: [opening_hours, weekend_hours, leave_message]}
  - {when: any, say: short_answer}
"""
)
ASKS = script(
    """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, call: {name: look_up, arguments: {number: "42"}}}
  - {when: {tool: look_up}, say: tool_done}
  - {when: any, say: short_answer}
"""
)


def spoken_ms(pcm16: bytes) -> float:
    """Return the time from the first sample to the last that is no silence, at 8 kHz."""
    loud = [
        n
        for n in range(0, len(pcm16) - 1, 2)
        if abs(int.from_bytes(pcm16[n : n + 2], "little", signed=True)) > 64
    ]
    return (loud[-1] - loud[0]) / 16 if loud else 0.0


async def test_the_bot_greets_first(scene: Scene) -> None:
    async with scene(TALK) as (p, far):
        caller = await p.dial()
        await until_silent(caller)
        assert far.sessions == 1
        assert spoken_ms(bytes(caller.record.heard)) > 300
        await caller.hang_up()


async def test_a_turn_is_answered_and_measured(scene: Scene) -> None:
    async with scene(TALK) as (p, far):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(far.words)
        await until_silent(caller)
        conversation = p.present_call().conversation
        await eventually(lambda: [role for role, _ in far.said()][-2:] == ["user", "assistant"])
        assert far.said()[-1] == ("assistant", "Yes, that is possible.")
        assert conversation.bridge.stats.latencies
        assert conversation.dialect.stats.errors == 0
        roles = [item.role for item in conversation.dialect.history if item.kind == "message"]
        assert roles[-2:] == ["user", "assistant"]
        await caller.hang_up()


async def test_a_barge_in_silences_the_bot_and_the_history_ends_where_the_caller_stopped_hearing(
    scene: Scene,
) -> None:
    async with scene(LONG) as (p, far):
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(1.2)
        await caller.say(far.words)
        conversation = p.present_call().conversation
        await eventually(lambda: conversation.bridge.stats.barge_ins)
        first = next(i for i in conversation.dialect.history if i.role == "assistant")
        await eventually(lambda: first.heard_ms is not None)
        assert first.heard_ms is not None
        heard_ms = first.heard_ms
        assert 500 < heard_ms < 6000
        assert abs(spoken_ms(bytes(caller.record.heard)) - heard_ms) < 300
        assert "leave a message" not in first.heard_text
        await until_silent(caller)
        if far.truncates:
            told = next(text for role, text in far.said() if role == "assistant")
            assert "leave a message" not in told
        await eventually(lambda: far.said()[-1] == ("assistant", "Yes, that is possible."))
        await caller.hang_up()


async def test_a_tool_runs_here_and_the_model_goes_on(scene: Scene) -> None:
    asked: list[str] = []

    def look_up(number: str) -> str:
        asked.append(number)
        return f"Order {number} is on its way."

    async with scene(ASKS, tools=ToolRegistry([look_up])) as (p, far):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(far.words)
        await until_silent(caller)
        assert asked == ["42"]
        await eventually(lambda: far.said()[-1] == ("assistant", "Done, that is taken care of."))
        history = p.present_call().conversation.dialect.history
        [output] = [item for item in history if item.kind == "function_call_output"]
        assert output.text == "Order 42 is on its way."
        await caller.hang_up()


async def test_a_slow_tool_keeps_the_conversation_alive(scene: Scene) -> None:
    go_on = asyncio.Event()
    running = asyncio.Event()

    async def look_up(number: str) -> str:
        running.set()
        await go_on.wait()
        return "late"

    async with scene(ASKS, tools=ToolRegistry([tool_from_function(look_up)])) as (p, far):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(far.words)
        await running.wait()
        await asyncio.sleep(1.0)
        go_on.set()
        await eventually(lambda: far.said()[-1] == ("assistant", "Done, that is taken care of."))
        conversation = p.present_call().conversation
        await eventually(lambda: not conversation.bridge.caller_hears)
        await caller.hang_up()


async def test_garbage_of_one_model_ends_neither_its_call_nor_another(scene: Scene) -> None:
    async with scene(TALK) as (p, far):
        callers = []
        for _n in range(2):
            callers.append(await p.dial())
            await until_silent(callers[-1])
        victim: Any = p.present_calls()[0].conversation
        for garbage in GARBAGE:
            victim.bridge.message_received(garbage)
        for caller in callers:
            await caller.say(far.words)
            await until_silent(caller)
        for caller in callers:
            await caller.hang_up()


GARBAGE: tuple[Any, ...] = (
    b"",
    b"\x00\xff\xfe",
    b"[]",
    b"null",
    b'{"type": 5}',
    b'{"type": "' + b"x" * 100_000 + b'"}',
    b"{" * 10_000,
    b'{"type":"response.output_audio.delta","delta":"????","item_id":"nobody"}',
    b'{"type":"response.done"}',
    b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"%%"}}]}}}',
    b'{"serverContent":[]}',
    b'{"toolCall":{"functionCalls":[{}]}}',
    b'{"type":"session.output_audio.delta","delta":7}',
)
