"""Laws of what was heard of a Live model: the words, and the audio that is passed on."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.format import PCMU
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_heard import SpokenItem
from telephony.realtime.openai_live_talkspurts import (
    KEPT_SILENCE_MS,
    PREROLL_MS,
    TalkspurtGate,
)
from tests.realtime.live_driver import silence, sound

_RUNS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=6)
_WORDS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=12)


def spoken(runs: list[tuple[int, int]], words: list[tuple[int, int]]) -> tuple[SpokenItem, str]:
    item = SpokenItem(HistoryItem("a", "message", "assistant"))
    for sounds, pauses in runs:
        for _ in range(sounds):
            item.time_passed(20)
            item.audio_received(20)
        item.time_passed(20 * pauses)
    at_ms, text = 5000.0, ""
    for number, (gap_ms, length_ms) in enumerate(words):
        word = f"w{number} "
        item.word(word, at_ms + gap_ms, at_ms + gap_ms + length_ms)
        at_ms += gap_ms + length_ms
        text += word
    return item, text


@given(_RUNS, _WORDS, st.lists(st.integers(1, 8000), min_size=2, max_size=4))
@settings(max_examples=100, deadline=None)
def test_who_hears_longer_hears_no_less(
    runs: list[tuple[int, int]], words: list[tuple[int, int]], cuts: list[int]
) -> None:
    heard = []
    for audio_end_ms in sorted(cuts):
        item, whole = spoken(runs, words)
        item.cut(audio_end_ms)
        assert whole.startswith(item.item.heard_text)
        heard.append(item.item.heard_text)
    assert heard == sorted(heard, key=len)


@given(_RUNS, _WORDS, st.integers(1, 8000))
@settings(max_examples=100, deadline=None)
def test_it_does_not_matter_whether_words_come_before_or_after_the_cut(
    runs: list[tuple[int, int]], words: list[tuple[int, int]], audio_end_ms: int
) -> None:
    before, _ = spoken(runs, words)
    before.cut(audio_end_ms)
    after, _ = spoken(runs, [])
    after.cut(audio_end_ms)
    at_ms = 5000.0
    for number, (gap_ms, length_ms) in enumerate(words):
        after.word(f"w{number} ", at_ms + gap_ms, at_ms + gap_ms + length_ms)
        at_ms += gap_ms + length_ms
    assert after.item.heard_text == before.item.heard_text


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 60)), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_all_sound_is_heard_and_little_of_the_silence(runs: list[tuple[int, int]]) -> None:
    gate = TalkspurtGate(PCMU)
    passed_ms = 0.0
    for sounds, pauses in runs:
        for _ in range(sounds):
            passed_ms += PCMU.duration_ms(len(gate.feed(sound(20))))
        for _ in range(pauses):
            passed_ms += PCMU.duration_ms(len(gate.feed(silence(20))))
    sound_ms = sum(20 * sounds for sounds, _ in runs)
    silence_ms = sum(20 * pauses for _, pauses in runs)
    most_ms = len(runs) * (KEPT_SILENCE_MS + PREROLL_MS)
    assert sound_ms <= passed_ms <= sound_ms + min(silence_ms, most_ms)
