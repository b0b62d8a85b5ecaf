"""Order, and what was heard."""

from __future__ import annotations

import pytest

from telephony.realtime.history import History, HistoryItem, carried_over, settled, text_heard


def message(item_id: str, text: str = "x", role: str = "user") -> HistoryItem:
    return HistoryItem(item_id, "message", role, text)  # type: ignore[arg-type]


def ids(history: History) -> list[str]:
    return [item.item_id for item in history]


def test_items_are_placed_after_their_predecessor() -> None:
    history = History()
    history.place(message("a"))
    history.place(message("c"), "a")
    history.place(message("b"), "a")
    history.place(message("first"), "root")
    history.place(message("last"), "unknown")
    assert ids(history) == ["first", "a", "b", "c", "last"]
    assert history.previous_of("b") == "a"
    assert history.previous_of("first") == "root"


def test_a_known_item_stays_where_it_is() -> None:
    history = History()
    known = history.place(message("a", "one"))
    history.place(message("b"))
    assert history.place(message("a", "two"), "b") is known
    assert ids(history) == ["a", "b"]
    assert known.text == "one"


def test_a_removed_item_does_not_come_back() -> None:
    history = History()
    history.place(message("a"))
    assert history.remove("a") is not None
    assert history.remove("a") is None
    stray = history.place(message("a", "late"))
    stray.append_text(" words")
    assert len(history) == 0
    assert history.get("a") is None


def test_the_memory_of_removed_items_is_bounded() -> None:
    history = History()
    for number in range(1000):
        history.place(message(f"i{number}"))
        history.remove(f"i{number}")
    assert len(history._removed) <= 256


def test_the_oldest_items_are_forgotten() -> None:
    history = History(max_items=3)
    for number in range(10):
        history.place(message(f"i{number}"))
    assert ids(history) == ["i7", "i8", "i9"]
    assert len(history) == 3


def test_renaming_keeps_the_place() -> None:
    history = History()
    for name in "abc":
        history.place(message(name))
    item = history.get("b")
    assert item is not None
    history.rename(item, "B")
    assert ids(history) == ["a", "B", "c"]
    assert history.get("B") is item
    assert history.get("b") is None


@pytest.mark.parametrize(
    ("heard_ms", "generated_ms", "text"),
    [
        (0, 1000, ""),
        (-5, 1000, ""),
        (100, 0, ""),
        (1000, 1000, "one two three"),
        (2000, 1000, "one two three"),
        (500, 1000, "one"),
        (540, 1000, "one two"),
        (999, 1000, "one two"),
        (1, 1000, ""),
    ],
)
def test_the_heard_share_of_a_transcript_is_whole_words(
    heard_ms: float, generated_ms: float, text: str
) -> None:
    assert text_heard("one two three", heard_ms, generated_ms) == text


def test_the_share_follows_a_transcript_that_comes_late() -> None:
    item = message("a", "", "assistant")
    item.heard_ms, item.generated_ms = 500, 1000
    assert item.heard_text == ""
    item.append_text("one two ")
    item.append_text("three four")
    assert item.heard_text == "one two"


def test_text_is_bounded() -> None:
    item = message("a", "")
    for _ in range(100):
        item.append_text("x" * 10_000)
    assert len(item.text) == 65_536
    item.replace_text("y" * 100_000)
    assert len(item.text) == 65_536


def test_what_can_not_be_replayed_is_left_out() -> None:
    history = History()
    history.place(message("silent", "  "))
    history.place(message("said", "hello"))
    for call_id in ("answered", "open", "lost"):
        call = HistoryItem(f"c_{call_id}", "function_call", call_id=call_id)
        history.place(call)
    for call_id in ("answered", "orphan"):
        output = HistoryItem(f"o_{call_id}", "function_call_output", call_id=call_id)
        history.place(output)
    replayed = [item.item_id for item in history.replayable({"open"})]
    assert replayed == ["said", "c_answered", "c_open", "o_answered"]


def test_what_may_still_be_written_to_is_not_settled() -> None:
    items = [message(f"item_{number}") for number in range(20)]
    assert settled(items, quiet=True) == carried_over(items)
    left_out = carried_over(items)[len(settled(items, quiet=False)) :]
    assert 2 < len(left_out) < 20
    assert settled(items[:2], quiet=False) == ()


@pytest.mark.parametrize(
    ("heard_ms", "complete", "cut_before", "expected"),
    [
        (400, True, None, 400),
        (0, True, None, 0),
        (-5, True, None, 0),
        (1000, True, None, None),
        (5000, True, None, None),
        (5000, False, None, 1000),
        (400, True, 300.0, None),
        (400, True, 400.0, None),
        (400, True, 500.0, 400),
    ],
)
def test_where_an_item_is_cut(
    heard_ms: int, complete: bool, cut_before: float | None, expected: int | None
) -> None:
    item = HistoryItem("item", "message", "assistant", heard_ms=cut_before)
    assert item.cut_at(heard_ms, 1000, complete) == expected
