"""Tools of remote MCP servers, which the model's provider calls: listed, approved, called."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.realtime.events import (
    ApprovalRequested,
    ModelError,
    ResponseFinished,
    ResponseStarted,
    TranscriptFinished,
)
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.remote_tools import needs_approval
from tests.rehearsal.driver import Driver, scenario
from tests.rehearsal.pair import Pair

PROMPTS = shipped_prompts()
CRM = {"type": "mcp", "server_label": "crm", "server_url": "https://example.com/mcp"}
TURNS = """
  - when: greeting
    remote: {{server: crm, name: find, arguments: {{n: 1}}, {outcome}}}
  - {{when: {{tool: find}}, say: short_answer}}"""


def played(outcome: str = "output: found") -> Any:
    return scenario(TURNS.format(outcome=outcome))


def pair_with(approval: Any = "never", outcome: str = "output: found", **tool: Any) -> Pair:
    tools = [{**CRM, "require_approval": approval, **tool}]
    pair = Pair(played=played(outcome), tools=tools)
    pair.client.create_response()
    pair.run(1.0)
    return pair


def said(pair: Pair) -> list[str]:
    return [event.text for event in pair.of(TranscriptFinished)]


def test_a_call_is_made_and_spoken_of():
    pair = pair_with()
    assert said(pair) == [PROMPTS["short_answer"].text]
    assert pair.client.stats.remote_tool_calls == 1
    assert len(pair.of(ResponseStarted)) == 2
    assert len(pair.sent_of("response.create")) == 1
    assert not pair.of(ModelError)
    assert pair.client.stats.unknown == 0


def test_a_model_that_does_not_go_on_is_asked_to():
    pair = pair_with(outcome="output: found, continues: false")
    assert said(pair) == []
    pair.run(2.5)
    assert said(pair) == [PROMPTS["short_answer"].text]
    assert len(pair.sent_of("response.create")) == 2


def test_a_call_that_failed_is_counted_and_spoken_of():
    pair = pair_with(outcome="error: no such customer")
    assert said(pair) == [PROMPTS["short_answer"].text]
    assert pair.client.stats.remote_tool_failures == 1


def test_an_approval_is_asked_for_once_and_given():
    pair = pair_with("always")
    (asked,) = pair.of(ApprovalRequested)
    assert (asked.server_label, asked.name, asked.arguments) == ("crm", "find", '{"n": 1}')
    assert pair.of(ResponseFinished)[-1].status == "completed"
    assert said(pair) == []
    pair.client.answer_approval(asked.approval_id, True, "The caller agreed.")
    pair.run(1.0)
    assert said(pair) == [PROMPTS["short_answer"].text]
    answer = pair.sent_of("conversation.item.create")[-1]["item"]
    assert answer.pop("id")
    assert answer == {
        "type": "mcp_approval_response",
        "approval_request_id": asked.approval_id,
        "approve": True,
        "reason": "The caller agreed.",
    }
    assert not pair.of(ModelError)


def test_a_refusal_is_spoken_of_too():
    pair = pair_with("always", "continues: false")
    (asked,) = pair.of(ApprovalRequested)
    pair.client.answer_approval(asked.approval_id, False)
    pair.run(3.0)
    assert len(pair.sent_of("response.create")) == 2
    assert pair.client.stats.remote_tool_calls == 0
    assert not pair.of(ModelError)


def test_an_answer_to_nothing_is_refused():
    pair = pair_with()
    pair.client.answer_approval("mcpr_x", True)
    pair.run(0.1)
    assert [error.code for error in pair.of(ModelError)] == ["invalid_value"]


def test_a_session_that_is_no_more_is_not_answered():
    pair = pair_with("always")
    (asked,) = pair.of(ApprovalRequested)
    pair.client.connection_lost(pair.now)
    pair.client.answer_approval(asked.approval_id, True)
    pair.connect()
    assert not pair.of(ModelError)
    assert not pair.sent_of("conversation.item.create")


def test_a_server_that_is_not_to_be_had_is_told_of():
    pair = pair_with(server_url="https://unreachable.example/mcp")
    (error,) = pair.of(ModelError)
    assert (error.code, error.fatal) == ("mcp_list_tools_failed", False)
    assert "'crm'" in error.message


def test_a_tool_that_is_not_allowed_is_not_called():
    pair = pair_with(allowed_tools=["other"])
    assert pair.client.stats.remote_tool_calls == 0


def test_the_events_of_a_call_are_those_of_the_api():
    driver = Driver(played(), update={"tools": [{**CRM, "require_approval": "never"}]})
    driver.send("response.create")
    driver.advance(2.0)
    kinds = driver.kinds()
    for earlier, later in (
        ("mcp_list_tools.in_progress", "mcp_list_tools.completed"),
        ("response.mcp_call_arguments.done", "response.mcp_call.in_progress"),
        ("response.mcp_call.in_progress", "response.mcp_call.completed"),
        ("response.mcp_call.completed", "response.output_item.done"),
    ):
        assert kinds.index(earlier) < kinds.index(later)
    (call,) = driver.of("response.done")[0]["response"]["output"]
    assert (call["type"], call["output"], call["server_label"]) == ("mcp_call", "found", "crm")


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        (None, True),
        ("always", True),
        ("never", False),
        ({"never": {"tool_names": ["find"]}}, False),
        ({"never": {"tool_names": ["other"]}}, True),
        ({"always": {"tool_names": ["find"]}}, True),
    ],
)
def test_who_is_asked(rule: Any, needed: bool):
    assert needs_approval({"require_approval": rule}, "find") == needed
