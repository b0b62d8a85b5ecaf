"""Frames of our ptime out of packets of any."""

from __future__ import annotations

from enum import Enum
from typing import Final

from telephony.rtp.frames import Gap, Lost
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket

_POPS_MAX = 16
_SILENCE = {"pcmu": b"\xff", "pcma": b"\xd5"}


class Absence(Enum):
    """A frame without audio: conceal a loss, or fill a silence."""

    LOST = "lost"
    GAP = "gap"


LOST: Final = Absence.LOST
GAP: Final = Absence.GAP


class Framer:
    """Pulls a jitter buffer and gives ``frame_samples`` bytes at a time; less before it has none.

    A packet of that size is handed on as it is; others are cut or gathered. ``payload_type``
    is that of the last frame given, ``lost_samples`` the duration of the last LOST: at most a
    frame's.
    """

    __slots__ = (
        "_frame_bytes",
        "_jitter",
        "_lost_samples",
        "_part",
        "_part_payload_type",
        "_ran_dry",
        "encodings",
        "lost_samples",
        "payload_type",
    )

    def __init__(self, jitter: JitterBuffer, frame_samples: int) -> None:
        self.encodings: dict[int, str] = {}
        self.payload_type: int | None = None
        self.lost_samples = 0
        self._jitter = jitter
        self._frame_bytes = frame_samples
        self._part = b""
        self._part_payload_type = 0
        self._lost_samples = 0
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
            return None
        if isinstance(item, RtpPacket):
            self.payload_type = item.payload_type
            payload = item.payload
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

        What comes is a ptime or less of the last payload type, or nothing when it is not known.
        """
        missing, payload_type, payload = self._jitter.peek(self._frame_bytes)
        if payload_type != self.payload_type:
            return 0, b""
        return self.lost_samples + self._lost_samples + missing, payload[: self._frame_bytes]

    def _pop_parts(self, now: float) -> bytes | Absence | None:
        if self._lost_samples:
            return self._continue_loss()
        self.payload_type = self._part_payload_type
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
            self._part += item.payload
        frame = self._part[: self._frame_bytes]
        self._part = self._part[self._frame_bytes :]
        return frame

    def _continue_loss(self) -> Absence:
        self.lost_samples = min(self._lost_samples, self._frame_bytes)
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
