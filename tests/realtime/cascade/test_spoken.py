"""Where the words are in the audio."""

from __future__ import annotations

from telephony.audio.format import PCMU
from telephony.base.speech import SpeechMark
from telephony.realtime.cascade.spoken import SpokenItem

FIRST, SECOND = "We are open.", " Until six."


def item(received_ms: int = 0) -> SpokenItem:
    spoken = SpokenItem("i")
    spoken.text = FIRST + SECOND
    spoken.received_bytes = PCMU.frame_bytes(received_ms)
    return spoken


def test_between_marks_words_are_spread_evenly() -> None:
    spoken = item(2200)
    spoken.add_marks([SpeechMark(len(FIRST), 1200.0), SpeechMark(len(FIRST + SECOND), 2200.0)])
    spoken.finished = True
    assert spoken.text_until(0, 2200) == ""
    assert spoken.text_until(150, 2200) == ""
    assert spoken.text_until(250, 2200) == "We"
    assert spoken.text_until(1199.6, 2200) == FIRST
    assert spoken.text_until(1500, 2200) == FIRST
    assert spoken.text_until(1900, 2200) == "We are open. Until"
    assert spoken.text_until(2200, 2200) == FIRST + SECOND


def test_behind_the_last_mark_the_pace_goes_on() -> None:
    spoken = item(1800)
    spoken.add_marks([SpeechMark(len(FIRST), 1200.0)])
    assert spoken.text_until(1800, 1800) == "We are open. Until"
    assert spoken.text_until(9000, 9000) == FIRST + SECOND


def test_without_marks_a_usual_pace_is_supposed() -> None:
    assert item(400).text_until(400, 400) == "We are"


def test_a_finished_item_without_marks_is_one_stretch() -> None:
    spoken = item(2300)
    spoken.finished = True
    assert spoken.text_until(1200, 2300) == "We are open."


def test_marks_that_run_backwards_or_beyond_are_passed_over() -> None:
    spoken = item(1000)
    spoken.add_marks(
        [SpeechMark(6, 500.0), SpeechMark(3, 700.0), SpeechMark(9, 400.0), SpeechMark(999, 900.0)]
    )
    assert spoken.text_until(500, 1000) == "We are"


def test_scripts_without_blanks_are_cut_anywhere() -> None:
    spoken = SpokenItem("i")
    spoken.text = "我们从早上九点到晚上六点营业。"
    spoken.add_marks([SpeechMark(len(spoken.text), 1500.0)])
    assert spoken.text_until(700, 1500) == spoken.text[:7]


def test_length() -> None:
    assert item(300).received_ms(PCMU) == 300
