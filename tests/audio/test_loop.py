from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.loop import seamless
from telephony.audio.tones import tone


def samples(pcm16: bytes) -> np.ndarray:  # type: ignore[type-arg]
    return np.frombuffer(pcm16, "<i2").astype(int)


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_the_seam_is_no_larger_step_than_the_music_has(rate_hz: int) -> None:
    # 333.3 Hz: a plain repetition would jump in the middle of a wave.
    steady = np.sin(np.arange(3 * rate_hz) * 2 * np.pi * 333.3 / rate_hz) * 8000
    music = np.rint(steady).astype("<i2").tobytes()
    beginning, loop = seamless(music, rate_hz)
    assert len(beginning) + len(loop) == len(music)
    once = samples(beginning + loop + loop + loop)
    largest = np.max(np.abs(np.diff(samples(music))))
    assert np.max(np.abs(np.diff(once))) <= largest * 1.5
    plain = samples(music + music)
    assert np.max(np.abs(np.diff(plain))) > largest * 1.5


def test_the_level_of_the_seam_is_that_of_the_music() -> None:
    noise = np.random.default_rng(2).normal(0, 3000, 80000).astype("<i2")
    _, loop = seamless(noise.tobytes(), 8000)
    seam = samples(loop)[-4000:]
    assert np.std(seam) == pytest.approx(3000, rel=0.1)


def test_what_comes_before_the_seam_is_untouched() -> None:
    music = tone((440.0,), 4000)
    beginning, loop = seamless(music, 8000)
    assert (beginning + loop)[: len(music) - 8000] == music[:-8000]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 100])
def test_short_pieces_loop_as_well(size: int) -> None:
    music = samples(tone((440.0,), 1000))[:size].astype("<i2").tobytes()
    beginning, loop = seamless(music, 8000)
    assert len(beginning) == 2 * (size // 4)
    assert len(loop) == len(music) - len(beginning)


def test_a_cadence_needs_no_fade() -> None:
    music = tone((440.0,), 1000)
    assert seamless(music, 8000, fade_ms=0) == (b"", music)
