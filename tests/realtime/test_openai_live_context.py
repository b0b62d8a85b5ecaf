"""Text within the limits of a Live session."""

from __future__ import annotations

import pytest

from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_context import (
    MAX_INPUT_MESSAGES,
    MAX_INPUT_TOKENS,
    MAX_PIECES,
    PIECE_TOKENS,
    estimated_tokens,
    input_messages,
    pieces,
    retold,
)


def message(number: int, role: str, text: str) -> HistoryItem:
    return HistoryItem(f"i{number}", "message", role, text)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_has_no_pieces(text: str) -> None:
    assert pieces(text) == []


def test_short_text_is_one_piece() -> None:
    assert pieces("  It rains. ") == ["It rains."]


@pytest.mark.parametrize(
    "text",
    [
        "We are open from nine to five. " * 200,
        "word " * 800,
        "x" * 5000,
        "営業時間は九時から五時までです。" * 200,
        "😀" * 1500,
        "\ud800" * 300 + " lone surrogates",
    ],
)
def test_every_piece_is_within_the_limit_and_nothing_is_lost(text: str) -> None:
    found = pieces(text)
    assert all(piece and estimated_tokens(piece) <= PIECE_TOKENS for piece in found)
    joined = "".join("".join(found).split())
    assert "".join(text.split()).startswith(joined)
    if len(found) < MAX_PIECES:
        assert joined == "".join(text.split())


def test_pieces_end_with_sentences() -> None:
    found = pieces("We are open from nine to five. " * 100)
    assert len(found) > 1
    assert all(piece.endswith("five.") for piece in found)


def test_a_sentence_is_cut_between_words_where_it_is_too_long() -> None:
    assert pieces("One. " + "word " * 12, limit_tokens=20) == [
        "One. word word word word word word word",
        "word word word word word",
    ]


def test_roles_and_parts_of_what_was_said_before() -> None:
    items = [
        message(1, "system", "The caller is on hold."),
        message(2, "user", "Hello?"),
        message(3, "assistant", "Good morning."),
    ]
    assert input_messages(items) == [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "The caller is on hold."}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Hello?"}],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Good morning."}],
        },
    ]


def test_tools_become_notes() -> None:
    items = [
        HistoryItem("a", "function_call", text='{"day":"monday"}', call_id="c1", name="hours"),
        HistoryItem("b", "function_call_output", text="nine to five", call_id="c1"),
        HistoryItem("c", "function_call_output", text="noon", call_id="c9"),
    ]
    told = [(m["role"], m["content"][0]["text"]) for m in input_messages(items)]
    assert told == [
        ("developer", 'The tool hours was called with {"day":"monday"}.'),
        ("developer", "The tool hours returned: nine to five"),
        ("developer", "A tool returned: noon"),
    ]
    assert len(input_messages(items, {"c1"})) == 2


def test_the_newest_messages_are_kept() -> None:
    many = [message(n, "user", f"number {n}") for n in range(200)]
    kept = input_messages(many)
    assert len(kept) == MAX_INPUT_MESSAGES
    assert kept[-1]["content"][0]["text"] == "number 199"
    long = [message(n, "user", f"{n} " + "word " * 500) for n in range(30)]
    kept = input_messages(long)
    assert sum(estimated_tokens(m["content"][0]["text"]) for m in kept) <= MAX_INPUT_TOKENS
    assert kept[-1]["content"][0]["text"].startswith("29 ")
    assert 1 < len(kept) < 30


def test_what_nobody_heard_was_not_said() -> None:
    item = HistoryItem("a", "message", "assistant", "You never heard this.")
    item.heard_ms, item.generated_ms = 0.0, 1000.0
    assert input_messages([item]) == []


def test_what_happened_elsewhere_is_retold() -> None:
    items = [message(1, "user", "Hello?"), message(2, "assistant", "Yes?")]
    items.append(message(3, "system", "It is noon."))
    assert retold(items) == (
        "What happened just now:\nThe caller said: Hello?\nYou said: Yes?\nIt is noon."
    )
    assert retold([]) == ""
