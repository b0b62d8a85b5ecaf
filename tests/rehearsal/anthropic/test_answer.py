"""An answer as a stream and as a whole."""

from __future__ import annotations

from telephony.base.ids import Ids
from telephony.rehearsal.anthropic.answer import Answer, InputTokens, tokens_of
from telephony.rehearsal.scenario import ToolCall


def answer(text: str, *calls: ToolCall, max_tokens: int = 100) -> Answer:
    return Answer("claude-x", text, calls, InputTokens(3), max_tokens, Ids.seeded(1))


def test_the_pieces_make_the_whole() -> None:
    made = answer("One two  three.", ToolCall(name="a", arguments={"k": "v" * 30}))
    texts, arguments = "", ""
    for event in made.body():
        delta = event.get("delta", {})
        texts += delta.get("text", "")
        arguments += delta.get("partial_json", "")
    assert texts == "One two  three."
    whole = made.whole()
    assert [block["type"] for block in whole["content"]] == ["text", "tool_use"]
    assert whole["stop_reason"] == "tool_use"
    assert arguments == '{"k": "' + "v" * 30 + '"}'


def test_arguments_of_none_are_an_empty_text() -> None:
    made = answer("", ToolCall(name="a"))
    pieces = [e["delta"]["partial_json"] for e in made.body() if e["type"] == "content_block_delta"]
    assert pieces == [""]


def test_too_long_is_cut() -> None:
    made = answer("word " * 50, ToolCall(name="a"), max_tokens=5)
    assert made.stop_reason == "max_tokens"
    assert tokens_of(made.text) == 5
    assert len(made.whole()["content"]) == 1


def test_nothing_to_say() -> None:
    made = answer("")
    assert list(made.body()) == []
    assert made.stop_reason == "end_turn"
    assert [event["type"] for event in made.tail()] == ["message_delta", "message_stop"]
