"""RTCP packets on the wire (RFC 3550 section 6): reports, descriptions and goodbyes.

Everything stands here in the units of the wire; :mod:`telephony.rtp.rtcp` makes seconds and
shares of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from telephony.rtp.rtcp_xr import ExtendedReport, parse_extended_report

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
EXTENDED_REPORT = 207

_CNAME = 1
_COUNT_MAX = 31
_TEXT_MAX_BYTES = 255
_LOST_MIN, _LOST_MAX = -0x80_0000, 0x7F_FFFF

_HEADER = struct.Struct("!BBH")
_SSRC = struct.Struct("!I")
_SENDER_INFO = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")


class RtcpParseError(ValueError):
    """The datagram is no RTCP of version 2."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How the stream of ``ssrc`` is received (section 6.4.1).

    ``fraction_lost`` is in 1/256, ``jitter`` in units of the stream's clock rate, ``last_sr`` the
    middle 32 bits of the NTP time in its last sender report (0: none came), and
    ``delay_since_last_sr`` is in 1/65536 s. ``packets_lost`` is signed: duplicates make it fall.
    """

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int = 0
    delay_since_last_sr: int = 0


@dataclass(frozen=True, slots=True)
class SenderReport:
    """``ntp`` is 64 bits of which the lower half is the fraction of the second."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packets_sent: int
    payload_bytes_sent: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name of each source; other items are read over (section 6.5)."""

    cnames: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The sources that leave (section 6.6)."""

    ssrcs: tuple[int, ...]
    reason: str = ""


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | ExtendedReport


@dataclass(frozen=True, slots=True)
class Compound:
    """What a datagram held, and how many of its packets said nothing to us."""

    packets: tuple[RtcpPacket, ...]
    unknown: int = 0
    malformed: int = 0


def parse_compound(data: bytes) -> Compound:
    """Return the packets in ``data``.

    Their lengths have to fill it exactly (appendix A.2), else :class:`RtcpParseError` is raised.
    A packet that is too short for what it announces is counted and left out.
    """
    packets: list[RtcpPacket] = []
    unknown = malformed = 0
    for count, kind, body in _split(data):
        parse = _PARSERS.get(kind)
        if parse is None:
            unknown += 1
            continue
        try:
            packets.append(parse(count, body))
        except (struct.error, RtcpParseError):
            malformed += 1
    return Compound(tuple(packets), unknown, malformed)


