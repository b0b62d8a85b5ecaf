from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.rehearsal.input_buffer import InputBuffer, Segment, SpeechBegan, SpeechEnded
from telephony.rehearsal.prompt_library import Prompt, shipped_prompts
from telephony.rehearsal.settings import TurnDetection
from tests.rehearsal.driver import EARS, phrase

DETECTION = TurnDetection(0.5, 300, 500, None, True, True)
SPOKEN_MS = shipped_prompts()["caller_question"].duration_ms


def feed(buffer: InputBuffer, audio: bytes, size: int) -> list[SpeechBegan | SpeechEnded]:
    facts: list[SpeechBegan | SpeechEnded] = []
    for at in range(0, len(audio), size):
        facts += buffer.append(audio[at : at + size])
    return facts


@pytest.mark.parametrize("audio_format", [PCMU, PCMA, L16_24K])
@pytest.mark.parametrize("chunk_ms", [5, 20, 60, 10_000])
def test_speech_is_found_however_it_is_cut(audio_format: AudioFormat, chunk_ms: int):
    buffer = InputBuffer(audio_format, DETECTION)
    audio = phrase("caller_question", audio_format, before_ms=1000)
    began, ended = feed(buffer, audio, audio_format.frame_bytes(chunk_ms))
    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert began.start_ms == pytest.approx(700, abs=120)
    segment = ended.segment
    assert segment.start_ms == began.start_ms
    assert segment.end_ms == pytest.approx(1000 + SPOKEN_MS + 500, abs=150)
    assert audio_format.duration_ms(len(segment.audio)) == pytest.approx(segment.duration_ms)
    assert segment.speech_ms == pytest.approx(SPOKEN_MS, abs=200)
    start = audio_format.frame_bytes(round(segment.start_ms))
    assert audio[start : start + len(segment.audio)] == segment.audio


def test_several_turns_in_one_append():
    buffer = InputBuffer(PCMU, DETECTION)
    facts = list(buffer.append(phrase("caller_yes", PCMU) * 3))
    assert [type(fact) for fact in facts] == [SpeechBegan, SpeechEnded] * 3


def test_silence_keeps_no_more_than_the_padding():
    buffer = InputBuffer(PCMU, DETECTION)
    feed(buffer, b"\xff" * 8 * 60_000, 480)
    assert buffer.received_ms == 60_000
    assert buffer.kept_ms < 2000


def test_without_detection_two_minutes_are_kept():
    buffer = InputBuffer(PCMU, None)
    feed(buffer, b"\xff" * 8 * 200_000, 8000)
    assert 120_000 <= buffer.kept_ms <= 121_000
    segment = buffer.commit()
    assert segment.end_ms == 200_000
    assert len(segment.audio) == round(segment.duration_ms) * 8
    assert buffer.kept_ms == 0


def test_a_new_format_goes_on_from_the_same_position():
    buffer = InputBuffer(PCMU, DETECTION)
    feed(buffer, b"\xff" * 8000, 480)
    buffer.configure(L16_24K, DETECTION)
    assert buffer.received_ms == 1000
    began, _ = feed(buffer, phrase("caller_yes", L16_24K), 2880)
    assert isinstance(began, SpeechBegan)
    assert began.start_ms == pytest.approx(1100, abs=150)


def test_the_same_settings_do_not_disturb_speech():
    buffer = InputBuffer(PCMU, DETECTION)
    audio = phrase("caller_question", PCMU)
    half = len(audio) // 2
    feed(buffer, audio[:half], 480)
    assert buffer.speaking
    buffer.configure(PCMU, DETECTION)
    assert buffer.speaking


def test_clear_forgets_speech():
    buffer = InputBuffer(PCMU, DETECTION)
    audio = phrase("caller_question", PCMU)
    feed(buffer, audio[: len(audio) // 2], 480)
    buffer.clear()
    assert not buffer.speaking
    assert buffer.kept_ms == 0


def test_a_commit_while_speaking_leaves_the_rest_for_the_end_of_speech():
    buffer = InputBuffer(PCMU, DETECTION)
    audio = phrase("caller_question", PCMU)
    half = len(audio) // 2 // 480 * 480
    feed(buffer, audio[:half], 480)
    first = buffer.commit()
    (ended,) = feed(buffer, audio[half:], 480)
    assert isinstance(ended, SpeechEnded)
    assert ended.segment.start_ms == first.end_ms


def test_half_samples_are_harmless():
    buffer = InputBuffer(L16_24K, DETECTION)
    facts = feed(buffer, phrase("caller_yes", L16_24K), 961)
    assert [type(fact) for fact in facts] == [SpeechBegan, SpeechEnded]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_extreme_thresholds_are_possible(threshold):
    buffer = InputBuffer(PCMU, TurnDetection(threshold, 0, 0, None, True, True))
    feed(buffer, phrase("caller_yes", PCMU), 480)


def test_a_segment_as_pcm():
    segment = Segment(b"\xff" * 800, PCMU, 0.0, 100.0, 100.0)
    assert len(segment.pcm16(L16_24K)) == 4800


@pytest.mark.parametrize("prompt", shipped_prompts().spoken_by("caller"), ids=lambda p: p.name)
@pytest.mark.parametrize("before_ms", [0, 400, 413, 1000])
def test_a_callers_phrase_is_one_turn_and_understood(prompt: Prompt, before_ms: int):
    buffer = InputBuffer(PCMU, TurnDetection(0.5, 300, 300, None, True, True))
    audio = phrase(prompt.name, PCMU, before_ms=before_ms)
    _, ended = feed(buffer, audio, 480)
    assert isinstance(ended, SpeechEnded)
    assert EARS.recognise(ended.segment.pcm16(L16_8K)).text == prompt.text
