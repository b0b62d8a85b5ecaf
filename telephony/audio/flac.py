"""The start of a FLAC file (RFC 9639), for frames that come from an encoder one by one.

The header has a fixed size, so that it can be written again over itself when more is known.
"""

from __future__ import annotations

import struct

_STREAM_INFO = 0
_VORBIS_COMMENT = 4
_LAST_BLOCK = 0x80
_BLOCK_HEADER_BYTES = 4
_MAGIC = b"fLaC"
_SAMPLES_MAX = (1 << 36) - 1


def flac_header(
    samples: int,
    sample_rate_hz: int,
    channels: int,
    *,
    block_samples: int,
    software: str,
    title: str,
) -> bytes:
    """Return what comes before the first frame of 16-bit audio in blocks of ``block_samples``.

    ``samples`` are those of one channel so far. The sizes of frames and the checksum of all samples
    are given as unknown (RFC 9639 section 8.2).
    """
    # 20 bits of rate, 3 of channels less one, 5 of bits per sample less one, 36 of samples.
    shape = (sample_rate_hz << 8 | (channels - 1) << 5 | (16 - 1)) << 36
    info = struct.pack(
        ">HH6xQ16x", block_samples, block_samples, shape | min(samples, _SAMPLES_MAX)
    )
    comment = _vorbis_comment(software, f"TITLE={title}")
    return (
        _MAGIC
        + _block_header(_STREAM_INFO, len(info))
        + info
        + _block_header(_VORBIS_COMMENT | _LAST_BLOCK, len(comment))
        + comment
    )


def header_size(start: bytes | bytearray) -> int | None:
    """Return where the first frame begins in a file that starts like this; None: further on."""
    position = len(_MAGIC)
    while position + _BLOCK_HEADER_BYTES <= len(start):
        kind = start[position]
        position += _BLOCK_HEADER_BYTES + int.from_bytes(start[position + 1 : position + 4])
        if kind & _LAST_BLOCK:
            return position if position <= len(start) else None
    return None


def _block_header(kind: int, size_bytes: int) -> bytes:
    return struct.pack(">I", kind << 24 | size_bytes)


def _vorbis_comment(vendor: str, field: str) -> bytes:
    """RFC 9639 section 8.6: little-endian lengths, unlike the rest of FLAC."""
    name, text = vendor.encode(), field.encode()
    return struct.pack("<I", len(name)) + name + struct.pack("<II", 1, len(text)) + text
