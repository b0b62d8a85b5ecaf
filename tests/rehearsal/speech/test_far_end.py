from __future__ import annotations

import pytest

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.rehearsal.speech.far_end import format_of, underscored_format


@pytest.mark.parametrize(
    ("encoding", "rate", "found"),
    [
        ("mulaw", "8000", PCMU),
        ("alaw", "8000", PCMA),
        ("linear16", "24000", L16_24K),
        ("opus", "48000", None),
        ("mulaw", "", None),
        ("mulaw", "-8000", None),
        ("linear16", "11025", None),
    ],
)
def test_formats(encoding: str, rate: str, found: AudioFormat | None) -> None:
    assert format_of(encoding, rate) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ulaw_8000", PCMU),
        ("pcm_16000", L16_16K),
        ("mp3_44100_128", None),
        ("", None),
        ("pcm", None),
    ],
)
def test_names(name: str, found: AudioFormat | None) -> None:
    assert underscored_format(name) == found
