"""Where a waveform repeats itself: the one measure behind concealment and time scaling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

MIN_PERIOD_MS = 2.5
"""400 Hz: above the pitch of nearly every speaking voice."""

MAX_PERIOD_MS = 15
"""67 Hz."""


def likeness(signal: Samples, pattern: Samples) -> Samples:
    """Return how much each stretch of ``signal`` is like ``pattern``, -1.0 to 1.0.

    The entry at ``i`` is the normalised cross-correlation of ``signal[i : i + len(pattern)]``;
    ``signal`` is at least as long as ``pattern``. Digital silence is like nothing.
    """
    size = len(pattern)
    products = np.correlate(signal, pattern, "valid")
    power = np.empty(len(signal) + 1)
    power[0] = 0.0
    np.cumsum(signal * signal, out=power[1:])
    energies = np.maximum(power[size:] - power[:-size], size)
    scaled: Samples = products / np.sqrt(energies * max(float(pattern @ pattern), size))
    return scaled


def ramp(size: int) -> Samples:
    """Return ``size`` weights that rise evenly, from just above 0 to just under 1."""
    return np.arange(1, size + 1) / (size + 1)


def from_pcm16(pcm16: bytes) -> Samples:
    return np.frombuffer(pcm16, dtype="<i2").astype(np.float64)


def to_pcm16(samples: Samples) -> bytes:
    return bytes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
