"""Frames of our ptime out of packets of any."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from telephony.audio.opus_packet import is_dtx
from telephony.rtp.frames import Gap, Lost
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket
from telephony.rtp.payload_format import PLAIN, PLAIN_CLOCK_RATE_HZ, PayloadDecoder, PayloadFormat

_POPS_MAX = 16
_SILENCE = {"pcmu": b"\xff", "pcma": b"\xd5"}


class Absence(Enum):
    """A frame without audio: conceal a loss, or fill a silence."""

    LOST = "lost"
    GAP = "gap"


LOST: Final = Absence.LOST
GAP: Final = Absence.GAP


class Framer:
    """Pulls a jitter buffer and gives ``frame_samples`` of its clock at a time, or what there is.

    A packet of that duration is handed on as it is; others are cut or gathered; what comes before
    a loss or before nothing is shorter. ``payload_type`` is that of the last frame given,
    ``lost_samples`` the duration of the last LOST: at most a frame's. Packets of an encoding with
    a decoder (``formats``) are decoded first, for they can't be cut before.
    """

    __slots__ = (
        "_clock_rate_hz",
        "_decoder",
        "_decoders",
        "_formats",
        "_frame_bytes",
        "_jitter",
        "_lost_samples",
        "_part",
        "_part_payload_type",
        "_ran_dry",
        "_silent",
        "encodings",
        "frame_samples",
        "lost_samples",
        "payload_type",
    )

    def __init__(
        self,
        jitter: JitterBuffer,
        frame_samples: int,
        formats: Mapping[str, PayloadFormat] | None = None,
        clock_rate_hz: int = PLAIN_CLOCK_RATE_HZ,
    ) -> None:
        self.encodings: dict[int, str] = {}
        self.payload_type: int | None = None
        self.lost_samples = 0
        self._jitter = jitter
        self.frame_samples = frame_samples
        self._clock_rate_hz = clock_rate_hz
        self._formats = formats or {}
        self._decoders: dict[str, PayloadDecoder | None] = {}
        self._decoder: PayloadDecoder | None = None
        self._frame_bytes = frame_samples
        self._part = b""
        self._part_payload_type = 0
        self._lost_samples = 0
        self._silent = False
        self._ran_dry = False

    def pop(self, now: float) -> bytes | Absence | None:
        """Return the frame due at ``now``, what stands for it, or ``None`` if nothing came."""
        if self._part or self._lost_samples:
            return self._pop_parts(now)
        if self._ran_dry:
            self._ran_dry = False
            return None
        item = self._jitter.pop(now)
        if item is None:
            # After its last packet a silent sender of Opus sends nothing.
            return GAP if self._silent else None
        if isinstance(item, RtpPacket):
            if item.payload_type != self.payload_type:
                self._follow(item.payload_type)
            payload = item.payload if self._decoder is None else self._decoded(item)
            if len(payload) == self._frame_bytes:
                return payload
            self._part = payload
            self._part_payload_type = item.payload_type
            return self._pop_parts(now)
        if isinstance(item, Lost):
            self._lost_samples = item.samples
            return self._continue_loss()
        return GAP

    def ahead(self) -> tuple[int, bytes]:
        """After LOST: how many samples are lost from its beginning on, and what comes then.

        What comes is a ptime or less of the last payload type, or nothing when it is not known or
        has to be decoded.
        """
        missing, payload_type, payload = self._jitter.peek(self.frame_samples)
        if payload_type != self.payload_type or self._decoder is not None:
            return 0, b""
        return self.lost_samples + self._lost_samples + missing, payload[: self._frame_bytes]

    def change_encodings(self, encodings: dict[int, str]) -> None:
        """Take what payload types stand for; a part of one that changed its meaning is dropped."""
        now = self.payload_type
        if now is not None and encodings.get(now) != self.encodings.get(now):
            self._part, self.payload_type, self._decoder = b"", None, None
        self.encodings = encodings

    @property
    def decoder_conceals(self) -> bool:
        return self._decoder is not None and self._decoder.conceals

    def conceal(self) -> bytes | None:
        """Return a frame in place of what :meth:`pop` did not have; None without a decoder's own.

        To be called after that pop and before the next.
        """
        decoder = self._decoder
        if decoder is None:
            return None
        packet = self._jitter.following()
        same = packet is not None and packet.payload_type == self.payload_type
        return decoder.conceal(packet.payload if packet is not None and same else None)

    def _follow(self, payload_type: int) -> None:
        """Take the frames of another payload type from now on."""
        self.payload_type = payload_type
        encoding = self.encodings.get(payload_type, "")
        self._silent = False
        if encoding not in self._decoders:
            open_decoder = self._formats.get(encoding, PLAIN).open_decoder
            frame_ms = self.frame_samples * 1000 // self._clock_rate_hz
            self._decoders[encoding] = open_decoder(frame_ms) if open_decoder else None
        self._decoder = self._decoders[encoding]
        seconds = self.frame_samples / self._clock_rate_hz
        bytes_per_second = PLAIN_CLOCK_RATE_HZ
        if self._decoder is not None:
            bytes_per_second = self._decoder.format.bytes_per_second
        self._frame_bytes = round(seconds * bytes_per_second)

    def _decoded(self, packet: RtpPacket) -> bytes:
        decoder = self._decoder
        assert decoder is not None
        self._silent = is_dtx(packet.payload)
        return decoder.decode(packet.payload)

    def _pop_parts(self, now: float) -> bytes | Absence | None:
        if self._lost_samples:
            return self._continue_loss()
        if self._part_payload_type != self.payload_type:
            self._follow(self._part_payload_type)
            if self._decoder is not None:
                self._part = self._decoder.decode(self._part)
        for _ in range(_POPS_MAX):
            if len(self._part) >= self._frame_bytes:
                break
            item = self._jitter.pop(now)
            if item is None:
                self._ran_dry = True
                part, self._part = self._part, b""
                return part
            if not isinstance(item, RtpPacket):
                return self._end_part(item)
            if item.payload_type != self.payload_type:
                return self._switch_part(item)
            self._part += item.payload if self._decoder is None else self._decoded(item)
        frame = self._part[: self._frame_bytes]
        self._part = self._part[self._frame_bytes :]
        return frame

    def _continue_loss(self) -> Absence:
        self.lost_samples = min(self._lost_samples, self.frame_samples)
        self._lost_samples -= self.lost_samples
        return LOST

    def _end_part(self, item: Lost | Gap) -> bytes:
        """Give a part as it is before a loss, completed with silence before a gap."""
        part, self._part = self._part, b""
        if isinstance(item, Gap):
            return part + self._silence() * (self._frame_bytes - len(part))
        self._lost_samples = item.samples
        return part

    def _switch_part(self, packet: RtpPacket) -> bytes:
        """Complete a part of the old encoding; a packet of the new one begins the next frame."""
        frame = self._part + self._silence() * (self._frame_bytes - len(self._part))
        self._part = packet.payload
        self._part_payload_type = packet.payload_type
        return frame

    def _silence(self) -> bytes:
        return _SILENCE.get(self.encodings.get(self._part_payload_type, ""), b"\x00")
