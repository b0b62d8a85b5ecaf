"""Whole calls and how they end: goodbye, tools, hold, limits, draining, verbs, faults of ours."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from telephony.audio.wav import write_wav
from telephony.calls import cause
from telephony.calls.bridge import Bridge
from telephony.calls.services import CallLimits
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry, tool_from_function
from telephony.rehearsal.caller import CallFailed, SipCaller
from telephony.turns.silence import SilencePolicy
from tests.support.eventually import eventually
from tests.support.phones import Phones
from tests.support.scenes import (
    PATIENCE_S,
    YES,
    clean_phones,
    heard_of,
    items,
    script,
    speech,
    until_silent,
)

SHORT = "  - {when: greeting, say: you_said}\n  - {when: any, say: you_said}\n"


def spoken_by_bot(p: Phones) -> list[str]:
    return [item.text for item in items(p) if item.role == "assistant"]


# Goodbye


async def test_a_goodbye_is_heard_to_its_end_before_the_bye() -> None:
    parting = script("  - {when: greeting, say: goodbye, call: {name: hangup}}\n")
    async with clean_phones(scenario=parting) as p:
        caller = await p.dial()
        assert await caller.wait_until_ended(PATIENCE_S)
        [goodbye, _] = items(p)
        assert heard_of(goodbye, caller) * 20 > goodbye.audio_ms - 100
    assert caller.record.ended_by == "remote"
    assert p.watcher.finished == [("answered", "bot_hung_up")]


async def test_a_goodbye_that_was_not_said_is_asked_for() -> None:
    parting = script(
        "  - {when: greeting, call: {name: hangup}}\n  - {when: {tool: hangup}, say: goodbye}\n"
    )
    async with clean_phones(scenario=parting) as p:
        caller = await p.dial()
        assert await caller.wait_until_ended(PATIENCE_S)
        assert spoken_by_bot(p) == ["Thank you for calling. Goodbye!"]
        assert caller.record.talkspurts
    assert p.watcher.finished == [("answered", "bot_hung_up")]


async def test_a_caller_who_interrupts_the_goodbye_keeps_the_call() -> None:
    parting = script(
        "  - {when: greeting, say: leave_message, call: {name: hangup}}\n"
        "  - {when: any, say: you_said}\n"
    )
    async with clean_phones(scenario=parting) as p:
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.5)
        await caller.say(YES)
        await until_silent(caller)
        assert not caller.ended
        assert spoken_by_bot(p)[-1] == "You said:"
        await caller.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]


# Tools


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word} means something"


async def look_up_later(context: ToolContext) -> dict[str, str]:
    """Look the caller up."""
    await asyncio.sleep(0.01)
    return {"caller": context.caller}


async def never_done() -> None:
    """Take for ever."""
    await asyncio.sleep(3600)


def broken() -> None:
    """Fail."""
    raise RuntimeError("the database is on fire")


async def test_tools_are_answered_whatever_becomes_of_them() -> None:
    tools = ToolRegistry(
        [look_up, look_up_later, broken, tool_from_function(never_done, timeout_s=0.1)]
    )
    calling = script(
        """\
  - when: greeting
    call:
      - {name: look_up, arguments: {word: fish}}
      - {name: look_up, arguments: {werd: fish}}
      - {name: look_up_later}
      - {name: broken}
      - {name: never_done}
  - {when: tool, say: you_said}
