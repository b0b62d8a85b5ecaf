from __future__ import annotations

import pytest

from telephony.rehearsal.client_events import strictly
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.session_fields import ResponseFields, SessionFields

EVERYTHING = {
    "type": "realtime",
    "model": "gpt-realtime-2.1",
    "output_modalities": ["audio"],
    "instructions": "x",
    "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}},
        {"type": "mcp", "server_label": "s", "server_url": "https://example.com"},
    ],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": False,
    "max_output_tokens": 4096,
    "reasoning": {"effort": "low"},
    "tracing": "auto",
    "truncation": {
        "type": "retention_ratio",
        "retention_ratio": 0.8,
        "token_limits": {"post_instructions": 8000},
    },
    "include": ["item.input_audio_transcription.logprobs"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-transcribe", "language": "en", "keywords": ["x"]},
            "noise_reduction": {"type": "far_field", "strength": 0.5},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 1,
                "prefix_padding_ms": 0,
                "silence_duration_ms": 700,
                "idle_timeout_ms": 6000,
                "create_response": True,
                "interrupt_response": False,
            },
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "cedar", "speed": 1.5},
    },
}


def test_every_field_of_the_api_is_accepted():
    fields = strictly(SessionFields, EVERYTHING)
    assert fields.model_dump(exclude_unset=True)["truncation"]["retention_ratio"] == 0.8


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"temperature": 0.8}, "unknown_parameter", "temperature"),
        ({"voice": "marin"}, "unknown_parameter", "voice"),
        (
            {"audio": {"input": {"turn_detection": {"type": "vad"}}}},
            "invalid_value",
            "audio.input.turn_detection.type",
        ),
        (
            {"audio": {"input": {"turn_detection": {"threshold": 0.5}}}},
            "missing_required_parameter",
            "audio.input.turn_detection.type",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 1.1}}}},
            "invalid_value",
            "audio.input.turn_detection.threshold",
        ),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 1}}}},
            "unknown_parameter",
            "audio.input.turn_detection.threshold",
        ),
        (
            {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}},
            "invalid_value",
            "audio.input.format.rate",
        ),
        (
            {"audio": {"input": {"format": {"type": "g711_ulaw"}}}},
            "invalid_value",
            "audio.input.format.type",
        ),
        ({"audio": {"output": {"voice": "robot"}}}, "invalid_value", "audio.output.voice"),
        ({"audio": {"output": {"speed": 2.0}}}, "invalid_value", "audio.output.speed"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "output_modalities"),
        ({"output_modalities": []}, "invalid_value", "output_modalities"),
        ({"max_output_tokens": 0}, "invalid_value", "max_output_tokens"),
        ({"max_output_tokens": 4097}, "invalid_value", "max_output_tokens"),
        ({"instructions": 7}, "invalid_type", "instructions"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            "missing_required_parameter",
            "tools[0].name",
        ),
    ],
)
def test_wrong_fields_are_named(wrong, code, param):
    with pytest.raises(ClientError) as error:
        strictly(SessionFields, {"type": "realtime", **wrong})
    assert (error.value.code, error.value.param) == (code, param)


def test_the_type_is_required():
    with pytest.raises(ClientError) as error:
        strictly(SessionFields, {})
    assert (error.value.code, error.value.param) == ("missing_required_parameter", "type")


def test_metadata_limits():
    strictly(ResponseFields, {"metadata": {"k" * 64: "v" * 512}})
    for wrong in ({"k" * 65: "v"}, {"k": "v" * 513}, {f"k{n}": "" for n in range(17)}):
        with pytest.raises(ClientError):
            strictly(ResponseFields, {"metadata": wrong})
