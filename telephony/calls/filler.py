"""A sound of ours in the place of an answer, which ends early and softly when that is there."""

from __future__ import annotations

import numpy as np

from telephony.audio.format import AudioFormat
from telephony.audio.g711 import decode, encode
from telephony.audio.level import rms

END_WITHIN_MS = 240
"""How long an answer waits at most for the filler to end, at its quietest place until then.

Long enough to hold the end of a word; not so long that anybody takes it for a pause.
"""


class Filler:
    """``audio`` in the line's format, cut into frames; the last one is filled up with silence."""

    __slots__ = ("_at", "_audio", "_ending", "_frame_bytes", "_frames_left", "_line", "begun")

    def __init__(self, audio: bytes, line: AudioFormat, ptime_ms: int) -> None:
        frame_bytes = line.frame_bytes(ptime_ms)
        self._audio = audio + line.silence(-len(audio) % frame_bytes)
        self._line = line
        self._frame_bytes = frame_bytes
        self._frames_left = END_WITHIN_MS // ptime_ms
        self._at = 0
        self._ending = False
        self.begun = False
        """True once something of it was heard."""

    def next_frame(self) -> bytes | None:
        """Return the frame to send now, or None after the last."""
        frame = self._audio[self._at : self._at + self._frame_bytes]
        self._at += len(frame)
        self.begun = True
        return frame or None

    def end_soon(self) -> None:
        """Fade out in the quietest of the next frames, unless it is nearly over anyway."""
        if self._ending:
            return
        self._ending = True
        size = self._frame_bytes
        coming = [
            decode(self._line, self._audio[at : at + size])
            for at in range(self._at, len(self._audio), size)[: self._frames_left + 1]
        ]
        if len(coming) <= self._frames_left:
            return
        del coming[-1]
        levels = [rms(frame) for frame in coming]
        quietest = levels.index(min(levels))
        last = self._at + quietest * size
        self._audio = self._audio[:last] + encode(self._line, _faded(coming[quietest]))


def _faded(pcm16: bytes) -> bytes:
    samples = np.frombuffer(pcm16, dtype="<i2")
    return (samples * np.linspace(1.0, 0.0, len(samples))).astype("<i2").tobytes()
