"""Recorded speech in the formats a model may send."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

import telephony
from telephony.audio import g711
from telephony.audio.format import L16_24K, AudioFormat
from telephony.audio.resample import StreamResampler
from telephony.audio.wav import read_wav

_PROMPTS = sorted((Path(telephony.__file__).parent / "rehearsal" / "prompts").glob("*.wav"))
NAMES = [path.stem for path in _PROMPTS]


@functools.cache
def speech(name: str, audio_format: AudioFormat, gain: float = 1.0) -> bytes:
    """Return a prompt in ``audio_format``, made quieter by ``gain``."""
    (path,) = (path for path in _PROMPTS if path.stem == name)
    wav = read_wav(path.read_bytes())
    samples = np.frombuffer(wav.pcm16, "<i2").astype(np.float64) * gain
    pcm16 = samples.astype("<i2").tobytes()
    rate_hz = audio_format.sample_rate_hz
    if wav.sample_rate_hz != rate_hz:
        resampler = StreamResampler(wav.sample_rate_hz, rate_hz)
        pcm16 = resampler.process(pcm16) + resampler.flush()
    return pcm16 if audio_format == L16_24K else g711.encode(audio_format, pcm16)
