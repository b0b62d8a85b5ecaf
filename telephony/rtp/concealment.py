"""Who makes up for lost frames: the decoder if it can, else our concealer."""

from __future__ import annotations

from typing import Protocol

from telephony.audio.conceal import Concealer
from telephony.audio.format import AudioFormat
from telephony.rtp.session import RtpSession

_FADED_FRAMES = 5


class Concealment(Protocol):
    """Frames of 16-bit PCM in playing order; see :class:`telephony.audio.conceal.Concealer`."""

    @property
    def faded(self) -> bool: ...

    @property
    def before(self) -> bytes: ...

    def good(self, pcm16: bytes) -> bytes: ...

    def lost(self, ahead: bytes = b"", span_samples: int = 0, samples: int = 0) -> bytes: ...


class DecoderConcealment:
    """Leaves it to the decoder, which knows more than its output: its state, and FEC.

    It goes on from what it made up by itself, so that a good frame needs no blending.
    """

    __slots__ = ("_lost_bytes", "_newest", "_session", "_silence", "before")

    def __init__(self, session: RtpSession, silence: bytes) -> None:
        self._session = session
        self._silence = silence
        self._lost_bytes = 0
        self._newest = self.before = b""

    @property
    def faded(self) -> bool:
        return self._lost_bytes >= _FADED_FRAMES * len(self._silence)

    def good(self, pcm16: bytes) -> bytes:
        self._lost_bytes = 0
        self.before, self._newest = self._newest, pcm16
        return pcm16

    def lost(self, ahead: bytes = b"", span_samples: int = 0, samples: int = 0) -> bytes:
        """Return a frame of the decoder's, or the beginning of one; silence after five."""
        made_up = None if self.faded else self._session.framer.conceal()
        piece = (self._silence if made_up is None else made_up)[: 2 * samples or None]
        self._lost_bytes += len(piece)
        self.before, self._newest = self._newest, piece
        return piece


def concealment_of(session: RtpSession, heard: AudioFormat, ptime_ms: int) -> Concealment:
    """Return what conceals the encoding that ``session`` gives frames of now."""
    if session.framer.decoder_conceals:
        return DecoderConcealment(session, bytes(heard.sample_rate_hz * ptime_ms // 1000 * 2))
    return Concealer(heard.sample_rate_hz, ptime_ms)
