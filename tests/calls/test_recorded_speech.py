from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.calls.recorded_speech import SpeechCutter, Stretch, without_crosstalk
from tests.support.recordings import DIALOGUE, channel
from tests.support.speech import PROMPTS, phrase


def cut(pcm16: bytes, rate_hz: int = 8000, size: int = 80000, **more: float) -> list[Stretch]:
    cutter = SpeechCutter(rate_hz, **more)
    stretches = [
        s for at in range(0, len(pcm16), size) for s in cutter.receive(pcm16[at : at + size])
    ]
    return [*stretches, *cutter.finish()]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
@pytest.mark.parametrize("size", [322, 80000])
def test_each_turn_is_a_stretch_at_its_place(rate_hz: int, size: int) -> None:
    converter = Converter(L16_8K, AudioFormat("l16", rate_hz))
    speech = converter.convert(channel("caller")) + converter.flush()
    stretches = cut(speech, rate_hz, size)
    turns = [
        (start_s, PROMPTS[name].duration_ms) for who, start_s, name in DIALOGUE if who == "caller"
    ]
    assert len(stretches) == len(turns)
    for stretch, (start_s, duration_ms) in zip(stretches, turns, strict=True):
        assert 0 <= start_s * 1000 - stretch.start_ms < 500
        assert abs(stretch.end_ms - start_s * 1000 - duration_ms) < 500
        assert len(stretch.pcm16) == (stretch.end_ms - stretch.start_ms) * 16


def test_silence_and_noise_are_nobody() -> None:
    assert cut(bytes(160000)) == []
    noise = np.random.default_rng(1).normal(0, 20, 160000).astype("<i2").tobytes()
    assert cut(noise) == []


def test_who_never_pauses_is_cut_where_it_is_quietest() -> None:
    speech = phrase("caller_question", L16_8K) + phrase("caller_weekend", L16_8K)
    stretches = cut(speech * 4, longest_s=8.0)
    assert len(stretches) >= 2
    assert all(s.end_ms - s.start_ms <= 8000 for s in stretches)
    for before, after in pairwise(stretches):
        assert before.end_ms <= after.start_ms


def test_the_end_of_the_recording_ends_the_stretch() -> None:
    (stretch,) = cut(phrase("caller_yes", L16_8K))
    assert stretch.end_ms <= PROMPTS["caller_yes"].duration_ms + 20
    cutter = SpeechCutter(8000)
    list(cutter.receive(bytes(32000)))
    assert cutter.received_s == 2.0


def test_crosstalk_is_silenced_and_double_talk_is_not() -> None:
    loud = phrase("caller_question", L16_8K)
    samples = np.frombuffer(loud, dtype="<i2")
    leak = (samples * 0.03).astype("<i2").tobytes()
    half = (samples * 0.5).astype("<i2").tobytes()
    caller, bot = without_crosstalk((loud, leak), 8000)
    assert caller == loud
    assert np.abs(np.frombuffer(bot, dtype="<i2")).max() < 60
    assert without_crosstalk((loud, half), 8000) == (loud, half)
    assert without_crosstalk((loud,), 8000) == (loud,)
    assert without_crosstalk((b"", b""), 8000) == (b"", b"")
