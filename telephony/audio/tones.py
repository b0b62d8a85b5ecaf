"""Tones a telephone network makes, as 16-bit PCM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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


Country = Literal["us", "de", "uk", "fr"]
Progress = Literal["ringback", "busy", "congestion"]


@dataclass(frozen=True, slots=True)
class Cadence:
    """One period of a tone: ``on_off_ms`` are sound and pause in turn."""

    frequencies_hz: tuple[float, ...]
    on_off_ms: tuple[int, ...]
    level_dbfs: float = -22.0

    @property
    def period_ms(self) -> int:
        return sum(self.on_off_ms)

    def period(self, sample_rate_hz: int = 8000) -> bytes:
        """Return one period as 16-bit PCM."""
        parts = []
        for number, duration_ms in enumerate(self.on_off_ms):
            if number % 2:
                parts.append(silence(duration_ms, sample_rate_hz))
            else:
                parts.append(
                    tone(
                        self.frequencies_hz,
                        duration_ms,
                        level_dbfs=self.level_dbfs,
                        sample_rate_hz=sample_rate_hz,
                    )
                )
        return b"".join(parts)


CADENCES: Mapping[Country, Mapping[Progress, Cadence]] = {
    "us": {
        "ringback": Cadence((440, 480), (2000, 4000)),
        "busy": Cadence((480, 620), (500, 500), -27.0),
        "congestion": Cadence((480, 620), (250, 250), -27.0),
    },
    "de": {
        "ringback": Cadence((425,), (1000, 4000)),
        "busy": Cadence((425,), (480, 480)),
        "congestion": Cadence((425,), (240, 240)),
    },
    "uk": {
        "ringback": Cadence((400, 450), (400, 200, 400, 2000)),
        "busy": Cadence((400,), (375, 375)),
        "congestion": Cadence((400,), (400, 350, 225, 525)),
    },
    "fr": {
        "ringback": Cadence((440,), (1500, 3500)),
        "busy": Cadence((440,), (500, 500)),
        "congestion": Cadence((440,), (250, 250)),
    },
}
"""Ringing, busy and congestion tone by country (ITU-T E.180, Supplement 2)."""

COUNTRIES: tuple[Country, ...] = tuple(CADENCES)


def ringback(sample_rate_hz: int = 8000, country: Country = "us") -> bytes:
    """Return one period of the ringing tone: what a caller hears while somebody is rung."""
    return CADENCES[country]["ringback"].period(sample_rate_hz)


def busy(sample_rate_hz: int = 8000, country: Country = "us") -> bytes:
    """Return one period of the busy tone: the called line is taken."""
    return CADENCES[country]["busy"].period(sample_rate_hz)


def congestion(sample_rate_hz: int = 8000, country: Country = "us") -> bytes:
    """Return one period of the congestion (reorder) tone: the network has no way there."""
    return CADENCES[country]["congestion"].period(sample_rate_hz)
