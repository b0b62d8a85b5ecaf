"""Tones a telephone network makes, as 16-bit PCM."""

from __future__ import annotations

import numpy as np

DTMF_FREQUENCIES_HZ: dict[str, tuple[int, int]] = {
    digit: (low_hz, high_hz)
    for low_hz, row in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for digit, high_hz in zip(row, (1209, 1336, 1477, 1633), strict=True)
}
"""ITU-T Q.23."""

_RAMP_MS = 5


def silence(duration_ms: int, sample_rate_hz: int = 8000) -> bytes:
    return bytes(2 * (sample_rate_hz * duration_ms // 1000))


def tone(
    frequencies_hz: tuple[float, ...],
    duration_ms: int,
    *,
    level_dbfs: float = -16.0,
    sample_rate_hz: int = 8000,
) -> bytes:
    """Return the sum of sines, each at ``level_dbfs``, with 5 ms ramps against clicks."""
    size = sample_rate_hz * duration_ms // 1000
    time_s = np.arange(size) / sample_rate_hz
    # The level is a root mean square: the peak of a sine is 3 dB above it.
    peak = 32768 * 10 ** (level_dbfs / 20) * 2**0.5
    samples = np.zeros(size)
    for frequency_hz in frequencies_hz:
        samples += peak * np.sin(2 * np.pi * frequency_hz * time_s)
    ramp = min(sample_rate_hz * _RAMP_MS // 1000, size // 2)
    slope = np.arange(ramp) / max(ramp, 1)
    samples[:ramp] *= slope
    samples[size - ramp :] *= slope[::-1]
    return bytes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())


def beep(duration_ms: int = 200, sample_rate_hz: int = 8000) -> bytes:
    return tone((1000.0,), duration_ms, sample_rate_hz=sample_rate_hz)


def dtmf(digit: str, duration_ms: int = 100, sample_rate_hz: int = 8000) -> bytes:
    """Return the tone pair of ``digit``; raise ValueError when there is none."""
    pair = DTMF_FREQUENCIES_HZ.get(digit.upper())
    if pair is None:
        raise ValueError(f"{digit!r} is not a DTMF digit")
    return tone(pair, duration_ms, level_dbfs=-13.0, sample_rate_hz=sample_rate_hz)


def ringback(sample_rate_hz: int = 8000) -> bytes:
    """Return one period of the North American ringing tone: 2 s on, 4 s off."""
    on = tone((440, 480), 2000, level_dbfs=-22.0, sample_rate_hz=sample_rate_hz)
    return on + silence(4000, sample_rate_hz)


def busy(sample_rate_hz: int = 8000) -> bytes:
    """Return one period of the North American busy tone: 0.5 s on, 0.5 s off."""
    on = tone((480, 620), 500, level_dbfs=-27.0, sample_rate_hz=sample_rate_hz)
    return on + silence(500, sample_rate_hz)
