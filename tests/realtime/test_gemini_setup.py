"""From settings to the first message."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types

from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_setup import setup_of

SCHEMA = {"type": "object", "properties": {"for_whom": {"type": "string"}}}
TOOLS = (FunctionTool(name="book", description="Books.", parameters=SCHEMA),)


def setup(values: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    return setup_of(GeminiConfig.from_mapping(values or {}), "Be brief.", TOOLS, **options)


def test_what_is_left_out_is_left_to_the_server() -> None:
    assert setup() == {
        "model": "models/gemini-3.8-live",
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
        "realtimeInputConfig": {
            "automaticActivityDetection": {},
            "activityHandling": "START_OF_ACTIVITY_INTERRUPTS",
        },
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "book", "description": "Books.", "parametersJsonSchema": SCHEMA}
                ]
            }
        ],
        "sessionResumption": {},
        "contextWindowCompression": {"slidingWindow": {}},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
    }


@pytest.mark.parametrize(
    ("values", "place", "expected"),
    [
        ({"language_code": "de-DE"}, "generationConfig.speechConfig.languageCode", "de-DE"),
        ({"top_p": 0.9}, "generationConfig.topP", 0.9),
        ({"top_k": 40}, "generationConfig.topK", 40),
        ({"temperature": 0.0}, "generationConfig.temperature", 0.0),
        ({"max_output_tokens": 9}, "generationConfig.maxOutputTokens", 9),
        ({"seed": 7}, "generationConfig.seed", 7),
        (
            {"model": "gemini-x-live", "thinking": {"level": "low", "include_thoughts": False}},
            "generationConfig.thinkingConfig",
            {"thinkingLevel": "LOW", "includeThoughts": False},
        ),
        (
            {"translation": {"target_language_code": "es"}},
            "generationConfig.translationConfig",
            {"targetLanguageCode": "es"},
        ),
        (
            {
                "turn_detection": {
                    "start_sensitivity": "low",
                    "end_sensitivity": "high",
                    "prefix_padding_ms": 20,
                    "silence_duration_ms": 500,
                }
            },
            "realtimeInputConfig.automaticActivityDetection",
            {
                "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
                "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH",
                "prefixPaddingMs": 20,
                "silenceDurationMs": 500,
            },
        ),
        (
            {"turn_detection": None},
            "realtimeInputConfig.automaticActivityDetection",
            {"disabled": True},
        ),
        (
            {"turn_coverage": "turn_includes_all_input"},
            "realtimeInputConfig.turnCoverage",
            "TURN_INCLUDES_ALL_INPUT",
        ),
        (
            {"transcription": {"language_codes": ["en-US"], "custom_vocabulary": ["Ann"]}},
            "inputAudioTranscription",
            {"languageCodes": ["en-US"], "customVocabulary": ["Ann"]},
        ),
        ({"transcription": None}, "inputAudioTranscription", None),
        ({"output_transcription": False}, "outputAudioTranscription", None),
        ({"session_resumption": False}, "sessionResumption", None),
        (
            {"context_compression": {"trigger_tokens": 9, "target_tokens": 5}},
            "contextWindowCompression",
            {"triggerTokens": 9, "slidingWindow": {"targetTokens": 5}},
        ),
        ({"context_compression": None}, "contextWindowCompression", None),
        ({"proactive_audio": True}, "proactivity.proactiveAudio", True),
        ({"labels": {"a_b": "c"}}, "labels", {"a_b": "c"}),
        (
            {"safety_settings": [{"category": "HARM", "threshold": "OFF"}]},
            "safetySettings",
            [{"category": "HARM", "threshold": "OFF"}],
        ),
    ],
)
def test_each_field(values: dict[str, Any], place: str, expected: Any) -> None:
    found: Any = setup(values)
    for key in place.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    assert found == expected


def test_tools() -> None:
    wire = setup({"functions": "blocking", "google_search": True})["tools"]
    assert wire[0]["functionDeclarations"][0]["behavior"] == "BLOCKING"
    assert wire[1] == {"googleSearch": {}}
    assert "tools" not in setup_of(GeminiConfig(), "", ())
    bare = setup_of(GeminiConfig(), "", (FunctionTool(name="f"),))
    declared = bare["tools"][0]["functionDeclarations"][0]
    types.FunctionDeclaration.model_validate(declared)
    assert declared == {"name": "f", "description": ""}


def test_a_session_that_goes_on() -> None:
    assert setup(handle="h")["sessionResumption"] == {"handle": "h"}
    told = setup(with_history=True)
    assert told["historyConfig"] == {"initialHistoryInClientContent": True}


def test_vertex() -> None:
    config = VertexConfig(
        project="p", transparent_resumption=True, explicit_vad_signal=True, model="m"
    )
    wire = setup_of(config, "", (), handle="h")
    assert wire["model"] == "projects/p/locations/us-central1/publishers/google/models/m"
    assert wire["sessionResumption"] == {"handle": "h", "transparent": True}
    assert wire["explicitVadSignal"] is True
    whole = config.model_copy(update={"model": "projects/x/y"})
    assert setup_of(whole, "", ())["model"] == "projects/x/y"
