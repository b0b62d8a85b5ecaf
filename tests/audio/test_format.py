from __future__ import annotations

import pytest

from telephony.audio import g711
from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat


@pytest.mark.parametrize(
    ("fmt", "per_sample", "per_second", "frame_20ms"),
    [
        (PCMU, 1, 8000, 160),
        (PCMA, 1, 8000, 160),
        (L16_8K, 2, 16000, 320),
        (L16_16K, 2, 32000, 640),
        (L16_24K, 2, 48000, 960),
    ],
)
def test_sizes(fmt: AudioFormat, per_sample: int, per_second: int, frame_20ms: int) -> None:
    assert fmt.bytes_per_sample == per_sample
    assert fmt.bytes_per_second == per_second
    assert fmt.frame_bytes(20) == frame_20ms
    assert fmt.duration_ms(frame_20ms) == 20.0


def test_a_frame_is_cut_to_whole_samples() -> None:
    assert AudioFormat("l16", 11025).frame_bytes(20) == 440


@pytest.mark.parametrize("fmt", [PCMU, PCMA, L16_8K])
def test_silence_decodes_to_the_quietest_level(fmt: AudioFormat) -> None:
    silence = fmt.silence(4)
    assert len(silence) == 4
    pcm16 = g711.decode(fmt, silence)
    # A-law has no zero: its smallest value is half an interval, 8 of 32768.
    expected = 8 if fmt.encoding == "pcma" else 0
    assert pcm16 == expected.to_bytes(2, "little") * (len(pcm16) // 2)
