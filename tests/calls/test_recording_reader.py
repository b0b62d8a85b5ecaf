"""Every recording we write is read again, and what is none is refused with a reason."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from telephony.audio import g711
from telephony.audio.wav import interleave, write_wav
from telephony.calls.recording_encoders import RecordingFormat
from telephony.calls.recording_reader import CannotRead, open_recording
from telephony.calls.sealed_file import CannotUnseal, WrongKey
from tests.support.recordings import channel, record

KEY = bytes(range(32))


def read(path: Path, key: bytes | None = None) -> tuple[int, list[bytes]]:
    with open_recording(path, key) as recorded:
        blocks = list(recorded.blocks)
        channels = [b"".join(b.channels[n] for b in blocks) for n in range(recorded.channels)]
        return recorded.sample_rate_hz, channels


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["wav", "flac"])
@pytest.mark.parametrize("key", [None, KEY])
async def test_lossless_recordings(
    tmp_path: Path, kind: RecordingFormat, key: bytes | None
) -> None:
    path = await record(tmp_path, kind, key)
    assert read(path, key) == (8000, [channel("caller"), channel("bot")])


@pytest.mark.parametrize("key", [None, KEY])
async def test_opus(tmp_path: Path, key: bytes | None) -> None:
    rate_hz, channels = read(await record(tmp_path, "opus", key), key)
    seconds = {len(samples) / 2 / rate_hz for samples in channels}
    assert len(seconds) == 1
    assert abs(seconds.pop() - 20.0) < 0.05


@pytest.mark.parametrize("key", [None, KEY])
async def test_one_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, key: bytes | None) -> None:
    path = await record(tmp_path, "wav", key)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    _, (caller, bot) = read(path, key)
    assert len(caller) == len(bot)
    assert 8 * 16000 < len(caller) <= 10 * 16000
    assert caller == channel("caller")[: len(caller)]


def test_g711_and_one_channel(tmp_path: Path) -> None:
    speech = channel("caller")[:32000]
    mono = written(tmp_path / "mono.wav", write_wav(speech, 8000))
    assert read(mono) == (8000, [speech])
    payload = g711.l16_to_pcmu(speech)
    layout = struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)
    chunks = b"fmt " + struct.pack("<I", 16) + layout + b"odd " + struct.pack("<I", 1) + b"x\0"
    chunks += b"data" + struct.pack("<I", 0xFFFFFFFF) + payload
    riff = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks
    assert read(written(tmp_path / "law.wav", riff)) == (8000, [g711.pcmu_to_l16(payload)])
    stereo = written(tmp_path / "s.wav", write_wav(interleave(speech, speech), 16000, 2))
    assert read(stereo) == (16000, [speech, speech])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "neither WAV"),
        (b"ID3 mp3 it is not here", "neither WAV"),
        (b"RIFF\0\0\0\0WAVE", "without audio"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "without audio"),
        (b"RIFF\0\0\0\0WAVEfmt \2\0\0\0ab", "broken header"),
        (write_wav(bytes(8), 8000, 1).replace(b"\x01\x00\x01\x00", b"\x03\x00\x01\x00"), "16-bit"),
        (b"fLaC" + bytes(40), "no.bin: "),
        (b"OggS" + bytes(40), "no.bin: "),
    ],
)
def test_what_is_no_recording(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(CannotRead, match=reason):
        read(written(tmp_path / "no.bin", data))


async def test_keys(tmp_path: Path) -> None:
    path = await record(tmp_path, "wav", KEY)
    with pytest.raises(CannotRead, match="no key"):
        read(path)
    with pytest.raises(WrongKey):
        read(path, bytes(32))
    path.write_bytes(path.read_bytes()[:7] + b"\x09" + path.read_bytes()[8:])
    with pytest.raises(CannotUnseal):
        read(path, KEY)
