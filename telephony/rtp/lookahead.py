"""What a jitter buffer holds already of the time after a loss."""

from __future__ import annotations

from collections.abc import Mapping

from telephony.rtp.packet import RtpPacket

_HOLES_MAX = 2

Held = Mapping[int, tuple[int, RtpPacket | None]]
"""Timestamp and packet by extended sequence number; no packet: one without audio."""

NOTHING = (0, -1, b"")


def look_ahead(
    packets: Held, sequence: int, timestamp: int, frame_samples: int, wanted_samples: int
) -> tuple[int, int, bytes]:
    """Return what comes next: samples missing before it, its payload type, its payload.

    ``sequence`` and ``timestamp`` are those of the packet whose turn is next, ``frame_samples`` the
    duration of a missing one. Payloads that follow each other are joined up to ``wanted_samples``
    or more. :data:`NOTHING` when nothing is known, or what is known is behind a silence.
    """
    for holes in range(_HOLES_MAX + 1):
        entry = packets.get(sequence + holes)
        if entry is not None:
            break
    else:
        return NOTHING
    missing = holes * frame_samples
    first = entry[1]
    if first is None or entry[0] != timestamp + missing:
        return NOTHING
    payload, known = first.payload, first.samples
    while known < wanted_samples:
        holes += 1
        expected, packet = packets.get(sequence + holes, (0, None))
        if packet is None or packet.payload_type != first.payload_type:
            break
        if expected != timestamp + missing + known:
            break
        payload += packet.payload
        known += packet.samples
    return missing, first.payload_type, payload
