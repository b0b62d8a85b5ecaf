"""The wire form of an Inworld session."""

from __future__ import annotations

from telephony.audio.format import PCMA
from telephony.realtime.openai_variants import INWORLD
from telephony.realtime.session_inworld import InworldSessionConfig


def test_two_models_make_a_session() -> None:
    values = {"voice": "Clive", "tts_model": "inworld-tts-2", "provider_data": {"a": 1}}
    session = InworldSessionConfig.from_mapping(values).to_session_update(PCMA, PCMA)
    assert session == {
        "type": "realtime",
        "model": "openai/gpt-4.1-mini",
        "instructions": "",
        "output_modalities": ["audio", "text"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcma"},
                "turn_detection": {
                    "type": "semantic_vad",
                    "create_response": True,
                    "interrupt_response": True,
                },
                "transcription": {},
            },
            "output": {
                "format": {"type": "audio/pcma"},
                "voice": "Clive",
                "model": "inworld-tts-2",
            },
        },
        "tools": [],
        "providerData": {"a": 1},
    }


def test_what_was_said_stays_said_unless_the_file_knows_better() -> None:
    assert InworldSessionConfig().variant(INWORLD) == INWORLD
    config = InworldSessionConfig.from_mapping({"item_truncate": True, "item_delete": True})
    assert config.variant(INWORLD).truncates
    assert config.variant(INWORLD).deletes
    assert "item_truncate" not in config.to_session_update(PCMA, PCMA)


def test_the_transcription_model_is_the_server_s_unless_named() -> None:
    assert InworldSessionConfig().transcription_model == ""
    config = InworldSessionConfig.from_mapping({"transcription": {"model": "m"}})
    assert config.transcription_model == "m"
