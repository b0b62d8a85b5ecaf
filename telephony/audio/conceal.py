"""Packet loss concealment: what was said before, and what is said after, goes on in between.

Without the frame after the loss this is ITU-T G.711 Appendix I in its main lines: the last pitch
period is repeated, more of them with time, and fades out. It differs in that nothing is delayed
(the appendix holds back 3.75 ms to blend into; here the step is smoothed by an offset that dies
away), in a pitch search that trusts the newest few milliseconds, and in the times.

A jitter buffer mostly has the frame after the loss already. Then the repeated past is stretched
until it meets that frame in phase, and is blended over the whole loss with that frame's own first
period repeated backwards. The frame itself stays untouched.

``scripts/bench jitter`` scores both; a loss costs some 60 us, a good frame 0.05 us.
"""

from __future__ import annotations

from collections import deque

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
from telephony.base.errors import LocalProtocolError

FULL_LEVEL_MS = 20
SILENT_AFTER_MS = 100

_MATCH_MS = 7
_MEET_MS = 6
_MEET_MIN = 0.4
_DETOUR_PENALTY = 0.2
_AHEAD_MIN_MS = 12
_SPAN_MAX_MS = 60
_PIECE_MS = 10
_GROWTH_MS = 10
_MAX_PERIODS = 3
_MAX_BLEND_MS = 10


