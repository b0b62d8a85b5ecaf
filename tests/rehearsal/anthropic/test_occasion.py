"""What a request is about."""

from __future__ import annotations

from typing import Any

from telephony.rehearsal.anthropic.occasion import Occasion, occasion_of
from telephony.rehearsal.anthropic.request_fields import MessagesRequest
from telephony.rehearsal.script import Stimulus


def occasion(*contents: Any) -> Occasion:
    messages = [
        {"role": ("user", "assistant")[n % 2], "content": content}
        for n, content in enumerate(contents)
    ]
    body = {"model": "claude-x", "max_tokens": 9, "messages": messages}
    return occasion_of(MessagesRequest.model_validate(body))


def note(text: str) -> str:
    return f"<system_note>{text}</system_note>"


def test_words_of_the_caller() -> None:
    assert occasion("Hi").stimulus == Stimulus("speech", 1, "Hi")
    later = occasion("Hi", "Yes?", f"{note('A fact.')} Why?")
    assert later.stimulus == Stimulus("speech", 2, "Why?")
    assert later.note == "A fact."
    pressed = "The caller pressed 4 on the keypad."
    assert occasion(pressed).stimulus == Stimulus("text", 1, pressed)


def test_notes_alone() -> None:
    assert occasion(note("Greet.")) == Occasion(Stimulus("greeting"), "Greet.")
    again = occasion("Hi", "Yes?", note("Ask again."))
    assert again == Occasion(Stimulus("nudge", 1), "Ask again.", "Hi")


def test_outputs_of_tools_also_late_ones() -> None:
    use = [{"type": "tool_use", "id": "t1", "name": "look_up", "input": {}}]
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]
    assert occasion("Hi", use, result).stimulus == Stimulus("tool", 1, tool="look_up")
    late = note("Result of the tool look_up: x")
    assert occasion("Hi", "One moment.", late).stimulus == Stimulus("tool", 1, tool="look_up")
