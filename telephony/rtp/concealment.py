"""Who makes up for lost frames: the decoder if it can, else our concealer."""

from __future__ import annotations

from typing import Protocol

from telephony.audio.conceal import Concealer
from telephony.audio.format import AudioFormat
from telephony.rtp.session import RtpSession


class Concealment(Protocol):
    """Frames of 16-bit PCM in playing order; see :class:`telephony.audio.conceal.Concealer`."""

    def good(self, pcm16: bytes) -> bytes: ...

    def lost(self) -> bytes: ...


class DecoderConcealment:
    """Leaves it to the decoder, which knows more than its output: its state, and FEC.

    It goes on from what it made up by itself, so that a good frame needs no blending.
    """

    __slots__ = ("_session", "_silence")

    def __init__(self, session: RtpSession, silence: bytes) -> None:
        self._session = session
        self._silence = silence

    def good(self, pcm16: bytes) -> bytes:
        return pcm16

    def lost(self) -> bytes:
        made_up = self._session.conceal_frame()
        return self._silence if made_up is None else made_up


def concealment_of(session: RtpSession, heard: AudioFormat, ptime_ms: int) -> Concealment:
    """Return what conceals the encoding that ``session`` gives frames of now."""
    if session.decoder_conceals:
        return DecoderConcealment(session, bytes(heard.sample_rate_hz * ptime_ms // 1000 * 2))
    return Concealer(heard.sample_rate_hz, ptime_ms)
