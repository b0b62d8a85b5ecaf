"""The conversation so far, as turns of text."""

from __future__ import annotations

from telephony.realtime.gemini_history import turns_of
from telephony.realtime.history import HistoryItem
from tests.realtime.gemini_driver import text_turn


def said(role: str, text: str, **fields: object) -> HistoryItem:
    return HistoryItem(f"i{text}", "message", role, text, **fields)  # type: ignore[arg-type]


def test_neighbours_of_one_role_are_one_turn() -> None:
    items = [
        said("assistant", "Hello."),
        said("user", "Hi."),
        said("system", "It is late."),
        said("assistant", "one two", heard_ms=500.0, generated_ms=1000.0),
    ]
    assert turns_of(items) == [
        text_turn("Hello.", "model"),
        {"role": "user", "parts": [{"text": "Hi."}, {"text": "Note: It is late."}]},
        text_turn("one", "model"),
    ]


def test_what_was_not_heard_is_not_told() -> None:
    assert turns_of([said("assistant", "one", heard_ms=1.0, generated_ms=1000.0)]) == []
    assert turns_of([said("user", "  ")]) == []


def test_calls_are_notes() -> None:
    call = HistoryItem("c", "function_call", text="", call_id="1", name="f")
    output = HistoryItem("o", "function_call_output", text="ok", call_id="1", name="f")
    assert turns_of([call]) == []
    assert turns_of([call], {"1"}) == [
        text_turn("Note: you called f with {}; its output is to come.")
    ]
    assert turns_of([call, output]) == [text_turn("Note: you called f with {} and it returned: ok")]
    late = "Note: f, which you called before, returned: ok"
    assert turns_of([output]) == [text_turn(late)]
