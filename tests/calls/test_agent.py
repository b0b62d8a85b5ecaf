from __future__ import annotations

import pytest

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from tests.support.fake_call import agent


@pytest.mark.parametrize(
    ("model_format", "line", "expected"),
    [
        ("auto", PCMU, PCMU),
        ("auto", PCMA, PCMA),
        ("auto", L16_16K, L16_24K),
        ("g711", PCMA, PCMA),
        ("g711", L16_16K, PCMU),
        ("pcm16", PCMU, L16_24K),
    ],
)
def test_the_format_asked_of_the_model(
    model_format: str, line: AudioFormat, expected: AudioFormat
) -> None:
    assert agent(model_format=model_format).model_audio_format(line) == expected


def test_the_key_is_not_shown() -> None:
    assert "sk-secret" not in repr(agent(api_key="sk-secret"))
