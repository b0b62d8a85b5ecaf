from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio.stretch import cut, lengthen, shorten

Samples = npt.NDArray[np.float64]


def voice(samples: int, pitch_hz: float) -> Samples:
    time_s = np.arange(samples) / 8000
    harmonics = range(1, int(3400 // pitch_hz))
    return 5000 * sum(np.sin(2 * np.pi * pitch_hz * k * time_s + k) / k for k in harmonics)


def pcm16(signal: Samples) -> bytes:
    return np.rint(signal).astype("<i2").tobytes()


def samples(audio: bytes) -> Samples:
    return np.frombuffer(audio, "<i2").astype(float)


@pytest.mark.parametrize("pitch_hz", [80.0, 125.0, 200.0, 320.0])
def test_a_voice_loses_whole_periods_and_keeps_its_wave(pitch_hz: float) -> None:
    signal = voice(640, pitch_hz)
    before, frame, after = (pcm16(part) for part in (signal[:160], signal[160:320], signal[320:]))
    shorter = shorten(frame, 160)
    removed = 160 - len(shorter) // 2
    period = 8000 / pitch_hz
    assert removed >= 20
    assert abs(removed / period - round(removed / period)) < 0.03
    heard = samples(before + shorter + after)
    expected = voice(len(heard), pitch_hz)
    assert np.abs(np.diff(heard)).max() <= np.abs(np.diff(signal)).max() * 1.05
    assert np.sqrt(((heard - expected)[:160] ** 2).mean()) < 1


@pytest.mark.parametrize("pitch_hz", [80.0, 125.0, 200.0, 320.0])
def test_a_voice_gains_whole_periods_and_keeps_its_wave(pitch_hz: float) -> None:
    signal = voice(640, pitch_hz)
    before, frame, after = (pcm16(part) for part in (signal[:160], signal[160:320], signal[320:]))
    longer = lengthen(before, frame)
    added = len(longer) // 2 - 160
    period = 8000 / pitch_hz
    assert added >= 20
    assert abs(added / period - round(added / period)) < 0.03
    assert longer.endswith(frame)
    heard = samples(before + longer + after)
    assert np.abs(np.diff(heard)).max() <= np.abs(np.diff(signal)).max() * 1.05


def test_no_more_is_taken_than_may_be() -> None:
    frame = pcm16(voice(160, 200.0))
    assert len(shorten(frame, 45)) // 2 in range(115, 141)
    assert shorten(frame, 30) is frame  # the period has 40 samples
    assert shorten(frame, 19) is frame


def test_noise_is_left_alone_unless_anything_will_do() -> None:
    noise = np.random.default_rng(3).normal(0, 3000, 320)
    before, frame = pcm16(noise[:160]), pcm16(noise[160:])
    assert shorten(frame, 160) is frame
    assert lengthen(before, frame) is frame
    assert len(shorten(frame, 160, alike=-1.0)) < 320
    assert len(lengthen(before, frame, alike=-1.0)) > 320


def test_silence_is_cut_and_not_joined() -> None:
    silence = bytes(320)
    assert shorten(silence, 160) is silence
    assert cut(silence, 50) == bytes(220)
    assert cut(silence, 0) is silence


@pytest.mark.parametrize("size", [0, 2, 40, 94, 96, 134, 136, 160, 320, 480, 960])
def test_frames_of_any_size_are_taken(size: int) -> None:
    signal = pcm16(voice(480, 200.0))[:size]
    assert len(shorten(signal, 1000)) <= size
    assert len(lengthen(signal, signal)) >= size
    assert lengthen(b"", signal) is signal