class Concealer:
    """Fills lost frames from what was heard around them.

    Call :meth:`good` for each frame that arrived and :meth:`lost` for each that did not, in
    playing order; either may be shorter than ``frame_ms``. As long as nothing is lost,
    :meth:`good` costs an append.
    """

    __slots__ = (
        "_cycle",
        "_frame_samples",
        "_history",
        "_lost_samples",
        "_max_period",
        "_min_period",
        "_past",
        "_period",
        "_position",
        "_ready",
        "_samples_per_ms",
        "concealed_samples",
    )

    def __init__(self, sample_rate_hz: int = 8000, frame_ms: int = 20) -> None:
        if sample_rate_hz % 1000 or sample_rate_hz <= 0 or frame_ms <= 0:
            raise LocalProtocolError(f"no concealment for {frame_ms} ms at {sample_rate_hz} Hz")
        per_ms = self._samples_per_ms = sample_rate_hz // 1000
        self._frame_samples = per_ms * frame_ms
        self._min_period = int(MIN_PERIOD_MS * per_ms)
        self._max_period = MAX_PERIOD_MS * per_ms
        needed_ms = (_MAX_PERIODS + 1) * MAX_PERIOD_MS
        self._history: deque[bytes] = deque(maxlen=-(-needed_ms // min(frame_ms, _PIECE_MS)))
        self._ready = b""
        self._lost_samples = 0
        self._past: Samples = np.zeros(0)
        self._period = 0
        self._cycle: Samples = np.zeros(0)
        self._position = 0
        self.concealed_samples = 0

    @property
    def faded(self) -> bool:
        """Whether the loss has lasted so long that silence is all there is to give."""
        return self._lost_samples >= SILENT_AFTER_MS * self._samples_per_ms

    @property
    def before(self) -> bytes:
        """The frame before the newest; empty when there is none."""
        return self._history[-2] if len(self._history) > 1 else b""

    def good(self, pcm16: bytes) -> bytes:
        """Return the frame itself or, after a loss, the frame blended with the made-up signal."""
        if self._ready:
            pcm16 = self._interrupt(pcm16)
        elif self._lost_samples:
            pcm16 = self._recover(pcm16)
        self._history.append(pcm16)
        return pcm16

    def lost(self, ahead: bytes = b"", span_samples: int = 0, samples: int = 0) -> bytes:
        """Return ``samples`` (a frame) in place of what did not come; silence after 100 ms of loss.

        ``ahead`` is what will be given to :meth:`good` next, as far as it is known, after
        ``span_samples`` from the beginning of this piece on: its own duration if only that is
        lost, the default.
        """
        size = samples or self._frame_samples
        self.concealed_samples += size
        if len(self._ready) < 2 * size:
            self._ready = self._make_up(ahead, span_samples, size)
        made_up, self._ready = self._ready[: 2 * size], self._ready[2 * size :]
        self._history.append(made_up)
        return made_up

    def _make_up(self, ahead: bytes, span_samples: int, size: int) -> bytes:
        per_ms = self._samples_per_ms
        if self.faded:
            self._lost_samples += size
            return bytes(2 * size)
        if self._lost_samples == 0:
            self._begin()
        span = max(span_samples, size)
        if len(ahead) < 2 * _AHEAD_MIN_MS * per_ms or span > max(_SPAN_MAX_MS * per_ms, size):
            return to_pcm16(self._faded(size))
        whole = to_pcm16(self._bridge(from_pcm16(ahead), span))
        self._lost_samples = 0
        return whole

    def _begin(self) -> None:
        needed = (_MAX_PERIODS + 1) * self._max_period
        known = from_pcm16(b"".join(self._history))[-needed:]
        self._past = np.zeros(needed)
        self._past[needed - len(known) :] = known
        self._period = self._find_period()
        self._position = 0
        self._cycle = self._periods(1)

    def _find_period(self) -> int:
        """Return the lag at which the last 7 ms resemble what came before most."""
        size = _MATCH_MS * self._samples_per_ms
        before = self._past[-size - self._max_period : len(self._past) - self._min_period]
        return self._max_period - int(np.argmax(likeness(before, self._past[-size:])))

    def _periods(self, count: int) -> Samples:
        """Return the last ``count`` pitch periods, blended so that they repeat without a step."""
        period = self._period
        cycle = self._past[-count * period :].copy()
        overlap = period // 4
        rise = ramp(overlap)
        before = self._past[-count * period - overlap : -count * period]
        cycle[-overlap:] = cycle[-overlap:] * (1 - rise) + before * rise
        return cycle

    def _faded(self, size: int) -> Samples:
        """Return the next ``size`` made-up samples at the level due."""
        elapsed_ms = np.arange(self._lost_samples, self._lost_samples + size) / self._samples_per_ms
        fade = (SILENT_AFTER_MS - elapsed_ms) / (SILENT_AFTER_MS - FULL_LEVEL_MS)
        faded: Samples = self._continue(size) * np.clip(fade, 0.0, 1.0)
        return faded

    def _continue(self, size: int) -> Samples:
        """Return the next ``size`` samples of the past repeated, at its full level."""
        block = _GROWTH_MS * self._samples_per_ms
        output = np.empty(size)
        done = 0
        while done < size:
            elapsed = self._lost_samples
            length = min(size - done, block - elapsed % block)
            piece = self._cycled(length)
            if elapsed == 0:
                self._join_to_past(piece)
            elif elapsed % block == 0 and elapsed // block < _MAX_PERIODS:
                self._add_period(piece, elapsed // block + 1)
            output[done : done + length] = piece
            self._lost_samples += length
            done += length
        return output

    def _cycled(self, length: int) -> Samples:
        """Return the cycle from the current position on, and advance it."""
        indices = np.arange(self._position, self._position + length)
        self._position = (self._position + length) % len(self._cycle)
        return self._cycle.take(indices, mode="wrap")

    def _join_to_past(self, piece: Samples) -> None:
        # The cycle follows on a sample one period ago; take the difference away gently.
        overlap = min(len(piece), self._period // 4)
        step = self._past[-1] - self._past[-1 - self._period]
        piece[:overlap] += step * ramp(overlap)[::-1]

    def _add_period(self, piece: Samples, count: int) -> None:
        """Go over to a longer cycle: a single period repeated for long sounds like a buzzer."""
        overlap = min(len(piece), self._period // 4)
        self._cycle = self._periods(count)
        # Same phase of the pitch, in the oldest of the periods.
        self._position = (self._position - len(piece)) % self._period
        longer = self._cycled(len(piece))
        rise = ramp(overlap)
        longer[:overlap] = longer[:overlap] * rise + piece[:overlap] * (1 - rise)
        piece[:] = longer

    def _bridge(self, ahead: Samples, span: int) -> Samples:
        """Return ``span`` samples that lead from the past to ``ahead``."""
        reach = min(self._period // 2, span)
        meet = _MEET_MS * self._samples_per_ms
        forward = self._faded(span) if self._lost_samples else self._continue(span)
        beyond = np.concatenate((forward, self._cycled(reach + meet)))
        fit = likeness(beyond[span - reach :], ahead[:meet])
        fit -= _DETOUR_PENALTY * np.abs(np.arange(-reach, reach + 1)) / reach
        best = int(np.argmax(fit))
        detour = best - reach
        if detour and fit[best] >= _MEET_MIN:
            stretched = np.arange(span) * ((span + detour) / span)
            forward = np.interp(stretched, np.arange(len(beyond)), beyond)
        weights = ramp(span)
        bridged: Samples = forward * (1 - weights) + self._before(ahead, span) * weights
        return bridged

    def _before(self, ahead: Samples, size: int) -> Samples:
        """Return what leads to ``ahead``: its first period, repeated backwards."""
        meet = _MEET_MS * self._samples_per_ms
        shortest, longest = self._min_period, min(self._max_period, len(ahead) - meet)
        fit = likeness(ahead[shortest : longest + meet], ahead[:meet])
        lags = np.arange(shortest, shortest + len(fit))
        fit -= _DETOUR_PENALTY * np.minimum(np.abs(lags - self._period) / self._period, 1.0)
        period = shortest + int(np.argmax(fit))
        overlap = period // 4
        cycle = ahead[:period].copy()
        fall = ramp(overlap)[::-1]
        cycle[:overlap] = cycle[:overlap] * (1 - fall) + ahead[period : period + overlap] * fall
        return cycle.take(np.arange(-size, 0), mode="wrap")

    def _recover(self, pcm16: bytes) -> bytes:
        """Blend for a quarter period, plus 4 ms for each 10 ms of loss, 10 ms at most."""
        samples = from_pcm16(pcm16)
        lost_ms = self._lost_samples // self._samples_per_ms
        blend = self._period // 4 + (max(0, lost_ms - 10) * 4 // 10) * self._samples_per_ms
        blend = min(blend, _MAX_BLEND_MS * self._samples_per_ms, len(samples))
        rise = ramp(blend)
        samples[:blend] = samples[:blend] * rise + self._faded(blend) * (1 - rise)
        self._lost_samples = 0
        return to_pcm16(samples)

    def _interrupt(self, pcm16: bytes) -> bytes:
        """Go over to a frame that came after all, from what had been made up for its time."""
        samples, made_up = from_pcm16(pcm16), from_pcm16(self._ready)
        self._ready = b""
        blend = min(_MAX_BLEND_MS * self._samples_per_ms, len(samples), len(made_up))
        rise = ramp(blend)
        samples[:blend] = samples[:blend] * rise + made_up[:blend] * (1 - rise)
        return to_pcm16(samples)
