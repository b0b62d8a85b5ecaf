"""Whatever the file, a WAV is read or refused with a reason."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.wav import read_wav, write_wav

VALID = write_wav(struct.pack("<40h", *range(40)), 8000, channels=2)


def read_or_refuse(data: bytes) -> None:
    try:
        audio = read_wav(data)
    except ValueError:
        return
    assert len(audio.pcm16) % 2 == 0
    assert audio.sample_rate_hz > 0


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    read_or_refuse(data)
    read_or_refuse(b"RIFF\0\0\0\0WAVE" + data)
    read_or_refuse(VALID[:12] + b"fmt " + data)


def test_every_byte_changed() -> None:
    for position in range(len(VALID)):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            read_or_refuse(VALID[:position] + bytes([value]) + VALID[position + 1 :])


def test_every_length() -> None:
    for length in range(len(VALID)):
        read_or_refuse(VALID[:length])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary())
def test_any_format(tag: int, channels: int, rate_hz: int, body: bytes) -> None:
    header = struct.pack("<HHIIHH", tag, channels, rate_hz, 0, 0, 8)
    chunk = b"fmt " + struct.pack("<I", 16) + header
    data = b"data" + struct.pack("<I", len(body)) + body
    read_or_refuse(b"RIFF\0\0\0\0WAVE" + chunk + data)
