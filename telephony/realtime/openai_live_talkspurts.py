"""Finds the talkspurts in a stream of audio that never pauses.

A Live model sends silence as it sends speech. What is worth a place in the playout queue is
decided by level alone, which costs a microsecond or two for 20 ms: the stream is a model's, not
a line's, and has no noise of its own.
"""

from __future__ import annotations

from collections import deque

from telephony.audio.format import AudioFormat
from telephony.audio.g711 import decode
from telephony.audio.level import rms

PREROLL_MS = 60
"""Audio before the first loud piece that belongs to it: soft consonants, breath.

It comes at once, so it fills the prebuffer with sound in place of a wait.
"""

KEPT_SILENCE_MS = 240
"""Silence that is passed on after speech; a longer pause passes by itself, in real time."""

SILENCE_DBFS = -50.0
"""What is less loud is silence."""

_HYSTERESIS_DB = 6.0
"""Speech that goes on may be so much softer than speech that begins."""

_PIECE_MS = 20
_NOTHING = b""


class TalkspurtGate:
    """Takes the stream piece by piece; returns what of it is to be heard.

    ``silence_ms`` is how long the stream has been silent.
    """

    __slots__ = (
        "_audio_format",
        "_bytes_per_ms",
        "_open",
        "_open_rms",
        "_preroll",
        "_preroll_bytes",
        "_preroll_limit",
        "_stay_rms",
        "silence_ms",
    )

    def __init__(self, audio_format: AudioFormat, silence_dbfs: float = SILENCE_DBFS) -> None:
        self._open_rms = 32768 * 10 ** (silence_dbfs / 20)
        self._stay_rms = 32768 * 10 ** ((silence_dbfs - _HYSTERESIS_DB) / 20)
        self._audio_format = audio_format
        self._bytes_per_ms = audio_format.bytes_per_second / 1000
        self._open = False
        self._preroll: deque[bytes] = deque()
        self._preroll_bytes = 0
        self._preroll_limit = audio_format.frame_bytes(PREROLL_MS)
        self.silence_ms = 0.0

    def split(self, audio: bytes) -> tuple[bytes, ...]:
        """Return the pieces to feed: short audio as it is, long audio 20 ms at a time."""
        size = self._audio_format.frame_bytes(_PIECE_MS)
        if len(audio) <= 2 * size:
            return (audio,)
        return tuple(audio[at : at + size] for at in range(0, len(audio), size))

    def feed(self, piece: bytes) -> bytes:
        """Return what is to be heard now: the piece, with what led to it, or nothing."""
        level = rms(decode(self._audio_format, piece))
        if self._open:
            if level >= self._stay_rms:
                self.silence_ms = 0.0
                return piece
            self.silence_ms += len(piece) / self._bytes_per_ms
            if self.silence_ms <= KEPT_SILENCE_MS:
                return piece
            self._open = False
        elif level >= self._open_rms:
            self._open = True
            self.silence_ms = 0.0
            return self._with_preroll(piece)
        else:
            self.silence_ms += len(piece) / self._bytes_per_ms
        self._keep(piece)
        return _NOTHING

    def _with_preroll(self, piece: bytes) -> bytes:
        before = b"".join(self._preroll)[-self._preroll_limit :]
        self._preroll.clear()
        self._preroll_bytes = 0
        return before + piece

    def _keep(self, piece: bytes) -> None:
        kept = self._preroll
        kept.append(piece)
        self._preroll_bytes += len(piece)
        while self._preroll_bytes - len(kept[0]) >= self._preroll_limit:
            self._preroll_bytes -= len(kept.popleft())
