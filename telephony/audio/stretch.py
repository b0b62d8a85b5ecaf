"""Time scaling by one pitch period (WSOLA): a frame of speech becomes shorter or longer unnoticed.

Two places of the waveform that resemble each other are joined, so that pitch and timbre stay. Where
nothing resembles, the frame comes back as it is: the next one may do. A quiet frame needs no
resemblance (:func:`cut`). Frames are 16-bit PCM, ``per_ms`` samples of them are a millisecond.
"""

from __future__ import annotations

import numpy as np

from telephony.audio.pitch import (
    MAX_PERIOD_MS,
    MIN_PERIOD_MS,
    Samples,
    from_pcm16,
    likeness,
    ramp,
    to_pcm16,
)

ALIKE = 0.7
"""The least likeness that is joined."""

_MATCH_MS = 6
_CUT_BLEND_MS = 4


def shorten(frame: bytes, most_samples: int, per_ms: int = 8, alike: float = ALIKE) -> bytes:
    """Return the frame without one period at its beginning, at most ``most_samples``.

    What came before the frame and what comes after it still joins.
    """
    shortest, match = int(MIN_PERIOD_MS * per_ms), _MATCH_MS * per_ms
    longest = min(MAX_PERIOD_MS * per_ms, most_samples, len(frame) // 2 - match)
    if longest < shortest:
        return frame
    samples = from_pcm16(frame)
    fit = likeness(samples[shortest : longest + match], samples[:match])
    best = int(np.argmax(fit))
    if fit[best] < alike:
        return frame
    period = shortest + best
    return _without(samples, period, min(period, len(samples) - period))


def cut(frame: bytes, samples: int, per_ms: int = 8) -> bytes:
    """Return a quiet frame without ``samples`` at its beginning; they are fewer than it has."""
    blend = min(_CUT_BLEND_MS * per_ms, len(frame) // 2 - samples)
    return _without(from_pcm16(frame), samples, blend) if samples else frame


def _without(samples: Samples, period: int, blend: int) -> bytes:
    rise = ramp(blend)
    joined = samples[period:].copy()
    joined[:blend] = samples[:blend] * (1 - rise) + joined[:blend] * rise
    return to_pcm16(joined)


def lengthen(before: bytes, frame: bytes, per_ms: int = 8, alike: float = ALIKE) -> bytes:
    """Return the frame with one period put in at its beginning.

    ``before`` is what was played last; a period is no longer than that, and 15 ms at most.
    """
    shortest, match = int(MIN_PERIOD_MS * per_ms), _MATCH_MS * per_ms
    longest = min(MAX_PERIOD_MS * per_ms, len(before) // 2, len(frame) // 2)
    if longest < shortest or len(frame) < 2 * match:
        return frame
    known, samples = from_pcm16(before[-2 * longest :]), from_pcm16(frame)
    fit = likeness(np.concatenate((known, samples[: match - shortest])), samples[:match])
    best = int(np.argmax(fit))
    if fit[best] < alike:
        return frame
    period = longest - best
    rise = ramp(period)
    again = samples[:period] * (1 - rise) + known[-period:] * rise
    return to_pcm16(again) + frame
