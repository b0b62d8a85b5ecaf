"""What a recording holds: how much speech, how clean, and whether it is the right words."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.audio.wav import read_wav

Samples = npt.NDArray[np.float64]

SPEECH_DBFS = -40.0
_FRAME_SAMPLES = 160
_SEGMENT_SAMPLES = 2000


def read_channels(path: Path, rate_hz: int = 8000) -> list[Samples]:
    """Return the channels of a 16-bit WAV file, each from -1 to 1."""
    with wave.open(str(path)) as wav:
        assert (wav.getframerate(), wav.getsampwidth()) == (rate_hz, 2)
        data = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
        return [
            data[channel :: wav.getnchannels()] / 32768.0 for channel in range(wav.getnchannels())
        ]


def speech_ms(samples: Samples) -> int:
    """Return how much of a recording at 8 kHz is louder than a pause."""
    whole = len(samples) - len(samples) % _FRAME_SAMPLES
    frames = samples[:whole].reshape(-1, _FRAME_SAMPLES)
    levels = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return int(np.count_nonzero(levels > SPEECH_DBFS)) * 20


def clipped_share(samples: Samples) -> float:
    return float(np.mean(np.abs(samples) > 0.97))


def likeness(heard: Samples, prompt: Path) -> float:
    """Return how alike (0 to 1) pieces of a prompt and their best match in ``heard`` are.

    The median over the prompt: a frame lost here or there does not hide that the words are right.
    The pieces are short, a quarter of a second, so that it spoils few of them.
    """
    audio = read_wav(prompt.read_bytes())
    pcm16 = Converter(AudioFormat("l16", audio.sample_rate_hz), L16_8K).convert(audio.pcm16)
    wanted = np.frombuffer(pcm16, "<i2") / 32768.0
    starts = range(0, len(wanted) - _SEGMENT_SAMPLES, _SEGMENT_SAMPLES)
    segments = [wanted[at : at + _SEGMENT_SAMPLES] for at in starts]
    return float(np.median([_best_match(heard, s) for s in segments if speech_ms(s) > 100]))


def _best_match(heard: Samples, segment: Samples) -> float:
    """Return the greatest normalised cross-correlation over every offset."""
    size = len(heard) + len(segment)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(segment, size))
    products = np.fft.irfft(spectrum, size)[: len(heard) - len(segment)]
    energy = np.concatenate(([0.0], np.cumsum(heard**2)))
    windows = energy[len(segment) :][: len(products)] - energy[: len(products)]
    scale = np.sqrt(windows * np.sum(segment**2)) + 1e-9
    return float(np.max(products / scale))
