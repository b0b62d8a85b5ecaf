from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.pitch import from_pcm16, likeness, ramp, to_pcm16


def test_a_copy_is_most_alike_at_any_level() -> None:
    noise = np.random.default_rng(1).normal(0, 1000, 400)
    fit = likeness(noise, 0.1 * noise[150:200])
    assert len(fit) == 351
    assert int(np.argmax(fit)) == 150
    assert fit[150] == pytest.approx(1.0)
    assert likeness(noise, -noise[150:200])[150] == pytest.approx(-1.0)
    assert np.abs(fit).max() <= 1.0 + 1e-9


def test_silence_is_like_nothing() -> None:
    assert not likeness(np.zeros(100), np.zeros(10)).any()
    assert not likeness(np.zeros(100), np.ones(10)).any()


def test_a_ramp_and_its_mirror_add_up_to_one() -> None:
    assert ramp(0).size == 0
    assert ramp(3).tolist() == [0.25, 0.5, 0.75]
    assert (ramp(40) + ramp(40)[::-1]).tolist() == pytest.approx([1.0] * 40)


def test_samples_are_rounded_and_limited() -> None:
    assert from_pcm16(to_pcm16(np.array([-40000.0, -1.4, 0.6, 40000.0]))).tolist() == [
        -32768,
        -1,
        1,
        32767,
    ]
