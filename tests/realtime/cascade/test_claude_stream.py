"""The events of a streamed answer."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from telephony.base.ids import Ids
from telephony.realtime.cascade.claude_stream import (
    ClaudeStream,
    MessageEnded,
    StreamFact,
    StreamFailed,
    TextWritten,
    ToolWanted,
)
from telephony.rehearsal.anthropic.answer import Answer, InputTokens
from telephony.rehearsal.scenario import ToolCall

_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def read(*events: dict[str, Any]) -> tuple[ClaudeStream, list[StreamFact]]:
    stream = ClaudeStream()
    return stream, [fact for event in events if (fact := stream.receive(event)) is not None]


def block(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": content}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def test_a_whole_answer_as_the_vendor_types_it() -> None:
    calls = [ToolCall(name="look_up", arguments={"order": "a long enough number 4711"})]
    answer = Answer("claude-x", "Let me look.", calls, InputTokens(5, 100, 20), 300, Ids.seeded(1))
    events = [answer.head(), *answer.body(), *answer.tail()]
    for event in events:
        _EVENT.validate_python(event)
    stream, facts = read(*events)
    text = "".join(fact.text for fact in facts if isinstance(fact, TextWritten))
    assert text == "Let me look."
    [tool] = [fact for fact in facts if isinstance(fact, ToolWanted)]
    assert tool.name == "look_up"
    assert tool.arguments == '{"order": "a long enough number 4711"}'
    assert facts[-1] == MessageEnded("tool_use")
    usage = stream.usage
    assert (usage.input_tokens, usage.cached_text_tokens) == (125, 100)
    assert usage.output_tokens == answer.output_tokens
    assert stream.unknown == []


def test_pieces_of_arguments_of_two_tools_are_kept_apart() -> None:
    _, facts = read(
        block(0, type="tool_use", id="a", name="one", input={}),
        block(1, type="tool_use", id="b", name="two", input={}),
        delta(1, type="input_json_delta", partial_json='{"x"'),
        delta(0, type="input_json_delta", partial_json=""),
        delta(1, type="input_json_delta", partial_json=":1}"),
        stop(0),
        stop(1),
    )
    assert facts == [ToolWanted("a", "one", "{}"), ToolWanted("b", "two", '{"x":1}')]


def test_an_error_after_the_answer_began() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    stream, facts = read(delta(0, type="text_delta", text="Hi"), {"type": "error", "error": error})
    assert facts == [TextWritten("Hi"), StreamFailed("overloaded_error", "Overloaded")]
    assert stream.ended
    assert stream.receive({"type": "message_stop"}) is None


def test_unknown_types_are_passed_over_and_told() -> None:
    stream, facts = read(
        {"type": "ping"},
        {"type": "not_json"},
        block(0, type="server_tool_use", id="x"),
        delta(0, type="sparkle_delta", sparkle=1),
        delta(0, type="citations_delta", citation={}),
    )
    assert facts == []
    assert stream.unknown == ["not_json", "server_tool_use", "sparkle_delta"]


def test_thinking_is_kept_for_the_next_request_and_never_spoken() -> None:
    stream, facts = read(
        block(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="Hm"),
        delta(0, type="thinking_delta", thinking="m."),
        delta(0, type="signature_delta", signature="sig"),
        stop(0),
    )
    assert facts == []
    assert stream.thinking == [{"type": "thinking", "thinking": "Hmm.", "signature": "sig"}]


def test_an_end_without_a_reason_is_an_end() -> None:
    _, facts = read({"type": "message_stop"})
    assert facts == [MessageEnded("end_turn")]


def test_counts_are_cumulative_and_what_is_left_out_stays() -> None:
    stream, _ = read(
        {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 4}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 6, "input_tokens": -3}},
    )
    assert (stream.usage.input_tokens, stream.usage.output_tokens) == (9, 6)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": 7},
        {"type": "content_block_delta"},
        {"type": "content_block_delta", "index": "x", "delta": []},
        {"type": "content_block_start", "content_block": {"type": "tool_use"}},
        {"type": "message_start", "message": None},
        {"type": "error"},
    ],
)
def test_garbage_raises_nothing(event: dict[str, Any]) -> None:
    ClaudeStream().receive(event)
