"""How loud a piece of audio is."""

from __future__ import annotations

import audioop
import math

MIN_DBFS = -96.0
"""Level reported for silence: below one unit of 16-bit PCM there is nothing to measure."""

DBFS_BY_RMS = (
    MIN_DBFS,
    *(max(MIN_DBFS, 20.0 * math.log10(value / 32768)) for value in range(1, 32769)),
)
"""Level for each possible result of :func:`rms`."""


def rms(pcm16: bytes) -> int:
    """Return the root mean square of 16-bit samples, 0 to 32768; 0 for no samples."""
    return audioop.rms(pcm16, 2)


def dbfs(pcm16: bytes) -> float:
    """Return the level in dB relative to a full-scale square wave, -96.0 to 0.0."""
    return DBFS_BY_RMS[audioop.rms(pcm16, 2)]
