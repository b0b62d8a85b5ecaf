"""The wire form of an Azure Voice Live session, held to the types of Azure's own SDK."""

from __future__ import annotations

from typing import Any

from azure.ai.voicelive.models import RequestSession

from telephony.audio.format import L16_24K, PCMU, AudioFormat
from telephony.realtime.session_voice_live import VoiceLiveSessionConfig


def wire(values: dict[str, Any], audio: AudioFormat = PCMU) -> dict[str, Any]:
    session = VoiceLiveSessionConfig.from_mapping(values).to_session_update(audio, audio)
    # The names are the SDK's, and none is another.
    known = type(RequestSession(session))._attr_to_rest_field
    assert set(session) <= set(known)
    return session


def test_the_defaults() -> None:
    assert wire({}) == {
        "modalities": ["text", "audio"],
        "instructions": "",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_ulaw",
        "turn_detection": {
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "create_response": True,
            "interrupt_response": True,
            "type": "azure_semantic_vad",
        },
        "input_audio_transcription": {"model": "azure-speech"},
        "tools": [],
    }


def test_linear_audio_names_its_rate() -> None:
    session = wire({}, L16_24K)
    assert session["input_audio_format"] == "pcm16"
    assert session["input_audio_sampling_rate"] == 24000


def test_a_voice_is_a_name_or_one_of_azure_s() -> None:
    assert wire({"voice": "marin"})["voice"] == "marin"
    voice = {"type": "azure-standard", "name": "en-US-AvaNeural", "prefer_locales": ["en-GB"]}
    assert wire({"voice": voice})["voice"] == voice


def test_every_field_has_the_name_of_the_sdk() -> None:
    session = wire(
        {
            "noise_reduction": {"type": "azure_deep_noise_suppression"},
            "echo_cancellation": {},
            "max_output_tokens": 100,
            "reasoning_effort": "low",
            "tool_choice": "none",
            "parallel_tool_calls": True,
            "temperature": 0.5,
        }
    )
    assert session["input_audio_noise_reduction"] == {"type": "azure_deep_noise_suppression"}
    assert session["input_audio_echo_cancellation"] == {"type": "server_echo_cancellation"}
    assert session["max_response_output_tokens"] == 100


def test_only_a_level_has_a_silence_that_ends_a_turn() -> None:
    assert VoiceLiveSessionConfig().traits.endpointing_ms == 0
    level = {"turn_detection": {"type": "server_vad", "silence_duration_ms": 700}}
    assert VoiceLiveSessionConfig.from_mapping(level).traits.endpointing_ms == 700
