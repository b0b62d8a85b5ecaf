from __future__ import annotations

import io
import struct
import wave

import pytest

from telephony.audio import g711
from telephony.audio.wav import WavAudio, interleave, read_wav, wav_header, write_wav

SAMPLES = struct.pack("<6h", 0, 1, -1, 32767, -32768, 1234)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def fmt(tag: int, channels: int = 1, rate_hz: int = 8000, bits: int = 8) -> tuple[bytes, bytes]:
    block = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * block, block, bits)


def test_what_is_written_is_read() -> None:
    assert read_wav(write_wav(SAMPLES, 24000)) == WavAudio(SAMPLES, 24000)


def test_the_standard_library_reads_what_is_written() -> None:
    with wave.open(io.BytesIO(write_wav(SAMPLES, 16000, channels=2))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 16000)
        assert file.readframes(99) == SAMPLES


def test_duration() -> None:
    assert WavAudio(bytes(16000), 8000).duration_ms == 1000.0


def test_mulaw_and_alaw() -> None:
    codes = bytes(range(256))
    assert read_wav(riff(fmt(7), (b"data", codes))).pcm16 == g711.pcmu_to_l16(codes)
    assert read_wav(riff(fmt(6), (b"data", codes))).pcm16 == g711.pcma_to_l16(codes)


def test_8_bit_pcm_is_unsigned() -> None:
    audio = read_wav(riff(fmt(1), (b"data", bytes([0, 128, 255]))))
    assert struct.unpack("<3h", audio.pcm16) == (-32768, 0, 32512)


def test_extensible_names_its_format_in_the_sub_format() -> None:
    _, plain = fmt(0xFFFE, bits=16)
    extended = plain + struct.pack("<HHI", 22, 16, 0) + struct.pack("<H", 1) + bytes(14)
    assert read_wav(riff((b"fmt ", extended), (b"data", SAMPLES))).pcm16 == SAMPLES


def test_channels_are_averaged() -> None:
    stereo = struct.pack("<4h", 100, 300, -32768, -32768)
    audio = read_wav(write_wav(stereo, 8000, channels=2))
    assert struct.unpack("<2h", audio.pcm16) == (200, -32768)


def test_other_chunks_and_odd_sizes_are_skipped() -> None:
    data = riff((b"LIST", b"abc"), fmt(1, bits=16), (b"fact", b"\0\0\0\0"), (b"data", SAMPLES))
    assert read_wav(data).pcm16 == SAMPLES


def test_a_recording_cut_short_is_read_as_far_as_it_goes() -> None:
    assert read_wav(write_wav(SAMPLES, 8000)[:-3]).pcm16 == SAMPLES[:-4]
    streamed = write_wav(SAMPLES, 8000).replace(b"data\x0c\0\0\0", b"data\xff\xff\xff\xff")
    assert read_wav(streamed).pcm16 == SAMPLES


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "RIFF"),
        (b"RIFX" + bytes(40), "RIFF"),
        (riff(), "no fmt chunk"),
        (riff(fmt(1, bits=16)), "no data chunk"),
        (riff((b"data", SAMPLES)), "before fmt"),
        (riff((b"fmt ", bytes(14)), (b"data", SAMPLES)), "fmt chunk of 14 bytes"),
        (riff(fmt(3, bits=32), (b"data", SAMPLES)), "format tag 3"),
        (riff(fmt(1, bits=24), (b"data", SAMPLES)), "24 bits"),
        (riff(fmt(7, bits=16), (b"data", SAMPLES)), "16 bits"),
        (riff(fmt(1, channels=0, bits=16), (b"data", SAMPLES)), "0 channels"),
        (riff(fmt(1, rate_hz=0, bits=16), (b"data", SAMPLES)), "0 Hz"),
        (riff(fmt(0xFFFE, bits=16), (b"data", SAMPLES)), "extensible"),
    ],
)
def test_bad_files_say_why(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_wav(data)


def test_interleave_pads_the_shorter_channel() -> None:
    left, right = struct.pack("<3h", 1, 2, 3), struct.pack("<1h", 9)
    assert interleave(left, right) == struct.pack("<6h", 1, 9, 2, 0, 3, 0)
    assert interleave(b"", b"") == b""


@pytest.mark.parametrize("software", ["even", "odd"])
def test_a_header_to_write_again_as_the_file_grows(software: str) -> None:
    empty = wav_header(0, 16000, 2, software, "call-1")
    grown = wav_header(64000, 16000, 2, software, "call-1")
    assert len(empty) == len(grown)
    assert int.from_bytes(grown[4:8], "little") == len(grown) + 64000 - 8
    assert software.encode() + b"\0" in grown
    assert read_wav(empty).pcm16 == b""
    audio = read_wav(grown + bytes(64000))
    assert (audio.sample_rate_hz, audio.duration_ms) == (16000, 1000)


def test_a_file_beyond_four_gibibytes_claims_the_most_it_can() -> None:
    header = wav_header(1 << 33, 8000, 2, "s", "t")
    assert header[4:8] == header[-4:] == b"\xff\xff\xff\xff"
