"""Objects inside server events."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.realtime.events import Usage
from telephony.realtime.openai_reading import read_format, read_item, read_status, read_usage


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, PCMU),
        ({"audio": {"output": {"format": {"type": "audio/pcma"}}}}, PCMA),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}}, L16_24K),
        ({"audio": {"output": {"format": {"type": "audio/pcm"}}}}, L16_24K),
        (
            {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            AudioFormat("l16", 16000),
        ),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": -5}}}}, L16_24K),
        ({"output_audio_format": "g711_ulaw"}, PCMU),
        ({"output_audio_format": "g711_alaw"}, PCMA),
        ({"output_audio_format": "pcm16"}, L16_24K),
        ({"output_audio_format": "opus"}, None),
        ({"audio": {"output": {"format": None}}}, None),
        ({"audio": []}, None),
        ({}, None),
    ],
)
def test_the_format_of_both_dialects(session: Any, expected: AudioFormat | None) -> None:
    assert read_format(session, "output") == expected
    assert read_format(session, "input") is None


def test_messages_and_calls_are_items() -> None:
    parts = [{"type": "input_text", "text": "a "}, {"type": "input_audio", "transcript": "b"}]
    item = read_item({"id": "i", "type": "message", "role": "user", "content": parts})
    assert item is not None
    assert (item.role, item.text) == ("user", "a b")
    described = {"id": "i", "type": "function_call", "call_id": "c", "name": "f"}
    item = read_item({**described, "arguments": "{}"})
    assert item is not None
    assert (item.kind, item.call_id, item.name, item.text) == ("function_call", "c", "f", "{}")


@pytest.mark.parametrize(
    "described",
    [
        {},
        {"id": "i"},
        {"type": "message", "role": "user"},
        {"id": "i", "type": "message", "role": "system"},
        {"id": "i", "type": "mcp_call"},
        {"id": 5, "type": "message", "role": "user"},
    ],
)
def test_other_items_are_not_kept(described: Any) -> None:
    assert read_item(described) is None


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        ({"status": "completed"}, ("completed", "", "")),
        (
            {"status": "cancelled", "status_details": {"reason": "turn_detected"}},
            ("cancelled", "turn_detected", ""),
        ),
        (
            {
                "status": "failed",
                "status_details": {"error": {"code": "server_error", "message": "sorry"}},
            },
            ("failed", "server_error", "sorry"),
        ),
        ({"status": "failed", "status_details": {"error": {"type": "t"}}}, ("failed", "t", "")),
        ({"status": "odd"}, ("completed", "", "")),
        ({"status": "incomplete", "status_details": None}, ("incomplete", "", "")),
    ],
)
def test_how_a_response_ended(response: Any, outcome: tuple[str, str, str]) -> None:
    assert read_status(response) == outcome


def test_usage_is_read_whole() -> None:
    usage = {
        "total_tokens": 253,
        "input_tokens": 132,
        "output_tokens": 121,
        "input_token_details": {
            "text_tokens": 119,
            "audio_tokens": 13,
            "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4},
        },
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    }
    read = read_usage({"usage": usage})
    assert read == Usage(132, 121, 119, 13, 60, 4, 30, 91)
    assert read.total_tokens == 253
    assert read_usage({}) is None
    assert read_usage({"usage": None}) is None
