"""What a turn cost, and how it ended."""

from __future__ import annotations

from telephony.realtime.events import Usage
from telephony.realtime.gemini_reading import read_end, read_usage


def test_tools_and_thoughts_are_counted_in() -> None:
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "responseTokenCount": 30,
        "toolUsePromptTokenCount": 7,
        "thoughtsTokenCount": 5,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 60},
            {"modality": "AUDIO", "tokenCount": 40},
            {"modality": "IMAGE", "tokenCount": 9},
            {"modality": 3, "tokenCount": "x"},
            7,
        ],
        "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
    }
    assert read_usage({"usageMetadata": usage}) == Usage(
        input_tokens=107,
        output_tokens=35,
        input_text_tokens=67,
        input_audio_tokens=40,
        cached_text_tokens=30,
        cached_audio_tokens=10,
        output_text_tokens=5,
        output_audio_tokens=30,
    )


def test_no_usage() -> None:
    for usage in ({}, [], None, "x"):
        assert read_usage({"usageMetadata": usage}) is None
    assert read_usage({}) is None


def test_ends() -> None:
    assert read_end({}) == ("completed", "")
    assert read_end({"turnCompleteReason": 7}) == ("completed", "")
    assert read_end({"turnCompleteReason": "NEED_MORE_INPUT"}) == ("completed", "")
    ended = read_end({"turnCompleteReason": "MALFORMED_FUNCTION_CALL"})
    assert ended == ("incomplete", "malformed_function_call")
