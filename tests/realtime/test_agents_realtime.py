from __future__ import annotations

from typing import Any

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.realtime.agents_realtime import (
    AgentsConfig,
    AgentsModel,
    AgentsRealtime,
    AgentTookOver,
    AudioCut,
    ToolOutput,
    model_settings,
)
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    AgentChanged,
    ModelInterrupted,
    ResponseFinished,
    ToolCallRequested,
)
from telephony.realtime.function_tool import FunctionTool

CONFIG = AgentsConfig(model="m", agent="app:agent")


def started(*tools: str) -> AgentsRealtime:
    brief = Brief(tools=tuple(FunctionTool(name=name) for name in tools))
    dialect = AgentsModel(CONFIG).new_dialect(brief, PCMU, "auto", Ids.seeded(1))
    dialect.connection_made(0.0)
    dialect.receive_message({"type": "session.updated", "session": {"id": "s"}}, 0.0)
    dialect.messages_to_send()
    dialect.events_received()
    return dialect


def call(name: str, call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "id": f"i_{call_id}", "name": name, "call_id": call_id}


def respond(dialect: AgentsRealtime, *calls: dict[str, Any]) -> list[Any]:
    dialect.receive_message({"type": "response.created", "response": {"id": "r"}}, 0.0)
    done = {"id": "r", "status": "completed", "output": list(calls)}
    dialect.receive_message({"type": "response.done", "response": done}, 0.0)
    return dialect.events_received()


def test_tools_of_the_users_agents_are_the_sdks_business() -> None:
    dialect = started("hangup")
    events = respond(dialect, call("look_up", "c1"), call("hangup", "c2"))
    asked = [event for event in events if isinstance(event, ToolCallRequested)]
    assert [event.name for event in asked] == ["hangup"]
    [finished] = [event for event in events if isinstance(event, ResponseFinished)]
    assert [event.name for event in finished.tool_calls] == ["hangup"]


def test_the_output_of_a_tool_of_ours_goes_to_the_sdk_and_into_the_history() -> None:
    dialect = started("hangup")
    respond(dialect, call("hangup", "c2"))
    dialect.send_tool_output("c2", "bye")
    assert dialect.messages_to_send() == [ToolOutput("c2", "bye")]
    assert dialect.history[-1].text == "bye"


def test_an_output_that_comes_after_the_sdks_session_is_given_to_the_next_one() -> None:
    dialect = started("slow")
    respond(dialect, call("slow", "c1"))
    dialect.connection_lost(1.0)
    dialect.connection_made(2.0)
    dialect.messages_to_send()
    dialect.receive_message({"type": "session.updated", "session": {"id": "s2"}}, 2.0)
    dialect.messages_to_send()
    dialect.send_tool_output("c1", "found")
    sent = dialect.messages_to_send()
    assert b'"function_call_output"' in sent[0]
    assert b'"response.create"' in sent[1]


def test_what_the_sdk_cuts_is_cut_here() -> None:
    dialect = started()
    dialect.receive_message(AudioCut("nobody"), 0.0)
    assert dialect.events_received() == [ModelInterrupted("")]


def test_a_handoff_of_the_sdk_is_noted() -> None:
    dialect = started()
    dialect.receive_message(AgentTookOver("Billing"), 0.0)
    assert dialect.events_received() == [AgentChanged("Billing")]
    assert dialect.agent_name == "Billing"


def test_audio_is_not_wrapped_twice() -> None:
    assert started().append_message(b"\xff") == b"\xff"


def test_the_sdk_is_given_the_session_without_what_agents_bring() -> None:
    settings = model_settings(CONFIG, PCMU)
    assert settings["model_name"] == "m"
    assert settings["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert not {"type", "instructions", "tools"} & settings.keys()
