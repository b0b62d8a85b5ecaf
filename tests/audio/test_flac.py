from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from telephony.audio.flac import flac_header, header_size
from telephony.calls.recording_encoders import FlacEncoder


def noise(samples: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(1).integers(-9000, 9000, (samples, 2)).astype("<i2")


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_what_a_foreign_decoder_reads_is_every_sample(rate_hz: int) -> None:
    encoder = FlacEncoder(rate_hz, "title")
    audio = noise(rate_hz + 123)
    size = len(encoder.header())
    body = encoder.encode(audio[:5000].tobytes()) + encoder.encode(audio[5000:].tobytes())
    body += encoder.finish()
    header = encoder.header()
    assert len(header) == size
    with soundfile.SoundFile(io.BytesIO(header + body)) as file:
        assert (file.samplerate, file.channels, len(file)) == (rate_hz, 2, len(audio))
        assert file.title == "title"
        assert np.array_equal(file.read(dtype="int16"), audio)


def test_every_second_leaves_a_readable_file() -> None:
    encoder = FlacEncoder(8000, "title")
    audio, body = noise(24000), b""
    for second in range(3):
        body += encoder.encode(audio[second * 8000 : (second + 1) * 8000].tobytes())
        decoded, _ = soundfile.read(io.BytesIO(encoder.header() + body), dtype="int16")
        assert len(decoded) > (second + 1) * 8000 - 1200
        assert np.array_equal(decoded, audio[: len(decoded)])


def header(samples: int) -> bytes:
    return flac_header(samples, 8000, 2, block_samples=1152, software="s", title="t")


def test_the_number_of_samples_is_limited_by_its_field() -> None:
    assert int.from_bytes(header(1 << 40)[18:26]) & ((1 << 36) - 1) == (1 << 36) - 1
    assert int.from_bytes(header(123)[18:26]) & ((1 << 36) - 1) == 123


def test_the_first_frame_is_found_behind_every_block() -> None:
    whole = header(0)
    assert header_size(whole) == header_size(whole + b"frames") == len(whole)
    for end in range(len(whole)):
        assert header_size(whole[:end]) is None
