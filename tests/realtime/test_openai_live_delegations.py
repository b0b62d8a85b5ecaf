"""Delegated work: to our own tool, and to a model at the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    ApprovalRequested,
    ResponseFinished,
    ResponseStarted,
    ToolCallRequested,
    UsageReported,
)
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.openai_live_config import LiveConfig
from tests.realtime.live_driver import LiveDriver

TOOLS = (FunctionTool(name="hours"), FunctionTool(name="hangup"))
BACKEND = LiveConfig.from_mapping(
    {"delegation": {"type": "responses", "responses": {"model": "gpt-5.5"}}}
)


def connected(config: LiveConfig | None = None) -> LiveDriver:
    driver = LiveDriver(config, brief=Brief("Be kind.", TOOLS))
    driver.connect()
    driver.events()
    return driver


def test_a_delegation_is_a_tool_call_beside_the_conversation() -> None:
    driver = connected()
    driver.speak(100)
    driver.words("One moment.", 0, 100)
    spoken = driver.model.active_response_id
    driver.events()
    driver.delegate()
    started, call, finished = driver.events()
    assert isinstance(started, ResponseStarted)
    assert started.out_of_band
    assert isinstance(call, ToolCallRequested)
    assert (call.name, call.call_id) == ("delegate", "del_1")
    assert json.loads(call.arguments) == {
        "conversation": [{"role": "assistant", "text": "One moment."}],
        "delegation_id": "del_1",
    }
    assert isinstance(finished, ResponseFinished)
    assert (finished.tool_calls, finished.out_of_band) == ((call,), True)
    assert driver.model.active_response_id == spoken
    driver.delegate()
    assert driver.of(ToolCallRequested) == []


def test_the_answer_is_told_to_be_spoken() -> None:
    driver = connected()
    driver.delegate()
    driver.model.report_progress("del_1", "Looking into the calendar.")
    driver.model.send_tool_output("del_1", "It is noon.")
    assert driver.told() == [
        ("thinking", "Looking into the calendar.", "del_1"),
        ("commentary", "It is noon.", "del_1"),
    ]
    driver.model.report_progress("del_1", "too late")
    assert driver.told() == []
    with pytest.raises(LocalProtocolError):
        driver.model.send_tool_output("del_1", "It is one.")


def test_an_answer_that_is_only_to_be_known() -> None:
    driver = connected()
    driver.delegate()
    driver.model.send_tool_output("del_1", "It is noon.", respond=False)
    assert driver.told() == [("thinking", "It is noon.", "del_1")]


def test_a_failure_is_something_the_model_can_speak_of() -> None:
    driver = connected()
    driver.delegate()
    driver.model.send_tool_output("del_1", '{"error": "delegate did not finish within 30 s"}')
    [(kind, text, _)] = driver.told()
    assert kind == "commentary"
    assert text.endswith("delegate did not finish within 30 s")
    assert "Tell the caller" in text


def test_a_long_answer_comes_in_pieces_of_one_delegation() -> None:
    driver = connected()
    driver.delegate()
    driver.model.send_tool_output("del_1", "We are open from nine to five. " * 50)
    told = driver.told()
    assert len(told) > 1
    assert {(kind, delegation) for kind, _, delegation in told} == {("commentary", "del_1")}


def test_an_answer_may_ask_for_tools_of_the_call() -> None:
    driver = connected()
    driver.delegate()
    driver.events()
    wanted = [{"name": "hangup", "arguments": {"reason": "done"}}, {"name": "unknown"}]
    driver.model.send_tool_output("del_1", json.dumps({"say": "Bye.", "calls": wanted}))
    # What is said before a tool of the call runs is that tool's to ask for.
    assert driver.told() == [("thinking", "Bye.", "del_1")]
    started, call, finished = driver.events()
    assert started.out_of_band
    assert (call.name, json.loads(call.arguments)) == ("hangup", {"reason": "done"})
    assert finished.tool_calls == (call,)
    driver.model.send_tool_output(call.call_id, "Say goodbye now.")
    assert driver.told() == [("commentary", "Say goodbye now.", None)]


def test_an_answer_after_a_reconnect_is_told_without_its_delegation() -> None:
    driver = connected()
    driver.delegate()
    driver.lose()
    driver.connect()
    driver.model.send_tool_output("del_1", "It is noon.")
    assert driver.told() == [("commentary", "It is noon.", None)]


def test_an_answer_while_there_is_no_session_waits_for_the_next() -> None:
    driver = connected()
    driver.delegate()
    driver.delegate("del_2")
    driver.lose()
    driver.model.send_tool_output("del_1", "It is noon.")
    driver.model.send_tool_output("del_2", "It is Monday.", respond=False)
    session = driver.begin()
    said = [message["content"][0]["text"] for message in session["input"]]
    assert not any("noon" in text for text in said)
    assert any("Monday" in text for text in said)
    driver.started()
    assert driver.told() == [("commentary", "It is noon.", None)]


# A backend at the provider


def sent(driver: LiveDriver) -> list[dict[str, Any]]:
    return [{k: v for k, v in m.items() if k != "event_id"} for m in driver.sent()]


def test_the_backend_has_the_agents_tools_and_instructions() -> None:
    session = LiveDriver(BACKEND, brief=Brief("Be kind.", TOOLS)).begin()
    assert session["delegation"]["type"] == "responses"
    backend = session["delegation"]["responses"]
    assert backend["model"] == "gpt-5.5"
    assert backend["instructions"] == "Be kind."
    assert [tool["name"] for tool in backend["tools"]] == ["hours", "hangup"]


def test_all_outputs_of_a_response_and_then_one_request() -> None:
    driver = connected(BACKEND)
    driver.delegate(target="responses")
    driver.backend_call("c1", "hours", '{"day":"monday"}')
    driver.backend_call("c2", "hours", '{"day":"tuesday"}')
    driver.backend_call("c1", "hours", '{"day":"monday"}')
    started, first, second = driver.events()
    assert started.out_of_band
    assert (first.call_id, first.name, first.arguments) == ("c1", "hours", '{"day":"monday"}')
    usage = {"input_tokens": 100, "output_tokens": 7, "total_tokens": 107}
    driver.backend_done(usage=usage)
    [finished] = driver.events()
    assert finished.tool_calls == (first, second)
    assert (finished.usage.input_tokens, finished.usage.output_tokens) == (100, 7)
    driver.model.send_tool_output("c2", "closed", respond=False)
    output = {"type": "function_call_output", "call_id": "c2", "output": "closed"}
    assert sent(driver) == [{"type": "response.item.create", "item": output}]
    driver.model.send_tool_output("c1", "open")
    output = {"type": "function_call_output", "call_id": "c1", "output": "open"}
    assert sent(driver) == [
        {"type": "response.item.create", "item": output},
        {"type": "response.create"},
    ]


def test_two_delegations_go_on_side_by_side() -> None:
    driver = connected(BACKEND)
    driver.backend("response.created", "del_1", response={"id": "a"})
    for delegation_id, call_id in (("del_1", "c1"), ("del_2", "c2")):
        item = {"type": "function_call", "id": "x", "call_id": call_id, "name": "hours"}
        item["arguments"] = "{}"
        driver.backend("response.output_item.done", delegation_id, item=item)
    for delegation_id in ("del_1", "del_2"):
        driver.backend("response.completed", delegation_id, response={"id": delegation_id})
    finished = driver.of(ResponseFinished)
    assert [[call.call_id for call in event.tool_calls] for event in finished] == [["c1"], ["c2"]]
    driver.model.send_tool_output("c2", "open")
    assert [m["type"] for m in driver.sent()] == ["response.item.create", "response.create"]


def test_a_response_without_calls_only_costs() -> None:
    driver = connected(BACKEND)
    driver.backend("response.output_text.delta", delta="It is noon.")
    driver.backend_done(usage={"input_tokens": 5, "output_tokens": 3})
    driver.backend_done()
    [reported] = driver.events()
    assert isinstance(reported, UsageReported)
    assert reported.usage.total_tokens == 8


def test_a_remote_tool_asks_first() -> None:
    driver = connected(BACKEND)
    item = {"type": "mcp_approval_request", "id": "appr_1", "server_label": "crm"}
    item |= {"name": "find", "arguments": "{}"}
    driver.backend("response.output_item.done", item=item)
    driver.backend_call("c1", "hours")
    driver.backend_done()
    [asked] = driver.of(ApprovalRequested)
    assert asked == ApprovalRequested("appr_1", "crm", "find", "{}")
    driver.model.answer_approval("appr_1", False, "not today")
    [answer] = sent(driver)
    assert answer["item"] == {
        "type": "mcp_approval_response",
        "approval_request_id": "appr_1",
        "approve": False,
        "reason": "not today",
    }
    driver.model.send_tool_output("c1", "open")
    assert [m["type"] for m in driver.sent()] == ["response.item.create", "response.create"]


def test_outputs_after_a_reconnect_are_told_in_words() -> None:
    driver = connected(BACKEND)
    driver.backend_call("c1", "hours")
    driver.lose()
    [finished] = driver.of(ResponseFinished)
    assert (finished.status, finished.reason) == ("failed", "connection_lost")
    assert [call.call_id for call in finished.tool_calls] == ["c1"]
    driver.connect()
    driver.model.send_tool_output("c1", "nine to five")
    text = "What the tool hours returned: nine to five"
    assert driver.told() == [("commentary", text, None)]


def test_keys_the_caller_pressed_reach_the_backend() -> None:
    driver = connected(BACKEND)
    driver.model.add_user_text("The caller pressed 7.")
    thinking, item = sent(driver)
    assert thinking["content"] == "The caller pressed 7."
    assert item["item"]["role"] == "user"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call", "name": "hours", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "hours", "status": "incomplete"},
        {"type": "mcp_approval_request", "name": "x"},
        {"type": "message"},
    ],
)
def test_items_that_ask_for_nothing(item: dict[str, Any]) -> None:
    driver = connected(BACKEND)
    driver.backend("response.output_item.done", item=item)
    assert driver.of(ToolCallRequested, ApprovalRequested) == []
