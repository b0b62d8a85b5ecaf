"""Audio of the caller to turns."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K, L16_16K, AudioFormat
from telephony.rehearsal.gemini.hearing import Hearing
from telephony.rehearsal.gemini.refusal import RefusedError
from telephony.rehearsal.gemini.setup_fields import read_setup
from telephony.rehearsal.listening import Recognition
from tests.rehearsal.driver import EARS, phrase

DETECTION = read_setup({"model": "models/gemini-3.8-live"}, "v1", vertex=False).detection(
    vertex=False
)
TEXT = "What are your opening hours this week?"


def heard(hearing: Hearing, audio: AudioFormat) -> list[tuple[bool, Recognition | None]]:
    pcm16 = phrase("caller_question", audio)
    size = audio.frame_bytes(100)
    facts = []
    for at in range(0, len(pcm16), size):
        facts += hearing.hear(pcm16[at : at + size], audio.sample_rate_hz)
    return facts


@pytest.mark.parametrize("audio", [L16_16K, L16_8K, AudioFormat("l16", 24000)])
def test_a_turn_at_any_rate(audio: AudioFormat) -> None:
    hearing = Hearing()
    hearing.configure(DETECTION)
    (began, none), (ended, recognition) = heard(hearing, audio)
    assert (began, none, ended) == (True, None, False)
    assert recognition is not None
    assert EARS.recognise(recognition.pcm16).text == TEXT
    clip = hearing.echo("words")
    assert clip is not None
    assert (clip.text, clip.duration_ms > 1000) == ("words", True)
    hearing.forget_audio()
    assert hearing.echo("words") is None


def test_a_turn_that_the_client_marks() -> None:
    hearing = Hearing()
    hearing.configure(None)
    assert heard(hearing, L16_16K) == []
    hearing.begin_activity()
    assert heard(hearing, L16_16K) == []
    recognition = hearing.end_activity()
    assert EARS.recognise(recognition.pcm16).text == TEXT
    # What came before the turn was forgotten.
    assert len(recognition.pcm16) == pytest.approx(len(phrase("caller_question", L16_8K)), abs=640)


def test_marks_that_are_out_of_place() -> None:
    hearing = Hearing()
    hearing.configure(None)
    with pytest.raises(RefusedError, match="without activityStart"):
        hearing.end_activity()
    hearing.configure(DETECTION)
    with pytest.raises(RefusedError, match="automatic activity detection"):
        hearing.begin_activity()
    with pytest.raises(RefusedError, match="automatic activity detection"):
        hearing.end_activity()
