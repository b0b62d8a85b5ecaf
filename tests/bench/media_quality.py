"""What became of speech that went through a call and back: how good, how late, how whole.

Recordings are 8 kHz samples from -1 to 1; ``said`` and ``heard`` are of one clock and equally
long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

RATE_HZ = 8000
FRAME_SAMPLES = 80
"""10 ms."""

SPEECH_DBFS = -42.0
SILENT_DBFS = -58.0
PAUSE_MS = 150
"""A pause that is longer is between words or sentences: not inside speech."""

_WINDOW_SAMPLES = RATE_HZ // 2
_HOP_SAMPLES = RATE_HZ // 4
_LONGEST_DELAY_SAMPLES = 3 * RATE_HZ // 2
_ALIKE = 0.5
"""Correlation below which a window is not found again: lost, or concealed."""


@dataclass(frozen=True)
class Quality:
    """``pesq_mos`` is MOS-LQO of ITU-T P.862.1, 1.0 to 4.55; NaN for what is no speech.

    ``delay_ms`` is the median over the speech, ``delay_low_ms`` and ``delay_high_ms`` its 5th and
    95th percentile. ``longest_gap_ms`` is silence where speech had been said.
    """

    pesq_mos: float
    delay_ms: float
    delay_low_ms: float
    delay_high_ms: float
    longest_gap_ms: int

    def sooner(self, by_ms: float) -> Quality:
        """Return the same without a delay that belongs to the measurement."""
        return replace(
            self,
            delay_ms=self.delay_ms - by_ms,
            delay_low_ms=self.delay_low_ms - by_ms,
            delay_high_ms=self.delay_high_ms - by_ms,
        )


def judge(said: Samples, heard: Samples) -> Quality:
    delays = delay_track(said, heard)
    if not delays:
        return Quality(math.nan, math.nan, math.nan, math.nan, 0)
    low, median, high = np.percentile([delay for _, delay in delays], (5, 50, 95))
    return Quality(
        pesq_mos=_pesq_mos(said, heard, int(median)),
        delay_ms=float(1000 * median / RATE_HZ),
        delay_low_ms=float(1000 * low / RATE_HZ),
        delay_high_ms=float(1000 * high / RATE_HZ),
        longest_gap_ms=longest_gap_ms(said, heard, delays),
    )


def delay_track(said: Samples, heard: Samples) -> list[tuple[int, int]]:
    """Return (place, delay), in samples, of each half second of speech that is found again."""
    track = []
    for at in range(0, len(said) - _WINDOW_SAMPLES, _HOP_SAMPLES):
        end = at + _WINDOW_SAMPLES
        window = said[at:end]
        if level_dbfs(window) < SPEECH_DBFS:
            continue
        delay, alike = _best_match(
            window, heard[at : at + _WINDOW_SAMPLES + _LONGEST_DELAY_SAMPLES]
        )
        if alike >= _ALIKE:
            track.append((at, delay))
    return track


def _best_match(window: Samples, heard: Samples) -> tuple[int, float]:
    """Return the offset of the greatest normalised cross-correlation, and its value."""
    offsets = min(len(heard) - len(window), _LONGEST_DELAY_SAMPLES)
    if offsets <= 0:
        return 0, 0.0
    size = len(heard) + len(window)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(window, size))
    products = np.fft.irfft(spectrum, size)[:offsets]
    energy = np.concatenate(([0.0], np.cumsum(heard**2)))
    windows = energy[len(window) : len(window) + offsets] - energy[:offsets]
    alike = products / np.sqrt(windows * np.sum(window**2) + 1e-9)
    best = int(np.argmax(alike))
    return best, float(alike[best])


def level_dbfs(samples: Samples) -> float:
    return 10 * math.log10(float(np.mean(samples**2)) + 1e-12)


def _frame_levels(samples: Samples) -> Samples:
    whole = len(samples) - len(samples) % FRAME_SAMPLES
    frames = samples[:whole].reshape(-1, FRAME_SAMPLES)
    levels: Samples = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return levels


def longest_gap_ms(said: Samples, heard: Samples, delays: list[tuple[int, int]]) -> int:
    """Return the longest silence in ``heard`` at a place of ``said`` that has no pause."""
    inside = inside_speech(said)
    silent = _frame_levels(heard) < SILENT_DBFS
    places = np.arange(len(inside)) * FRAME_SAMPLES
    track = np.array(delays)
    delay_frames = np.interp(places, track[:, 0], track[:, 1]).round() // FRAME_SAMPLES
    longest = run = 0
    for frame in np.flatnonzero(inside):
        there = frame + int(delay_frames[frame])
        run = run + 1 if there < len(silent) and silent[there] else 0
        longest = max(longest, run)
    return longest * 10


def inside_speech(said: Samples) -> npt.NDArray[np.bool_]:
    """Tell of each 10 ms whether it is speech, or a pause too short to be noticed as one."""
    loud = np.flatnonzero(_frame_levels(said) > SPEECH_DBFS)
    inside = np.zeros(len(said) // FRAME_SAMPLES, bool)
    for before, after in pairwise(loud):
        if (after - before) * 10 <= PAUSE_MS:
            inside[before : after + 1] = True
    return inside


def _pesq_mos(said: Samples, heard: Samples, delay: int) -> float:
    """Compare from the first word to the last; PESQ follows delays that change in between."""
    from pesq import NoUtterancesError, pesq  # the rest of this file does without

    loud = np.flatnonzero(_frame_levels(said) > SPEECH_DBFS) * FRAME_SAMPLES
    begin, end = max(0, loud[0] - RATE_HZ // 4), loud[-1] + RATE_HZ // 4
    heard = heard[begin + delay : end + delay]
    try:
        return float(
            pesq(RATE_HZ, said[begin:end].astype(np.float32), heard.astype(np.float32), "nb")
        )
    except NoUtterancesError:
        return math.nan
