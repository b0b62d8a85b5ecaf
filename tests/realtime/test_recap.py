"""The conversation in words."""

from __future__ import annotations

from telephony.realtime.history import HistoryItem
from telephony.realtime.recap import line_of, note_of_interruption, recap


def test_everybody_has_a_line_of_his_own() -> None:
    call = HistoryItem("c", "function_call", text='{"n": 1}', call_id="call_1", name="find")
    output = HistoryItem("o", "function_call_output", text="found", call_id="call_1")
    items = [
        HistoryItem("a", "message", "assistant", "Hello."),
        HistoryItem("b", "message", "user", "Find me."),
        call,
        output,
        HistoryItem("d", "message", "system", "It rains."),
        HistoryItem("e", "message", "user", "  "),
    ]
    assert recap(items) == (
        "The conversation so far:\n"
        "You: Hello.\n"
        "The caller: Find me.\n"
        'You called find with {"n": 1} (call call_1).\n'
        "Call call_1 returned: found\n"
        "Note: It rains."
    )
    assert line_of(output) == "Call call_1 returned: found"


def test_only_what_was_heard_is_told() -> None:
    item = HistoryItem("a", "message", "assistant", "one two three four")
    item.generated_ms, item.heard_ms = 1000.0, 500.0
    assert recap([item]).endswith("You: one two")


def test_nothing_is_told_of_nothing() -> None:
    assert recap([]) == ""
    assert recap([HistoryItem("a", "message", "user", "")]) == ""


def test_of_a_long_conversation_the_end_is_told() -> None:
    items = [HistoryItem(str(n), "message", "user", f"word {n} " + "x" * 100) for n in range(500)]
    text = recap(items)
    assert len(text) < 24_100
    assert "word 499" in text
    assert "word 0 " not in text
    # No line is cut in two.
    assert all(line.startswith("The ") for line in text.splitlines())


def test_an_interruption_names_what_was_heard() -> None:
    assert note_of_interruption(" We are open ").endswith('"We are open"')
    assert "nothing" in note_of_interruption(" ")