"""
    )
    async with clean_phones(scenario=calling, tools=tools) as p:
        caller = await p.dial()
        await until_silent(caller)
        outputs = [item.output for item in items(p) if item.kind == "function_call_output"]
        assert len(outputs) == 5
        assert "fish means something" in outputs
        assert '{"caller":"+15550199"}' in outputs
        assert any("invalid arguments" in output for output in outputs)
        assert '{"error": "broken failed"}' in outputs
        assert '{"error": "never_done did not finish within 0.1 s"}' in outputs
        # Five outputs, one answer.
        assert spoken_by_bot(p) == ["You said:"]
        await caller.hang_up()


async def test_a_caller_may_hang_up_while_a_tool_runs() -> None:
    stubborn: list[str] = []

    async def slow_to_stop() -> None:
        """Keep busy."""
        stubborn.append("started")
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.3)
            stubborn.append("stopped")

    calling = script("  - {when: greeting, call: {name: slow_to_stop}}\n")
    async with clean_phones(scenario=calling, tools=ToolRegistry([slow_to_stop])) as p:
        caller = await p.dial()
        await eventually(lambda: stubborn)
        await caller.hang_up()
        # The leg is gone at once, the call when its task has stopped.
        await eventually(lambda: p.bot.plane.ports.in_use == 0)
        assert stubborn == ["started"]
    assert stubborn == ["started", "stopped"]


# Hold, silence and limits


async def hold(caller: SipCaller, direction: str) -> None:
    leg: Any = caller._leg
    negotiation = leg._negotiation
    negotiation.turn(direction)
    leg._user_agent.reinvite(leg.leg_id, negotiation.offer(), time.monotonic())
    leg._endpoint.flush()


async def test_a_held_caller_misses_nothing_and_is_not_hung_up_on() -> None:
    say_much = script("  - {when: greeting, say: agent}\n")
    async with clean_phones(
        scenario=say_much,
        limits=CallLimits(media_timeout_s=0.4),
        silence=SilencePolicy(reprompt_after_s=0.5, max_reprompts=0),
    ) as p:
        caller = await p.dial()
        call = p.present_call()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.3)
        await hold(caller, "sendonly")
        await eventually(lambda: call.held)
        await asyncio.sleep(1.2)
        assert not caller.ended
        [greeting] = items(p)
        assert heard_of(greeting, caller) * 20 < 1000
        await hold(caller, "sendrecv")
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        # Back on the line, silence counts again.
        assert await caller.wait_until_ended(PATIENCE_S)
        assert heard_of(greeting, caller) * 20 > greeting.audio_ms - 150
    assert p.watcher.finished == [("answered", "silent_caller")]


async def test_a_call_without_media_ends() -> None:
    async with clean_phones(scenario=script(SHORT), limits=CallLimits(media_timeout_s=0.3)) as p:
        caller = await p.dial()
        leg: Any = caller._leg
        p.caller_stack.plane.pacer.remove(leg.media._slot)
        assert await caller.wait_until_ended(PATIENCE_S)
    assert p.watcher.finished == [("answered", "media_timeout")]


async def test_the_longest_call_ends() -> None:
    async with clean_phones(scenario=script(SHORT), limits=CallLimits(max_call_s=0.2)) as p:
        caller = await p.dial()
        assert await caller.wait_until_ended(PATIENCE_S)
    assert p.watcher.finished == [("answered", "max_duration")]


# Capacity and draining


async def status_of_another(p: Phones) -> int:
    with pytest.raises(CallFailed) as caught:
        await p.dial()
    return caught.value.status


async def test_one_call_too_many_is_a_503() -> None:
    async with clean_phones(scenario=script(SHORT), max_calls=1) as p:
        caller = await p.dial()
        assert await status_of_another(p) == 503
        await caller.hang_up()
        await eventually(lambda: p.reception.active_calls == 0)
        again = await p.dial()
        await again.hang_up()
    assert p.watcher.finished[0] == ("rejected", "no_capacity")


async def test_a_call_without_a_media_port_is_a_503() -> None:
    async with clean_phones(scenario=script(SHORT), ports=1) as p:
        caller = await p.dial()
        assert await status_of_another(p) == 503
        await caller.hang_up()
    assert p.watcher.finished[0] == ("failed", "no_media_ports")


async def test_draining_lets_the_present_call_finish() -> None:
    async with clean_phones(scenario=script(SHORT)) as p:
        caller = await p.dial()
        draining = asyncio.create_task(p.reception.drain(30.0))
        await eventually(lambda: p.reception.draining)
        assert await status_of_another(p) == 503
        await until_silent(caller)
        await caller.hang_up()
        assert await draining
    assert p.watcher.finished == [("rejected", "draining"), ("answered", "caller_hung_up")]


async def test_the_drain_deadline_ends_the_present_call() -> None:
    async with clean_phones(scenario=script(SHORT)) as p:
        caller = await p.dial()
        assert not await p.reception.drain(0.05)
        assert await caller.wait_until_ended(PATIENCE_S)
    assert p.watcher.finished == [("answered", "drain_deadline")]


# Verbs


async def test_verbs_of_the_dialplan(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.wav"
    prompt.write_bytes(write_wav(speech("caller_yes"), 8000))
    plan = f"""\
