"""RTP packets on the wire (RFC 3550 section 5.1, header extensions of section 5.3.1)."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_HEADER_BYTES = 12
_PLAIN = 0x80  # version 2, no padding, no extension, no CSRC

_unpack_header = _HEADER.unpack_from
_pack_header = _HEADER.pack


class RtpParseError(ValueError):
    """The datagram is not an RTP packet of version 2."""


class RtpPacket:
    """One packet. ``payload`` excludes padding; ``extension`` is (profile, data).

    ``samples`` is its duration on the RTP clock. It is not in the packet: a byte is one tick in
    G.711 and G.722; for others the session, which knows the payload types, sets it.
    """

    __slots__ = (
        "csrcs",
        "extension",
        "marker",
        "payload",
        "payload_type",
        "samples",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(
        self,
        payload_type: int,
        marker: bool,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
        csrcs: tuple[int, ...] = (),
        extension: tuple[int, bytes] | None = None,
    ) -> None:
        self.payload_type = payload_type
        self.marker = marker
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.payload = payload
        self.samples = len(payload)
        self.csrcs = csrcs
        self.extension = extension

    def serialize(self) -> bytes:
        """Return the packet as a datagram, without padding.

        Raises ``ValueError`` for a field out of range, more than 15 CSRCs, or extension data
        that is not a whole number of 32-bit words.
        """
        first = _PLAIN | (0x10 if self.extension is not None else 0) | len(self.csrcs)
        if len(self.csrcs) > 15:
            raise ValueError("an RTP header holds at most 15 CSRCs")
        if not 0 <= self.payload_type <= 127:
            raise ValueError("an RTP payload type is at most 127")
        second = (0x80 if self.marker else 0) | self.payload_type
        try:
            header = _pack_header(first, second, self.sequence_number, self.timestamp, self.ssrc)
            sources = struct.pack(f"!{len(self.csrcs)}I", *self.csrcs)
        except struct.error as error:
            raise ValueError(str(error)) from error
        return header + sources + self._extension_bytes() + self.payload

    __bytes__ = serialize

    def _extension_bytes(self) -> bytes:
        if self.extension is None:
            return b""
        profile, data = self.extension
        if len(data) % 4 or len(data) > 4 * 0xFFFF:
            raise ValueError("extension data is a whole number of 32-bit words")
        return _EXTENSION.pack(profile, len(data) // 4) + data

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RtpPacket):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        mark = " marker" if self.marker else ""
        return (
            f"<RtpPacket pt={self.payload_type} seq={self.sequence_number} ts={self.timestamp}"
            f" ssrc={self.ssrc:08x} {len(self.payload)} bytes{mark}>"
        )


def parse_packet(data: bytes) -> RtpPacket:
    """Return the packet in ``data``; raise :class:`RtpParseError` when there is none."""
    if len(data) < _HEADER_BYTES:
        raise RtpParseError("shorter than an RTP header")
    first, second, sequence_number, timestamp, ssrc = _unpack_header(data)
    if first == _PLAIN:
        return RtpPacket(
            second & 0x7F, second > 0x7F, sequence_number, timestamp, ssrc, data[_HEADER_BYTES:]
        )
    if first >> 6 != 2:
        raise RtpParseError("not RTP version 2")
    csrcs, offset = _parse_csrcs(data, first & 0x0F)
    extension = None
    if first & 0x10:
        extension, offset = _parse_extension(data, offset)
    end = _payload_end(data, offset) if first & 0x20 else len(data)
    return RtpPacket(
        second & 0x7F,
        second > 0x7F,
        sequence_number,
        timestamp,
        ssrc,
        data[offset:end],
        csrcs,
        extension,
    )


def _parse_csrcs(data: bytes, count: int) -> tuple[tuple[int, ...], int]:
    end = _HEADER_BYTES + 4 * count
    if len(data) < end:
        raise RtpParseError("the CSRC list is cut short")
    return struct.unpack_from(f"!{count}I", data, _HEADER_BYTES), end


def _parse_extension(data: bytes, offset: int) -> tuple[tuple[int, bytes], int]:
    start = offset + _EXTENSION.size
    if len(data) < start:
        raise RtpParseError("the extension header is cut short")
    profile, words = _EXTENSION.unpack_from(data, offset)
    end = start + 4 * words
    if len(data) < end:
        raise RtpParseError("the extension is cut short")
    return (profile, data[start:end]), end


def _payload_end(data: bytes, offset: int) -> int:
    """Return where the payload stops: the last byte counts the padding, itself included."""
    padding = data[-1]
    end = len(data) - padding
    if padding == 0 or end < offset:
        raise RtpParseError("the padding is longer than the payload")
    return end
