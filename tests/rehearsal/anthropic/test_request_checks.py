"""What the rehearsal Claude refuses."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.rehearsal.anthropic.request_checks import Refusal, read_request
from telephony.rehearsal.anthropic.request_fields import MessagesRequest

NEW = "2026-10-21"
USE = {"type": "tool_use", "id": "t1", "name": "look_up", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
TOOL = {"name": "look_up", "input_schema": {"type": "object"}}
TEXT = {"type": "text", "text": "Hi"}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def bot(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"model": "claude-x", "max_tokens": 20, "messages": list(messages)}
    return whole | fields


def refusal(*messages: Any, version: str | None = NEW, **fields: Any) -> Refusal:
    found = read_request(body(*messages, **fields), version)
    assert isinstance(found, Refusal)
    return found


def test_what_is_right_is_taken() -> None:
    for taken in (
        body(user(TEXT)),
        body({"role": "user", "content": "Hi"}, tools=[TOOL], tool_choice={"type": "any"}),
        body(user(TEXT), bot(TEXT, USE), user(RESULT, TEXT), tools=[TOOL]),
        body(user(TEXT), thinking={"type": "disabled"}, output_config={"effort": "low"}),
        body(user(TEXT), stream=True, speed="fast", service_tier="auto"),
    ):
        assert isinstance(read_request(taken, NEW), MessagesRequest)


@pytest.mark.parametrize(
    ("messages", "part"),
    [
        ([bot(TEXT), user(TEXT)], "messages.0: role is assistant; user expected"),
        ([user(TEXT), user(TEXT)], "messages.1: role is user; assistant expected"),
        ([user(TEXT), bot(TEXT)], "prefill"),
        ([user()], "non-empty content"),
        ([user({"type": "text", "text": " "})], "non-whitespace"),
        ([user(TEXT), bot(USE), user(TEXT)], "without `tool_result` blocks immediately after: t1"),
        ([user(TEXT), bot(USE), user(TEXT, RESULT)], "must come first"),
        ([user(TEXT), bot(USE), user(RESULT, RESULT)], "unexpected `tool_use_id`"),
        ([user(TEXT), bot(TEXT), user(RESULT)], "unexpected `tool_use_id`"),
        ([user({"type": "audio", "data": ""})], "messages.0"),
        ([], "messages"),
    ],
)
def test_messages_out_of_order(messages: list[Any], part: str) -> None:
    found = refusal(*messages, tools=[TOOL])
    assert found.status == 400
    assert part in found.message


@pytest.mark.parametrize(
    ("fields", "status", "part"),
    [
        ({"colour": "red"}, 400, "colour: Extra inputs are not permitted"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"model": "gpt-x"}, 404, "model: gpt-x"),
        ({"tools": [TOOL, TOOL]}, 400, "unique"),
        ({"tool_choice": {"type": "auto"}}, 400, "while providing tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, 400, "not found"),
        ({"temperature": 1.0}, 400, "temperature: not supported in version"),
        ({"thinking": {"type": "enabled", "budget_tokens": 3}}, 400, "budget_tokens"),
    ],
)
def test_fields(fields: dict[str, Any], status: int, part: str) -> None:
    found = refusal(user(TEXT), **fields)
    assert found.status == status
    assert part in found.message


def test_calls_without_tools() -> None:
    assert "must define tools" in refusal(user(TEXT), bot(USE), user(RESULT)).message


def test_too_many_marks() -> None:
    marked = TEXT | {"cache_control": {"type": "ephemeral"}}
    assert "maximum of 4" in refusal(user(*[marked] * 5)).message


def test_versions() -> None:
    assert "header is required" in refusal(user(TEXT), version=None).message
    assert "not a valid version" in refusal(user(TEXT), version="2024-01-01").message
    assert isinstance(
        read_request(body(user(TEXT), temperature=1.0), "2023-06-01"), MessagesRequest
    )
    cited = TEXT | {"citations": [{"x": 1}]}
    assert "citations" in refusal(user(cited)).message


@pytest.mark.parametrize("value", [None, [], "x", 7, {"messages": 3}])
def test_no_request_at_all(value: Any) -> None:
    found = read_request(value, NEW)
    assert isinstance(found, Refusal)
    assert found.to_wire("req_1")["error"]["type"] == "invalid_request_error"
