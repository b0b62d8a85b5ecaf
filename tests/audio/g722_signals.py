"""Signals in whole numbers, the same on every machine, that reach every part of G.722."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

_COUNT = 4800


def _triangle(phase: npt.NDArray[np.int64], peak: int) -> Samples:
    """Return a triangle wave; ``phase`` counts 2^16 a period."""
    folded = np.abs((phase & 0xFFFF) - 0x8000) - 0x4000
    return (folded * peak // 0x4000).astype("<i2")


def silence() -> Samples:
    return np.zeros(_COUNT, dtype="<i2")


def sweep() -> Samples:
    """A triangle wave that rises from 50 Hz to 7.5 kHz."""
    steps = 200 + np.arange(_COUNT, dtype=np.int64) * 30720 // _COUNT
    return _triangle(np.cumsum(steps), 12000)


def noise() -> Samples:
    """Full-scale noise of a linear congruential generator."""
    state, values = 1, []
    for _ in range(_COUNT):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append((state >> 16) - 0x8000)
    return np.array(values, dtype="<i2")


def square() -> Samples:
    """Full-scale steps, which overload every predictor."""
    return np.where((np.arange(_COUNT) // 200) % 2, 32767, -32768).astype("<i2")


def swell() -> Samples:
    """A tone from silence to full scale: the quantisers adapt over their whole range."""
    tone = _triangle(np.arange(_COUNT, dtype=np.int64) * 5461, 32767).astype(np.int64)
    return (tone * np.arange(_COUNT) // _COUNT).astype("<i2")


SIGNALS = {signal.__name__: signal for signal in (silence, sweep, noise, square, swell)}
