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
    """Pulls a jitter buffer and gives exactly ``frame_samples`` bytes at a time.

    A packet of that size is handed on as it is; others are cut or gathered. ``payload_type``
    is that of the last frame given.
    """

    __slots__ = (
        "_frame_bytes",
        "_jitter",
        "_lost_samples",
        "_part",
        "_part_payload_type",
        "encodings",
        "payload_type",
    )

    def __init__(self, jitter: JitterBuffer, frame_samples: int) -> None:
        self.encodings: dict[int, str] = {}
        self.payload_type: int | None = None
        self._jitter = jitter
        self._frame_bytes = frame_samples
        self._part = b""
        self._part_payload_type = 0
        self._lost_samples = 0

    def pop(self, now: float) -> bytes | Absence | None:
        """Return the frame due at ``now``, what stands for it, or ``None`` if nothing came."""
        if self._part or self._lost_samples:
            return self._pop_parts(now)
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
            self._lost_samples = max(item.samples - self._frame_bytes, 0)
            return LOST
        return GAP

    def _pop_parts(self, now: float) -> bytes | Absence | None:
        if self._lost_samples:
            return self._continue_loss(now)
        self.payload_type = self._part_payload_type
        for _ in range(_POPS_MAX):
            if len(self._part) >= self._frame_bytes:
                break
            item = self._jitter.pop(now)
            if item is None:
                # What completes the part may still come.
                return None
            if not isinstance(item, RtpPacket):
                return self._pad_part(item)
            if item.payload_type != self.payload_type:
                return self._switch_part(item)
            self._part += item.payload
        frame = self._part[: self._frame_bytes]
        self._part = self._part[self._frame_bytes :]
        return frame

    def _continue_loss(self, now: float) -> bytes | Absence | None:
        """Answer the rest of a lost packet; a rest under a ptime is left out."""
        if self._lost_samples >= self._frame_bytes:
            self._lost_samples -= self._frame_bytes
            return LOST
        self._lost_samples = 0
        return self.pop(now)

    def _pad_part(self, item: Lost | Gap) -> bytes:
        """Complete a part: with its own end before a loss, with silence before a gap."""
        part, self._part = self._part, b""
        short = self._frame_bytes - len(part)
        if isinstance(item, Gap):
            return part + self._silence() * short
        self._lost_samples = max(item.samples - short, 0)
        end = part[-short:]
        return part + (end * (short // len(end) + 1))[:short]

    def _switch_part(self, packet: RtpPacket) -> bytes:
        """Complete a part of the old encoding; a packet of the new one begins the next frame."""
        frame = self._part + self._silence() * (self._frame_bytes - len(self._part))
        self._part = packet.payload
        self._part_payload_type = packet.payload_type
        return frame

    def _silence(self) -> bytes:
        return _SILENCE.get(self.encodings.get(self._part_payload_type, ""), b"\x00")
