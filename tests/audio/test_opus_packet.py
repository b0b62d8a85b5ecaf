from __future__ import annotations

import pytest

from telephony.audio.opus_packet import CLOCK_RATE_HZ, is_dtx, packet_samples

FRAME_MS = {
    # RFC 6716 table 2: configuration numbers, and the frame sizes in their order.
    (0, 4, 8): (10, 20, 40, 60),
    (12, 14): (10, 20),
    (16, 20, 24, 28): (2.5, 5, 10, 20),
}


def test_every_configuration_has_its_frame_size() -> None:
    seen = 0
    for firsts, sizes_ms in FRAME_MS.items():
        for first in firsts:
            for offset, size_ms in enumerate(sizes_ms):
                for stereo in (0, 4):
                    toc = (first + offset) << 3 | stereo
                    samples = round(size_ms * CLOCK_RATE_HZ / 1000)
                    assert packet_samples(bytes([toc])) == samples, toc
                    assert packet_samples(bytes([toc | 1])) == 2 * samples, toc
                    assert packet_samples(bytes([toc | 2, 1])) == 2 * samples, toc
                seen += 1
    assert seen == 32


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (b"\x4b", 0),  # code 3 without its count of frames
        (b"\x4b\x01", 960),
        (b"\x4b\x83\x00", 3 * 960),  # variable sizes
        (b"\x4b\x46\x00", 6 * 960),  # padding
        (b"\x4b\x00", 0),
        (b"\x4b\x07", 0),  # 140 ms
        (b"\xe3\x30", 48 * 120),  # 120 ms of 2.5
        (b"\xe3\x31", 0),
    ],
)
def test_frames_of_a_packet(packet: bytes, samples: int) -> None:
    assert packet_samples(packet) == samples


def test_a_silent_sender() -> None:
    assert is_dtx(b"\x48")
    assert is_dtx(b"\x48\x00")
    assert not is_dtx(b"\x48\x00\x01")
