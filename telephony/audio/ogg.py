"""Opus in Ogg (RFC 3533, RFC 7845), written a few packets at a time and never sought in.

What was written can be played to its last whole page: a stream that ends without warning lacks
nothing but its end-of-stream flag, which players do without.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

OPUS_HZ = 48_000
"""Granule positions count samples at this rate, whatever the encoder was given."""

_FIRST_PAGE = 0x02
_LAST_PAGE = 0x04
_MAX_SEGMENTS = 255
_PRE_SKIP_OFFSET = 10
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class OggOpusWriter:
    """Puts Opus packets of one length into pages; every method returns the bytes that come next.

    ``opus_head`` is the identification header (RFC 7845 section 5.1) that the encoder made,
    ``packet_samples`` what a packet lasts at 48 kHz.
    """

    def __init__(
        self, serial: int, opus_head: bytes, packet_samples: int, vendor: str, title: str
    ) -> None:
        self._serial = serial
        self._head = opus_head
        self._tags = _opus_tags(vendor, title)
        self._pre_skip = int.from_bytes(
            opus_head[_PRE_SKIP_OFFSET : _PRE_SKIP_OFFSET + 2], "little"
        )
        self._packet_samples = packet_samples
        self._granule = 0
        self._pages = 0

    def begin(self) -> bytes:
        """Return the two header pages."""
        return self._page([self._head], 0, _FIRST_PAGE) + self._page([self._tags], 0)

    def write(self, packets: Sequence[bytes]) -> bytes:
        """Return pages that hold all of ``packets``."""
        out = bytearray()
        for chosen in _by_page(packets):
            self._granule += self._packet_samples * len(chosen)
            out += self._page(chosen, self._granule)
        return bytes(out)

    def end(self, packets: Sequence[bytes], samples: int) -> bytes:
        """Return the last pages of a stream of ``samples`` at 48 kHz.

        What the encoder padded is cut off (RFC 7845 section 4.4).
        """
        *before, last = list(_by_page(packets)) or [[]]
        out = b"".join(self.write(chosen) for chosen in before)
        return out + self._page(last, self._pre_skip + samples, _LAST_PAGE)

    def _page(self, packets: Sequence[bytes], granule: int, flags: int = 0) -> bytes:
        segments = b"".join(map(_lacing, packets))
        # RFC 3533 section 6: version, flags, granule position, serial, sequence, checksum, table.
        fixed = struct.pack("<4sBBQII", b"OggS", 0, flags, granule, self._serial, self._pages)
        rest = bytes([len(segments)]) + segments + b"".join(packets)
        self._pages += 1
        checksum = _checksum(fixed + bytes(4) + rest)
        return fixed + struct.pack("<I", checksum) + rest


def _lacing(packet: bytes) -> bytes:
    """Return the lengths of a packet's segments; one below 255 ends it."""
    return b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])


def _by_page(packets: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield as many packets as one page's table of segments has room for."""
    page: list[bytes] = []
    segments = 0
    for packet in packets:
        needed = len(packet) // 255 + 1
        if segments + needed > _MAX_SEGMENTS:
            yield page
            page, segments = [], 0
        page.append(packet)
        segments += needed
    if page:
        yield page


def _checksum(page: bytes) -> int:
    """Return Ogg's CRC: polynomial 0x04C11DB7, most significant bit first, from 0, not inverted.

    That is zlib's CRC of the bits in reverse, without its inversions.
    """
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED))


def _opus_tags(vendor: str, title: str) -> bytes:
    """RFC 7845 section 5.2."""
    name, comment = vendor.encode(), f"TITLE={title}".encode()
    lengths = struct.pack("<I", len(name)), struct.pack("<II", 1, len(comment))
    return b"OpusTags" + lengths[0] + name + lengths[1] + comment
