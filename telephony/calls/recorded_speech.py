"""What was said in one channel of a recording, cut into stretches at the pauses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.audio.level import rms
from telephony.audio.vad import VadConfig, VoiceActivityDetector

_FRAME_MS = 20
_FRAME_BYTES = L16_8K.frame_bytes(_FRAME_MS)
_PAUSE_MS = 700
_LEAD_MS = 240
_TAIL_MS = 240
_CUT_WINDOW_MS = 6000
"""How far back from its longest a stretch is searched for the quietest place to cut it."""

CROSSTALK_DB = 24.0

_VAD = VadConfig(stop_ms=_PAUSE_MS, start_ms=60, min_level_dbfs=-50.0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech of one speaker: 16-bit PCM at 8 kHz, and where it is in the recording."""

    start_ms: int
    end_ms: int
    pcm16: bytes = field(repr=False)


def without_crosstalk(channels: tuple[bytes, ...], sample_rate_hz: int) -> tuple[bytes, ...]:
    """Return the channels of a block without what each has of the other.

    Opus puts a speaker into the other channel as well, 29 dB down, and lines have echo; whoever
    is :data:`CROSSTALK_DB` quieter than the other at the same moment is silent.
    """
    if len(channels) != 2:
        return channels
    frame = sample_rate_hz * _FRAME_MS // 1000
    pair = np.stack([np.frombuffer(channel, dtype="<i2") for channel in channels])
    frames = -(-pair.shape[1] // frame)
    padded = np.pad(pair, ((0, 0), (0, frames * frame - pair.shape[1])))
    cut = padded.reshape(2, frames, frame).astype(np.float64)
    power = (cut**2).mean(axis=2) + 1.0
    quiet = power * 10 ** (CROSSTALK_DB / 10) < power[::-1]
    cut[quiet] = 0.0
    clean = cut.reshape(2, -1)[:, : pair.shape[1]].astype("<i2")
    return clean[0].tobytes(), clean[1].tobytes()


class SpeechCutter:
    """Takes a channel block by block and gives its stretches, none longer than ``longest_s``."""

    def __init__(self, sample_rate_hz: int, longest_s: float = 28.0) -> None:
        self._converter = Converter(AudioFormat("l16", sample_rate_hz), L16_8K)
        self._vad = VoiceActivityDetector(_VAD, L16_8K.sample_rate_hz)
        self._longest = int(longest_s * 1000) // _FRAME_MS
        self._lead = _LEAD_MS // _FRAME_MS
        self._rest = b""
        self._frames: list[bytes] = []
        self._first = 0
        self._next = 0
        self._speaking = False

    @property
    def received_s(self) -> float:
        """How much of the channel was taken."""
        return self._next * _FRAME_MS / 1000

    def receive(self, pcm16: bytes) -> Iterator[Stretch]:
        """Yield the stretches that are over now."""
        yield from self._take(self._converter.convert(pcm16))

    def finish(self) -> Iterator[Stretch]:
        """Yield the last one."""
        yield from self._take(self._converter.flush())
        if self._speaking:
            yield self._stretch(len(self._frames))

    def _take(self, pcm16: bytes) -> Iterator[Stretch]:
        audio = self._rest + pcm16
        whole = len(audio) - len(audio) % _FRAME_BYTES
        self._rest = audio[whole:]
        for at in range(0, whole, _FRAME_BYTES):
            yield from self._frame(audio[at : at + _FRAME_BYTES])

    def _frame(self, frame: bytes) -> Iterator[Stretch]:
        self._frames.append(frame)
        self._next += 1
        change = self._vad.process(frame)
        if change is True:
            self._speaking = True
            self._forget(self._vad.speech_ms // _FRAME_MS + self._lead)
        elif change is False:
            self._speaking = False
            silent = (_PAUSE_MS - _TAIL_MS) // _FRAME_MS
            yield self._stretch(max(1, len(self._frames) - silent))
        elif self._speaking and len(self._frames) >= self._longest:
            yield self._stretch(self._quietest())
        elif not self._speaking and len(self._frames) > 10 * self._lead:
            self._forget(2 * self._lead)

    def _quietest(self) -> int:
        """Return the number of frames before the quietest of the last few seconds."""
        begin = max(1, len(self._frames) - _CUT_WINDOW_MS // _FRAME_MS)
        levels = [rms(frame) for frame in self._frames[begin:]]
        return begin + levels.index(min(levels))

    def _stretch(self, count: int) -> Stretch:
        taken, self._frames = self._frames[:count], self._frames[count:]
        start_ms = self._first * _FRAME_MS
        self._first += count
        return Stretch(start_ms, start_ms + count * _FRAME_MS, b"".join(taken))

    def _forget(self, keep: int) -> None:
        """Keep the last frames only."""
        dropped = max(0, len(self._frames) - keep)
        del self._frames[:dropped]
        self._first += dropped
