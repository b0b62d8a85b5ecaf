"""The wire form of an xAI session."""

from __future__ import annotations

from telephony.audio.format import L16_8K, PCMU
from telephony.realtime.session_xai import XaiSessionConfig


def test_voice_and_turns_stand_at_the_top() -> None:
    session = XaiSessionConfig().to_session_update(PCMU, PCMU)
    assert session == {
        "instructions": "",
        "voice": "eve",
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
        },
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "grok-transcribe"},
            },
            "output": {"format": {"type": "audio/pcmu"}},
        },
        "tools": [],
    }


def test_no_turn_detection_is_said_outright() -> None:
    config = XaiSessionConfig.from_mapping({"turn_detection": None, "transcription": None})
    session = config.to_session_update(L16_8K, L16_8K)
    assert session["turn_detection"] is None
    assert session["audio"]["input"] == {"format": {"type": "audio/pcm", "rate": 8000}}
    assert config.transcription_model == ""


def test_searches_are_tools_of_its_own() -> None:
    tools = [{"type": "web_search"}, {"type": "x_search", "allowed_x_handles": ["a"]}]
    config = XaiSessionConfig.from_mapping({"tools": tools, "reasoning": {"effort": "none"}})
    session = config.to_session_update(PCMU, PCMU)
    assert session["tools"] == tools
    assert session["reasoning"] == {"effort": "none"}


def test_it_answers_and_yields_by_itself() -> None:
    traits = XaiSessionConfig().traits
    assert traits.responds_by_itself
    assert traits.interrupts_by_itself
    assert traits.endpointing_ms == 500
