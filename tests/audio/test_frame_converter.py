from __future__ import annotations

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.audio.frame_converter import Face, FrameConverter

FORMATS = [PCMU, PCMA, L16_8K, L16_16K, L16_24K]


def tone(fmt: AudioFormat, duration_ms: int) -> bytes:
    count = fmt.sample_rate_hz * duration_ms // 1000
    phase = 2 * np.pi * 440 * np.arange(count) / fmt.sample_rate_hz
    return g711.encode(fmt, np.rint(9000 * np.sin(phase)).astype("<i2").tobytes())


def cut(audio: bytes, fmt: AudioFormat, frame_ms: int) -> list[bytes]:
    size = fmt.frame_bytes(frame_ms)
    return [audio[at : at + size] for at in range(0, len(audio), size)]


@pytest.mark.parametrize("frame_ms", [10, 20, 30])
@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_each_frame_makes_a_frame_of_the_same_stream(
    source: AudioFormat, target: AudioFormat, frame_ms: int
) -> None:
    audio = tone(source, 300)
    frames = FrameConverter(source, target, frame_ms)
    out = [frames.convert(frame) for frame in cut(audio, source, frame_ms)]
    assert {len(frame) for frame in out} == {target.frame_bytes(frame_ms)}
    late_bytes = round(frames.delay_ms * target.sample_rate_hz / 1000) * target.bytes_per_sample
    whole = target.silence(late_bytes) + Converter(source, target).convert(audio)
    assert b"".join(out) == whole[: len(b"".join(out))]
    assert frames.delay_ms < 3
    assert (frames.delay_ms == 0) == (source.sample_rate_hz == target.sample_rate_hz)


def test_a_face_of_the_same_rate_only_encodes() -> None:
    frame = tone(L16_8K, 20)
    assert Face(PCMA, 20).show(frame, 8000) == g711.l16_to_pcma(frame)
    wide = tone(L16_16K, 20)
    assert Face(L16_16K, 20).show(wide, 16000) is wide


def test_a_face_follows_the_rate_of_what_it_shows() -> None:
    face = Face(PCMU, 20)
    for fmt in (L16_8K, L16_16K, L16_24K, L16_16K):
        shown = [face.show(frame, fmt.sample_rate_hz) for frame in cut(tone(fmt, 200), fmt, 20)]
        assert {len(frame) for frame in shown} == {160}
        loud = np.abs(np.frombuffer(g711.pcmu_to_l16(b"".join(shown)), "<i2")).max()
        assert 8500 < loud < 9500
