"""The start of a FLAC file (RFC 9639), for frames that come from an encoder one by one.

The header has a fixed size, so that it can be written again over itself when more is known.
"""

from __future__ import annotations

import struct

STREAM_INFO_BYTES = 34

_LAST_BLOCK = 0x80
_STREAM_INFO = 0
_VORBIS_COMMENT = 4
_FRAME_SIZES = slice(4, 10)
_SAMPLES_MAX = (1 << 36) - 1


def flac_header(stream_info: bytes, samples: int, vendor: str, title: str) -> bytes:
    """Return what comes before the first frame.

    ``stream_info`` is the encoder's own block, 34 bytes without a block header; ``samples`` are
    those of one channel so far. Frame sizes and the checksum of the whole are given as unknown.
    """
    if len(stream_info) != STREAM_INFO_BYTES:
        raise ValueError(f"a STREAMINFO has {STREAM_INFO_BYTES} bytes, not {len(stream_info)}")
    info = bytearray(stream_info)
    info[_FRAME_SIZES] = bytes(6)
    # RFC 9639 section 8.2: rate, channels and depth in 28 bits, then the samples in 36.
    shape = int.from_bytes(info[10:18]) >> 36 << 36
    info[10:18] = (shape | min(samples, _SAMPLES_MAX)).to_bytes(8)
    info[18:34] = bytes(16)
    comment = _vorbis_comment(vendor, f"TITLE={title}")
    return (
        b"fLaC"
        + _block_header(_STREAM_INFO, len(info))
        + bytes(info)
        + _block_header(_VORBIS_COMMENT | _LAST_BLOCK, len(comment))
        + comment
    )


def _block_header(kind: int, size_bytes: int) -> bytes:
    return struct.pack(">I", kind << 24 | size_bytes)


def _vorbis_comment(vendor: str, field: str) -> bytes:
    """RFC 9639 section 8.6: little-endian lengths, unlike the rest of FLAC."""
    name, text = vendor.encode(), field.encode()
    return struct.pack("<I", len(name)) + name + struct.pack("<II", 1, len(text)) + text
