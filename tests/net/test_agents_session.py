from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("agents")

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.net.agents_session import (
    MAX_WAITING_AUDIO,
    AgentsSession,
    PlayoutTracker,
    agent_named,
    equipped,
)
from telephony.realtime.agents_realtime import AgentsConfig, AgentsRealtime, ToolOutput
from telephony.realtime.dialect import Brief
from telephony.realtime.function_tool import FunctionTool
from tests.support.sdk_agents import billing, triage


async def answer(call_id: str) -> str:
    return call_id


def session() -> AgentsSession:
    config = AgentsConfig(model="m", agent="tests.support.sdk_agents:triage")
    dialect = AgentsRealtime(config, Brief(), Ids.seeded(1), PCMU)
    return AgentsSession(dialect, lambda message: None, lambda code, reason: None)


def test_agents_get_our_tools_beside_their_own_and_stay_as_they_were() -> None:
    made = equipped(triage, (FunctionTool(name="hangup"),), answer)
    assert [tool.name for tool in made.tools] == ["look_up_order", "hangup"]
    [other] = made.handoffs
    assert [tool.name for tool in other.tools] == ["hangup"]
    assert [tool.name for tool in triage.tools] == ["look_up_order"]
    assert billing.tools == []


def test_a_tool_of_the_agents_own_is_not_replaced() -> None:
    made = equipped(triage, (FunctionTool(name="look_up_order"),), answer)
    assert made.tools == triage.tools


def test_agents_are_found_through_their_handoffs() -> None:
    assert agent_named("Billing", triage) is billing
    assert agent_named("", triage) is triage
    assert agent_named("nobody", triage) is triage


def test_the_sdk_learns_from_playout_what_was_heard() -> None:
    playing: list[tuple[str, float]] = []
    tracker = PlayoutTracker(Brief(playing=lambda: playing[0] if playing else None))
    assert tracker.get_state()["current_item_id"] is None
    playing.append(("item", 340.0))
    assert tracker.get_state() == {
        "current_item_id": "item",
        "current_item_content_index": 0,
        "elapsed_ms": 340.0,
    }


async def test_the_oldest_audio_is_dropped_while_the_network_is_stuck() -> None:
    connection = session()
    taken = [connection.send_audio(bytes([n])) for n in range(MAX_WAITING_AUDIO + 2)]
    assert taken.count(False) == connection.audio_dropped == 2


async def test_an_output_may_come_before_the_sdk_asks_for_it() -> None:
    connection = session()
    connection.send(ToolOutput("c1", "early"))
    assert await connection._run_tool("c1") == "early"
    waiting = asyncio.ensure_future(connection._run_tool("c2"))
    await asyncio.sleep(0)
    connection.send(ToolOutput("c2", "late"))
    assert await waiting == "late"
