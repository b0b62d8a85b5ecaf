"""Recorded human speech, from Debian's ``asterisk-core-sounds-en-wav`` (8 kHz, 16 bits)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio.wav import read_wav

Samples = npt.NDArray[np.float64]

_SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_NOT_SPEECH = ("silence/", "beep", "monkeys")
_FRAME = 160


@pytest.fixture(scope="session")
def speech_recordings() -> list[Samples]:
    """Every fourth prompt, cut to whole frames, at an active level of -26 dBFS."""
    paths = sorted(_SOUNDS.glob("**/*.wav"))
    if not paths:
        if os.environ.get("CI") == "true":
            pytest.fail("Debian package asterisk-core-sounds-en-wav is not installed")
        pytest.skip("no recorded speech: install asterisk-core-sounds-en-wav")
    spoken = [path for path in paths if not any(name in str(path) for name in _NOT_SPEECH)]
    recordings = (_normalised(path.read_bytes()) for path in spoken[::4])
    return [samples for samples in recordings if len(samples) > 50 * _FRAME]


def _normalised(data: bytes) -> Samples:
    samples = np.frombuffer(read_wav(data).pcm16, dtype="<i2").astype(float)
    samples = samples[: len(samples) // _FRAME * _FRAME]
    powers = (samples.reshape(-1, _FRAME) ** 2).mean(axis=1)
    active = powers[powers > powers.max() * 10**-3.5]
    return samples * (32768 * 10 ** (-26 / 20) / np.sqrt(active.mean()))