contexts:
  main:
    - name: announcement
      when: {{called: "100"}}
      do: [answer, play: {prompt}, hangup]
    - name: busy
      when: {{called: "101"}}
      do: [reject: {{status: 486, reason: Not now}}]
    - name: welcome
      when: {{called: "102"}}
      do: [play: {prompt}, connect_model: bot]
"""
    async with clean_phones(scenario=script(SHORT), dialplan=plan) as p:
        with pytest.raises(CallFailed) as busy:
            await p.dial("101")
        assert (busy.value.status, busy.value.reason) == (486, "Not now")
        with pytest.raises(CallFailed) as unknown:
            await p.dial("999")
        assert unknown.value.status == 404
        announced, welcomed = await asyncio.gather(p.dial("100"), p.dial("102"))
        assert await announced.wait_until_ended(PATIENCE_S)
        assert announced.record.ended_by == "remote"
        await eventually(lambda: p.watcher.transcripts)
        await until_silent(welcomed)
        await welcomed.hang_up()
    assert p.model.handshakes == 1
    assert sorted(p.watcher.finished) == [
        ("answered", "caller_hung_up"),
        ("answered", "dialplan_hung_up"),
        ("rejected", "dialplan_rejected"),
        ("rejected", "no_route"),
    ]
    heard = announced.record.talkspurts
    assert heard[-1].ended_at - heard[0].started_at > 0.8


# Faults of ours


async def test_a_call_whose_media_code_raises_ends_and_no_other_notices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with clean_phones(scenario=script(SHORT)) as p:
        caller = await p.dial()
        broken_call = p.present_call()
        other = await p.dial()
        assert broken_call.conversation is not None
        bridge = broken_call.conversation.bridge
        monkeypatch.setattr(bridge.uplink.__class__, "hear", _raise_for(bridge))
        assert await caller.wait_until_ended(PATIENCE_S)
        monkeypatch.undo()
        await until_silent(other)
        assert not other.ended
        await other.hang_up()
    assert p.watcher.finished == [("answered", "internal_error"), ("answered", "caller_hung_up")]


def _raise_for(bridge: Bridge) -> Any:
    original = type(bridge.uplink).hear

    def hear(uplink: Any, frame: bytes, now: float) -> None:
        if uplink is bridge.uplink:
            raise RuntimeError("a fault of ours")
        original(uplink, frame, now)

    return hear


async def test_a_call_whose_model_code_raises_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with clean_phones(scenario=script(SHORT)) as p:

        def finished(*_: object) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(Bridge, "_audio_finished", finished)
        caller = await p.dial()
        assert await caller.wait_until_ended(PATIENCE_S)
        assert caller.record.ended_by == "remote"
    assert p.calls[0].ending is cause.INTERNAL_ERROR


async def test_a_call_whose_rtp_code_raises_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with clean_phones(scenario=script(SHORT)) as p:
        caller = await p.dial()
        leg: Any = p.present_call().leg

        def pop(now: float) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(leg.media._session, "pop_frame", pop)
        assert await caller.wait_until_ended(PATIENCE_S)
        assert caller.record.ended_by == "remote"
    assert p.watcher.finished == [("answered", "internal_error")]
    assert len(reported) == 1
