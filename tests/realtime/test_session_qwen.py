"""The wire form of a Qwen-Omni session."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_16K, L16_24K
from telephony.base.errors import LocalProtocolError
from telephony.realtime.session_qwen import QwenSessionConfig


def test_it_hears_at_16_khz_and_speaks_at_24() -> None:
    session = QwenSessionConfig().to_session_update(L16_16K, L16_24K)
    assert session == {
        "modalities": ["text", "audio"],
        "instructions": "",
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 800,
        },
        "input_audio_transcription": {},
    }
    with pytest.raises(LocalProtocolError):
        QwenSessionConfig().to_session_update(L16_24K, L16_24K)


def test_tools_are_nested() -> None:
    tool = {"type": "function", "name": "f", "description": "d"}
    config = QwenSessionConfig.from_mapping({"tools": [tool]})
    (wire,) = config.to_session_update(L16_16K, L16_24K)["tools"]
    assert wire["type"] == "function"
    assert (wire["function"]["name"], wire["function"]["description"]) == ("f", "d")
    assert "type" not in wire["function"]


def test_no_transcription_is_said_outright() -> None:
    config = QwenSessionConfig.from_mapping({"transcription": None})
    assert config.to_session_update(L16_16K, L16_24K)["input_audio_transcription"] is None


def test_only_a_level_has_a_silence_that_ends_a_turn() -> None:
    assert QwenSessionConfig().traits.endpointing_ms == 800
    semantic = {"turn_detection": {"type": "semantic_vad"}}
    assert QwenSessionConfig.from_mapping(semantic).traits.endpointing_ms == 0
