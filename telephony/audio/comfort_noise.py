"""Comfort noise: what is heard where a silence-suppressing peer sends nothing (RFC 3389)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_OVERLOAD_DB = -0.17
"""0 dBov is a square wave of 8031 of mu-law's 14 bits: this much under full scale."""

_NOISE_S = 2
_SILENT_BELOW_DBOV = -90


def level_dbfs(payload: bytes) -> float | None:
    """Return the level that a comfort-noise payload tells (RFC 3389 section 3.1).

    The first octet is the level in -dBov, 0 to 127. Spectral coefficients behind it are not
    looked at. ``None`` without an octet, or for a level that nobody hears.
    """
    if not payload or -(payload[0] & 0x7F) < _SILENT_BELOW_DBOV:
        return None
    return _OVERLOAD_DB - (payload[0] & 0x7F)


@lru_cache(maxsize=16)
def _noise(level_dbfs: float, sample_rate_hz: int, seed: int) -> bytes:
    deviation = 32768 * 10 ** (level_dbfs / 20)
    noise = np.random.default_rng(seed).normal(0.0, deviation, _NOISE_S * sample_rate_hz)
    return bytes(np.clip(np.rint(noise), -32768, 32767).astype("<i2").tobytes())


class ComfortNoise:
    """White noise at a level.

    Two seconds are made once, for all calls, and repeated: to an ear that is still noise.
    """

    __slots__ = ("_noise", "_position", "level_dbfs")

    def __init__(self, level_dbfs: float, sample_rate_hz: int = 8000, seed: int = 0) -> None:
        self.level_dbfs = level_dbfs
        self._noise = _noise(level_dbfs, sample_rate_hz, seed)
        self._position = 0

    def next_frame(self, size_bytes: int) -> bytes:
        """Return the next ``size_bytes`` (even) of noise as 16-bit PCM."""
        start = self._position
        frame = self._noise[start : start + size_bytes]
        while len(frame) < size_bytes:
            frame += self._noise[: size_bytes - len(frame)]
        self._position = (start + size_bytes) % len(self._noise)
        return frame