def _split(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return count, type and body of each packet."""
    parts: list[tuple[int, int, bytes]] = []
    offset, size = 0, len(data)
    while offset < size:
        if size - offset < _HEADER.size:
            raise RtcpParseError("the header is cut short")
        first, kind, words = _HEADER.unpack_from(data, offset)
        if first >> 6 != 2:
            raise RtcpParseError("not RTCP version 2")
        start, offset = offset + _HEADER.size, offset + 4 * (words + 1)
        if offset > size:
            raise RtcpParseError("longer than its datagram")
        body = data[start:offset]
        if first & 0x20:
            body = _without_padding(body, is_last=offset == size)
        parts.append((first & 0x1F, kind, body))
    if not parts:
        raise RtcpParseError("empty")
    return parts


def _without_padding(body: bytes, *, is_last: bool) -> bytes:
    """Only the last packet of a compound may be padded, by whole words (section 6.4.1)."""
    padding = body[-1] if body else 0
    if not is_last or not 0 < padding <= len(body) or padding % 4:
        raise RtcpParseError("wrong padding")
    return body[:-padding]


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    ssrc, ntp, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    blocks = _parse_blocks(count, body, _SENDER_INFO.size)
    return SenderReport(ssrc, ntp, rtp_timestamp, packets, octets, blocks)


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    (ssrc,) = _SSRC.unpack_from(body)
    return ReceiverReport(ssrc, _parse_blocks(count, body, _SSRC.size))


def _parse_blocks(count: int, body: bytes, offset: int) -> tuple[ReportBlock, ...]:
    blocks: list[ReportBlock] = []
    for start in range(offset, offset + count * _BLOCK.size, _BLOCK.size):
        ssrc, loss, *rest = _BLOCK.unpack_from(body, start)
        lost = loss & 0xFF_FFFF
        if lost > _LOST_MAX:
            lost -= 0x100_0000
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, *rest))
    return tuple(blocks)


def _parse_source_description(count: int, body: bytes) -> SourceDescription:
    cnames: list[tuple[int, str]] = []
    offset = 0
    for _ in range(count):
        (ssrc,) = _SSRC.unpack_from(body, offset)
        cname, offset = _parse_items(body, offset + _SSRC.size)
        cnames.append((ssrc, cname))
    return SourceDescription(tuple(cnames))


def _parse_items(body: bytes, offset: int) -> tuple[str, int]:
    """Return the CNAME of a chunk, and where the next chunk begins."""
    cname = ""
    while True:
        if offset >= len(body):
            raise RtcpParseError("the list of items has no end")
        kind = body[offset]
        if kind == 0:
            # At least one null octet, up to the next word.
            return cname, offset // 4 * 4 + 4
        text, offset = _parse_text(body, offset + 1)
        if kind == _CNAME:
            cname = text


def _parse_text(body: bytes, offset: int) -> tuple[str, int]:
    """Return a text behind the octet that tells its length, and where it ends."""
    end = offset + 1 + body[offset] if offset < len(body) else len(body) + 1
    if end > len(body):
        raise RtcpParseError("a text is cut short")
    return body[offset + 1 : end].decode("utf-8", "replace"), end


def _parse_goodbye(count: int, body: bytes) -> Goodbye:
    ssrcs = struct.unpack_from(f"!{count}I", body)
    reason, offset = "", 4 * count
    if offset < len(body):
        reason, _ = _parse_text(body, offset)
    return Goodbye(ssrcs, reason)


def _parse_extended(count: int, body: bytes) -> ExtendedReport:
    return parse_extended_report(body)


_PARSERS: dict[int, Callable[[int, bytes], RtcpPacket]] = {
    SENDER_REPORT: _parse_sender_report,
    RECEIVER_REPORT: _parse_receiver_report,
    SOURCE_DESCRIPTION: _parse_source_description,
    GOODBYE: _parse_goodbye,
    EXTENDED_REPORT: _parse_extended,
}


def serialize_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """Return the packets as one datagram.

    Raises ``ValueError`` for a field out of range, or more than a packet can count.
    """
    try:
        return b"".join(map(serialize, packets))
    except struct.error as error:
        raise ValueError(str(error)) from error


def serialize(packet: RtcpPacket) -> bytes:
    """Return one packet; a compound begins with a report and names its source (section 6.1)."""
    if isinstance(packet, SenderReport):
        info = _SENDER_INFO.pack(
            packet.ssrc,
            packet.ntp,
            packet.rtp_timestamp,
            packet.packets_sent & 0xFFFF_FFFF,
            packet.payload_bytes_sent & 0xFFFF_FFFF,
        )
        return _framed(SENDER_REPORT, len(packet.blocks), info + _blocks_bytes(packet.blocks))
    if isinstance(packet, ReceiverReport):
        body = _SSRC.pack(packet.ssrc) + _blocks_bytes(packet.blocks)
        return _framed(RECEIVER_REPORT, len(packet.blocks), body)
    if isinstance(packet, SourceDescription):
        chunks = b"".join(_chunk_bytes(*cname) for cname in packet.cnames)
        return _framed(SOURCE_DESCRIPTION, len(packet.cnames), chunks)
    if isinstance(packet, Goodbye):
        body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
        if packet.reason:
            body += _to_words(_text_bytes(packet.reason))
        return _framed(GOODBYE, len(packet.ssrcs), body)
    return _framed(EXTENDED_REPORT, 0, packet.serialize_body())


def _framed(kind: int, count: int, body: bytes) -> bytes:
    if count > _COUNT_MAX:
        raise ValueError(f"an RTCP packet counts to {_COUNT_MAX}")
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _blocks_bytes(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24
            | min(max(block.packets_lost, _LOST_MIN), _LOST_MAX) & 0xFF_FFFF,
            block.highest_sequence,
            block.jitter,
            block.last_sr,
            block.delay_since_last_sr,
        )
        for block in blocks
    )


def _chunk_bytes(ssrc: int, cname: str) -> bytes:
    return _SSRC.pack(ssrc) + _to_words(bytes([_CNAME]) + _text_bytes(cname) + b"\0")


def _text_bytes(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > _TEXT_MAX_BYTES:
        raise ValueError(f"a text of RTCP has at most {_TEXT_MAX_BYTES} bytes")
    return bytes([len(encoded)]) + encoded


def _to_words(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
