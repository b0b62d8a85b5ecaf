"""What is above a telephone's band, and how much two recordings differ."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]


def high_share(samples: Samples, rate_hz: int) -> float:
    """Return how much of the energy is between 4.2 and 7 kHz, where a telephone has nothing."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    return float(power[(hertz > 4200) & (hertz < 7000)].sum() / power.sum())


def best_snr_db(before: Samples, after: Samples, delays: Iterable[int]) -> float:
    """Return the signal-to-noise ratio at the delay, in samples, where it is best."""

    def at(delay: int) -> float:
        size = min(len(before), len(after) - delay)
        noise = after[delay : delay + size] - before[:size]
        return float(10 * np.log10(np.sum(before[:size] ** 2) / np.sum(noise**2)))

    return max(at(delay) for delay in delays)
