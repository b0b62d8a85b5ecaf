"""Which words lie before the place where audio was cut off."""

from __future__ import annotations

import pytest

from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_heard import SpokenItem


def spoken(runs: list[tuple[int, int]]) -> SpokenItem:
    """Return an item of sounds, each with the silence left out after it, in milliseconds."""
    item = SpokenItem(HistoryItem("a", "message", "assistant"))
    for sound_ms, silence_ms in runs:
        for _ in range(sound_ms // 20):
            item.time_passed(20)
            item.audio_received(20)
        item.time_passed(silence_ms)
    return item


@pytest.mark.parametrize(
    ("audio_end_ms", "text"),
    [(1, ""), (159, ""), (160, "one"), (359, "one"), (360, "one two"), (900, "one two three")],
)
def test_a_word_counts_when_half_of_it_was_heard(audio_end_ms: int, text: str) -> None:
    item = spoken([(660, 0)])
    for number, word in enumerate(["one ", "two ", "three"]):
        item.word(word, 5000 + 200 * number, 5200 + 200 * number)
    item.cut(audio_end_ms)
    assert item.item.heard_text == text


def test_silence_that_was_left_out_passes_for_the_words() -> None:
    item = spoken([(200, 1000), (200, 0)])
    item.word("one ", 0, 100)
    item.word("two", 1200, 1300)
    item.cut(210)
    assert item.item.heard_text == "one"
    later = spoken([(200, 1000), (200, 0)])
    later.word("one ", 0, 100)
    later.word("two", 1200, 1300)
    later.cut(320)
    assert later.item.heard_text == "one two"


def test_a_second_cut_sees_all_the_words() -> None:
    item = spoken([(660, 0)])
    for number, word in enumerate(["one ", "two "]):
        item.word(word, 200 * number, 200 + 200 * number)
    item.cut(600)
    item.word("three", 400, 600)
    assert item.item.heard_text == "one two three"
    item.cut(200)
    assert item.item.heard_text == "one"


def test_without_times_the_share_of_the_audio_counts() -> None:
    item = spoken([(1000, 0)])
    item.word("one two three four", None, None)
    item.cut(500)
    assert item.item.heard_text == "one two"


def test_words_without_any_audio() -> None:
    item = SpokenItem(HistoryItem("a", "message", "assistant"))
    item.word("one", 0, 100)
    assert item.item.heard_text == "one"
    item.cut(50)
    assert item.item.heard_text == ""
