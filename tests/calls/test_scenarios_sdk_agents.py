"""Calls over SIP and RTP with agents of the OpenAI Agents SDK and the rehearsal server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("agents")

from telephony.app.sdk_agents import agents_opener
from telephony.calls.model_source import ModelSource
from telephony.realtime.agents_realtime import AgentsConfig, AgentsModel
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.scenario import Scenario
from tests.support import sdk_agents
from tests.support.eventually import eventually
from tests.support.models import openai_agent
from tests.support.phones import Phones
from tests.support.scenes import PATIENCE_S, YES, clean_phones, script, until_silent

AGENT = "tests.support.sdk_agents:triage"
FAST = {"reconnect_initial_s": 0.02, "reconnect_maximum_s": 0.05, "reconnect_attempts": 2}


@asynccontextmanager
async def sdk_phones(scenario: Scenario) -> AsyncIterator[tuple[Phones, ModelServer]]:
    """Run a bot whose agent is the SDK's, on a rehearsal server of its own."""
    async with serve(scenario=scenario) as server:
        model = AgentsModel(AgentsConfig(model="rehearsal", agent=AGENT))
        source = ModelSource(
            model, server.base_url, opener=agents_opener(model, server.base_url, None)
        )
        agent = openai_agent(source=source, greeting="Greet.", **FAST)
        async with clean_phones(agent=agent) as p:
            yield p, server


def items(server: ModelServer) -> list[Any]:
    return list(server.sessions[-1].conversation)


async def test_a_turn_and_a_tool_that_the_sdk_runs() -> None:
    sdk_agents.looked_up.clear()
    scenario = script(
        """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, call: {name: look_up_order, arguments: {number: "42"}}}
  - {when: {tool: look_up_order}, say: tool_done}
"""
    )
    async with sdk_phones(scenario) as (p, server):
        caller = await p.dial()
        await until_silent(caller)
        assert server.sessions[-1].settings.wire["instructions"].startswith("Find out")
        await caller.say(YES)
        await until_silent(caller)
        assert sdk_agents.looked_up == ["42"]
        assert [item.kind for item in items(server)] == [
            "message",
            "message",
            "function_call",
            "function_call_output",
            "message",
        ]
        assert "on its way" in items(server)[3].output
        await caller.hang_up()


async def test_a_barge_in_is_exact_and_told_once() -> None:
    scenario = script("  - {when: greeting, say: [weekend_hours, leave_message]}\n")
    async with sdk_phones(scenario) as (p, server):
        caller = await p.dial()
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(1.0)
        await caller.say(YES)
        await eventually(lambda: any(part.truncated for part in items(server)[0].content))
        heard_ms = items(server)[0].audio_ms
        call = p.present_call()
        assert call.conversation.bridge.stats.barge_ins == 1
        assert 300 < heard_ms < 4000
        await asyncio.sleep(0.3)
        assert call.conversation.dialect.stats.errors == 0
        await caller.hang_up()


async def test_our_own_tools_work_beside_those_of_the_agent() -> None:
    scenario = script(
        """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: goodbye, call: {name: hangup, arguments: {reason: done}}}
"""
    )
    async with sdk_phones(scenario) as (p, _):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        assert await caller.wait_until_ended(PATIENCE_S)
    assert p.watcher.finished == [("answered", "bot_hung_up")]


async def test_a_handoff_of_the_sdk_changes_the_instructions_and_outlives_a_lost_connection() -> (
    None
):
    scenario = script(
        """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, call: {name: transfer_to_billing}}
  - {when: {tool: transfer_to_billing}, say: tool_done}
  - {when: any, say: you_said}
"""
    )
    async with sdk_phones(scenario) as (p, server):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        await until_silent(caller)
        dialect: Any = p.present_call().conversation.dialect
        await eventually(lambda: dialect.agent_name == "Billing")
        assert server.sessions[-1].settings.wire["instructions"] == "You know invoices."
        for connection in list(server.connections):
            connection.abort()
        await eventually(lambda: p.watcher.reconnects)
        assert p.watcher.reconnects == ["restored"]
        assert server.sessions[-1].settings.wire["instructions"] == "You know invoices."
        await caller.say(YES)
        await until_silent(caller)
        await caller.hang_up()


async def test_a_guardrail_of_the_sdk_cuts_what_is_being_said() -> None:
    scenario = script(
        """\
  - {when: greeting, say: you_said}
  - {when: {turn: 1}, say: [opening_hours, weekend_hours, leave_message]}
  - {when: any, say: short_answer}
"""
    )
    async with sdk_phones(scenario) as (p, server):
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        bridge = p.present_call().conversation.bridge
        await eventually(lambda: bridge.interrupted_response_id)
        await until_silent(caller)
        said = [item for item in items(server) if item.role == "assistant"]
        assert said[-1].text == "Yes, that is possible."
        cut = [item for item in said if any(part.truncated for part in item.content)]
        # Cut where the caller was, or forgotten where they had heard nothing.
        assert len(said) == 2 or len(cut) == 1
        await caller.hang_up()


async def test_a_server_that_refuses_is_no_model() -> None:
    scenario = script("  - {when: greeting, say: you_said}\n", faults="{refuse_status: 401}")
    async with sdk_phones(scenario) as (p, _):
        caller = p.caller()
        with pytest.raises(Exception, match="503"):
            await caller.dial(f"sip:bot@127.0.0.1:{p.port}", "sip:+15550199@127.0.0.1")
