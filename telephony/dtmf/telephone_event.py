"""An RTP event on the wire (RFC 4733)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"

FLASH = 16

DURATION_MAX = 0xFFFF
"""In units of the RTP timestamp: 8.2 s at 8 kHz, 1.4 s at 48 kHz."""

_EVENT = struct.Struct("!BBH")


class TelephoneEventParseError(ValueError):
    """The payload is not a telephone-event."""


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One report of an event (section 2.3); ``volume_dbm0`` is 0 to -63, ``duration_samples``
    counts from the RTP timestamp."""

    event: int
    end: bool
    volume_dbm0: int
    duration_samples: int

    @property
    def digit(self) -> str | None:
        """The key, or ``None`` for flash and other events."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None

    def serialize(self) -> bytes:
        flags = (0x80 if self.end else 0) | -self.volume_dbm0
        return _EVENT.pack(self.event, flags, self.duration_samples)


def parse_event(payload: bytes) -> TelephoneEvent:
    """Return the first event of ``payload``; raise :class:`TelephoneEventParseError`."""
    if len(payload) < _EVENT.size:
        raise TelephoneEventParseError("shorter than an event")
    event, flags, duration = _EVENT.unpack_from(payload)
    return TelephoneEvent(event, bool(flags & 0x80), -(flags & 0x3F), duration)
