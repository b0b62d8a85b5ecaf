from __future__ import annotations

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat

FORMATS = [PCMU, PCMA, L16_8K, L16_16K, L16_24K, AudioFormat("l16", 22050)]


def speechlike(fmt: AudioFormat, samples: int) -> bytes:
    phase = 2 * np.pi * 440 * np.arange(samples) / fmt.sample_rate_hz
    return g711.encode(fmt, np.rint(9000 * np.sin(phase)).astype("<i2").tobytes())


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_a_tone_survives_with_its_exact_length(source: AudioFormat, target: AudioFormat) -> None:
    samples = source.sample_rate_hz // 4
    converter = Converter(source, target)
    output = converter.convert(speechlike(source, samples)) + converter.flush()
    ratio = target.sample_rate_hz / source.sample_rate_hz
    assert len(output) == int(samples * ratio + 0.5) * target.bytes_per_sample
    decoded = np.frombuffer(g711.decode(target, output), "<i2").astype(float)
    expected = 9000 * np.sin(2 * np.pi * 440 * np.arange(len(decoded)) / target.sample_rate_hz)
    middle = slice(len(decoded) // 5, -len(decoded) // 5)
    assert np.abs(decoded[middle] - expected[middle]).max() < 700


@pytest.mark.parametrize("fmt", FORMATS)
def test_identity_is_the_same_object(fmt: AudioFormat) -> None:
    converter = Converter(fmt, fmt)
    audio = bytes(321)
    assert converter.is_identity
    assert converter.convert(audio) is audio
    assert converter.flush() == b""
    assert converter.delay_ms == 0.0


def test_g711_laws_are_exchanged_without_delay() -> None:
    converter = Converter(PCMU, PCMA)
    assert converter.convert(bytes(range(256))) == g711.pcmu_to_pcma(bytes(range(256)))
    assert converter.delay_ms == 0.0
    assert not converter.is_identity


@pytest.mark.parametrize("target", [PCMU, PCMA, L16_16K])
def test_a_sample_cut_in_two_is_joined(target: AudioFormat) -> None:
    audio = speechlike(L16_24K, 2400)
    whole, cut = Converter(L16_24K, target), Converter(L16_24K, target)
    pieces = [cut.convert(audio[at : at + 7]) for at in range(0, len(audio), 7)]
    assert b"".join(pieces) + cut.flush() == whole.convert(audio) + whole.flush()


def test_flush_forgets_half_a_sample() -> None:
    converter = Converter(L16_8K, PCMU)
    assert converter.convert(b"\x00") == b""
    assert converter.flush() == b""
    assert converter.convert(b"\x00\x00") == b"\xff"


def test_items_keep_exact_lengths_one_after_another() -> None:
    converter = Converter(L16_24K, PCMU)
    for samples in (1, 2, 3, 100, 24_001, 0, 4_799):
        chunk = speechlike(L16_24K, samples)
        output = converter.convert(chunk) + converter.flush()
        assert len(output) == int(samples / 3 + 0.5)
