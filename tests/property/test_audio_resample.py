"""However a stream is cut, the same audio of the same length comes out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU
from telephony.audio.resample import StreamResampler

RATES_HZ = st.sampled_from([8000, 16000, 24000, 48000, 11025, 22050])
FORMATS = st.sampled_from([PCMU, PCMA, L16_8K, L16_16K, L16_24K])


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    samples = draw(st.integers(0, 3000))
    audio = np.random.default_rng(samples).integers(-32768, 32767, samples).astype("<i2")
    cuts = draw(st.lists(st.integers(0, samples), max_size=12))
    return audio.tobytes(), sorted([0, samples, *cuts])


@settings(max_examples=80, deadline=None)
@given(cut_streams(), RATES_HZ, RATES_HZ)
def test_resampling(stream: tuple[bytes, list[int]], from_hz: int, to_hz: int) -> None:
    audio, cuts = stream
    whole, pieces = StreamResampler(from_hz, to_hz), StreamResampler(from_hz, to_hz)
    expected = whole.process(audio) + whole.flush()
    output = [pieces.process(audio[2 * start : 2 * stop]) for start, stop in pairwise(cuts)]
    assert b"".join(output) + pieces.flush() == expected
    samples = len(audio) // 2
    assert len(expected) // 2 == (2 * samples * to_hz + from_hz) // (2 * from_hz)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=4000), st.lists(st.integers(0, 4000), max_size=12), FORMATS, FORMATS)
def test_conversion_of_any_bytes(audio: bytes, cuts: list[int], source, target) -> None:
    whole, pieces = Converter(source, target), Converter(source, target)
    expected = whole.convert(audio) + whole.flush()
    bounds = sorted([0, len(audio), *(min(cut, len(audio)) for cut in cuts)])
    output = b"".join(pieces.convert(audio[start:stop]) for start, stop in pairwise(bounds))
    output += pieces.flush()
    if source == target:
        assert output == audio
        return
    assert output == expected
    samples = len(audio) // source.bytes_per_sample
    exact = samples * target.sample_rate_hz / source.sample_rate_hz
    assert len(output) == int(exact + 0.5) * target.bytes_per_sample
