"""How long payloads last, and what they become: where a byte is not one tick of 8000 Hz."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from telephony.audio.format import AudioFormat
from telephony.rtp.packet import RtpPacket

PLAIN_CLOCK_RATE_HZ = 8000


class PayloadDecoder(Protocol):
    """Turns payloads into 16-bit PCM, in playing order; garbage never raises."""

    @property
    def format(self) -> AudioFormat: ...

    @property
    def conceals(self) -> bool:
        """Whether :meth:`conceal` makes something up."""

    def decode(self, payload: bytes) -> bytes: ...

    def conceal(self, following: bytes | None) -> bytes | None:
        """Return a frame of PCM in place of a lost one; None: this codec can't.

        ``following`` is the payload after it, if that has come already.
        """


@dataclass(frozen=True, slots=True)
class PayloadFormat:
    """One encoding. ``samples_of`` says how long a payload lasts on its clock (0: unknown); None
    means a tick for each byte.

    ``open_decoder`` is given the frame's duration in ms. Its frames are PCM; without one they are
    payloads, cut where a frame ends.
    """

    clock_rate_hz: int = PLAIN_CLOCK_RATE_HZ
    samples_of: Callable[[bytes], int] | None = None
    open_decoder: Callable[[int], PayloadDecoder] | None = None


PLAIN = PayloadFormat()


class PayloadClock:
    """Brings the packets of one payload type to the clock of a session that is a multiple."""

    __slots__ = ("_frame_samples", "_samples_of", "scale")

    def __init__(self, payload_format: PayloadFormat, session_hz: int, frame_samples: int) -> None:
        self.scale = session_hz // payload_format.clock_rate_hz
        self._samples_of = payload_format.samples_of
        self._frame_samples = frame_samples

    @property
    def is_plain(self) -> bool:
        return self.scale == 1 and self._samples_of is None

    def adjust(self, packet: RtpPacket) -> None:
        """Set a packet's timestamp and duration; its 32 bits wrap as before."""
        scale, samples_of = self.scale, self._samples_of
        samples = len(packet.payload) if samples_of is None else samples_of(packet.payload)
        packet.samples = scale * samples or self._frame_samples
        packet.timestamp = packet.timestamp * scale & 0xFFFF_FFFF
