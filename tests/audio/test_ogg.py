from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from telephony.audio.ogg import OggOpusWriter
from telephony.calls.recording_encoders import OpusEncoder

HEAD = b"OpusHead" + struct.pack("<BBHIHB", 1, 2, 312, 8000, 0, 0)


def crc(data: bytes) -> int:
    """The checksum of RFC 3533 appendix A, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x8000_0000 else 0)
            value &= 0xFFFF_FFFF
    return value


def pages(data: bytes) -> list[tuple[int, int, int, list[int], bytes]]:
    """Return flags, granule position, sequence number, lacing and body of every page."""
    found = []
    while data:
        magic, version, flags, granule, _serial, number, checksum, count = struct.unpack_from(
            "<4sBBQIIIB", data
        )
        assert (magic, version) == (b"OggS", 0)
        lacing = list(data[27 : 27 + count])
        size = 27 + count + sum(lacing)
        page = data[:size]
        assert len(page) == size
        assert checksum == crc(page[:22] + bytes(4) + page[26:])
        found.append((flags, granule, number, lacing, page[27 + count :]))
        data = data[size:]
    return found


def writer() -> OggOpusWriter:
    return OggOpusWriter(7, HEAD, 960, "vendor", "title")


def test_a_stream_is_two_headers_and_pages_of_packets() -> None:
    ogg = writer()
    data = ogg.begin() + ogg.write([b"a" * 10, b"b" * 20]) + ogg.end([b"c"], 2500)
    head, tags, first, last = pages(data)
    assert (head[0], head[1], head[4]) == (0x02, 0, HEAD)
    assert tags[4] == b"OpusTags\x06\0\0\0vendor\x01\0\0\0\x0b\0\0\0TITLE=title"
    assert first == (0, 2 * 960, 2, [10, 20], b"a" * 10 + b"b" * 20)
    # The last page ends where the audio does, behind what decoders skip at the start.
    assert last == (0x04, 312 + 2500, 3, [1], b"c")


@pytest.mark.parametrize("size", [0, 254, 255, 256, 510, 1275])
def test_packets_of_every_size_are_laced(size: int) -> None:
    ogg = writer()
    (page,) = pages(ogg.write([bytes(size)]))
    assert page[3] == [255] * (size // 255) + [size % 255]


def test_more_packets_than_a_page_holds_make_more_pages() -> None:
    ogg = writer()
    found = pages(ogg.write([bytes(300)] * 300))
    assert [granule // 960 for _, granule, *_ in found] == [127, 254, 300]
    assert sum(len(body) for *_, body in found) == 300 * 300


def test_an_end_without_packets_still_says_so() -> None:
    ogg = writer()
    assert pages(ogg.end([], 0)) == [(0x04, 312, 0, [], b"")]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
def test_a_foreign_decoder_reads_all_of_it_and_no_more(rate_hz: int) -> None:
    encoder = OpusEncoder(rate_hz, "title", 1)
    samples = rate_hz + 77
    tone = np.sin(np.arange(samples) * 2 * np.pi * 440 / rate_hz) * 8000
    stereo = np.stack([tone, np.zeros(samples)], 1).astype("<i2").tobytes()
    data = encoder.encode(stereo[: len(stereo) // 2]) + encoder.encode(stereo[len(stereo) // 2 :])
    whole = data + encoder.finish()
    decoded, decoded_hz = soundfile.read(io.BytesIO(whole))
    assert len(decoded) == samples * decoded_hz // rate_hz
    left, right = np.abs(np.fft.rfft(decoded[:, 0])), decoded[:, 1]
    assert np.argmax(left) * decoded_hz / len(decoded) == pytest.approx(440, abs=2)
    assert np.max(np.abs(right)) < 0.01
    # Cut off anywhere: what came before is there.
    decoded, decoded_hz = soundfile.read(io.BytesIO(data[:-1]))
    assert len(decoded) > 0.4 * decoded_hz
