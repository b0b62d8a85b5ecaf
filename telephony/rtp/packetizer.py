"""The sending side of one RTP stream: sequence numbers and timestamps."""

from __future__ import annotations

import struct

from telephony.base.serial import add32

_pack_header = struct.Struct("!BBHII").pack


class Packetizer:
    """Numbers payloads. ``payload_type`` may be assigned at any time (a re-negotiated codec).

    The sequence number has no hole; the timestamp also runs over what is not sent
    (RFC 3550 section 5.1), see :meth:`advance`.
    """

    __slots__ = (
        "packets_sent",
        "payload_bytes_sent",
        "payload_type",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(self, payload_type: int, ssrc: int, sequence_number: int, timestamp: int) -> None:
        self.payload_type = payload_type
        self.ssrc = ssrc
        self.sequence_number = sequence_number & 0xFFFF
        self.timestamp = timestamp & 0xFFFF_FFFF
        self.packets_sent = 0
        self.payload_bytes_sent = 0

    def packetize(self, payload: bytes, duration_samples: int, marker: bool = False) -> bytes:
        """Return the datagram that carries ``payload`` and move on by ``duration_samples``."""
        sequence_number = self.sequence_number
        timestamp = self.timestamp
        self.sequence_number = (sequence_number + 1) & 0xFFFF
        self.timestamp = (timestamp + duration_samples) & 0xFFFF_FFFF
        self.packets_sent += 1
        self.payload_bytes_sent += len(payload)
        second = self.payload_type | 0x80 if marker else self.payload_type
        return _pack_header(0x80, second, sequence_number, timestamp, self.ssrc) + payload

    def packetize_event(
        self, payload: bytes, payload_type: int, timestamp: int, marker: bool = False
    ) -> bytes:
        """Return a datagram of another payload type with its own ``timestamp``.

        A telephone-event keeps the timestamp of its start (RFC 4733 section 2.5.1.2); the
        clock of the stream is moved by :meth:`advance`.
        """
        sequence_number = self.sequence_number
        self.sequence_number = (sequence_number + 1) & 0xFFFF
        self.packets_sent += 1
        self.payload_bytes_sent += len(payload)
        second = payload_type | 0x80 if marker else payload_type
        return _pack_header(0x80, second, sequence_number, timestamp, self.ssrc) + payload

    def advance(self, samples: int) -> None:
        """Let ``samples`` of silence pass: nothing is sent, only the timestamp moves."""
        self.timestamp = add32(self.timestamp, samples)
