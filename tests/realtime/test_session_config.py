"""Every field of a session: what is taken, what is refused, what goes over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import RealtimeSessionCreateRequest
from pydantic import BaseModel, ValidationError

from telephony.audio.format import L16_8K, L16_24K, PCMA, PCMU
from telephony.base.errors import LocalProtocolError
from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.session_config import VOICES, SessionConfig, wire_format

EVERYTHING: dict[str, Any] = {
    "model": "gpt-realtime-2.1-mini",
    "instructions": "Be brief.",
    "voice": {"id": "voice_abc"},
    "speed": 1.25,
    "output_modalities": ["audio"],
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.6,
        "prefix_padding_ms": 200,
        "silence_duration_ms": 600,
        "idle_timeout_ms": 8000,
        "create_response": True,
        "interrupt_response": False,
    },
    "transcription": {
        "model": "gpt-transcribe",
        "languages": ["en", "de"],
        "keywords": ["Frobnitz"],
        "prompt": "A call to a hotel.",
    },
    "noise_reduction": {"type": "near_field"},
    "tools": [
        {
            "type": "function",
            "name": "book",
            "description": "Book a room.",
            "parameters": {
                "type": "object",
                "properties": {"night": {"type": ["string", "null"], "default": None}},
                "required": [],
            },
        },
        {
            "type": "mcp",
            "server_label": "docs",
            "server_url": "https://example.com/mcp",
            "allowed_tools": ["search"],
            "require_approval": {"never": {"tool_names": ["search"]}},
            "headers": {"X-Key": "1"},
        },
    ],
    "tool_choice": {"type": "function", "name": "book"},
    "parallel_tool_calls": False,
    "max_output_tokens": 1024,
    "reasoning": {"effort": "low"},
    "truncation": {
        "type": "retention_ratio",
        "retention_ratio": 0.8,
        "token_limits": {"post_instructions": 8000},
    },
    "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": 1}},
    "include": ["item.input_audio_transcription.logprobs"],
}


def problems(values: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidSessionConfig) as caught:
        SessionConfig.from_mapping(values)
    return [tuple(problem) for problem in caught.value.problems]  # type: ignore[misc]


def assert_known_to_sdk(session: dict[str, Any]) -> None:
    def check(value: Any) -> None:
        if isinstance(value, BaseModel):
            assert not value.model_extra
            for name in type(value).model_fields:
                check(getattr(value, name))
        elif isinstance(value, list):
            for item in value:
                check(item)

    check(RealtimeSessionCreateRequest.model_validate(session))


def test_the_defaults_suit_a_phone_call() -> None:
    session = SessionConfig().to_session_update(PCMU, PCMU)
    assert session == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "create_response": True,
                    "interrupt_response": True,
                },
                "transcription": {"model": "gpt-live-transcribe"},
                "noise_reduction": None,
            },
            "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "truncation": "auto",
    }
    assert SessionConfig().model == "gpt-realtime-2.1"
    assert_known_to_sdk(session)


def test_every_field_reaches_the_wire() -> None:
    config = SessionConfig.from_mapping(EVERYTHING)
    session = config.to_session_update(PCMA, L16_24K)
    assert_known_to_sdk(session)
    heard, spoken = session["audio"]["input"], session["audio"]["output"]
    assert heard == {
        "format": {"type": "audio/pcma"},
        "turn_detection": EVERYTHING["turn_detection"],
        "transcription": EVERYTHING["transcription"],
        "noise_reduction": {"type": "near_field"},
    }
    assert spoken == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": {"id": "voice_abc"},
        "speed": 1.25,
    }
    for field in (
        "instructions",
        "output_modalities",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_output_tokens",
        "reasoning",
        "truncation",
        "tracing",
        "include",
    ):
        assert session[field] == EVERYTHING[field], field
    assert "model" not in session
    assert "temperature" not in session


def test_off_is_said_outright() -> None:
    off = {"turn_detection": None, "transcription": None, "noise_reduction": None}
    config = SessionConfig.from_mapping(off)
    heard = config.to_session_update(PCMU, PCMU)["audio"]["input"]
    assert heard == {"format": {"type": "audio/pcmu"}, **off}
    assert not config.responds_by_itself
    assert not config.interrupts_by_itself


@pytest.mark.parametrize("voice", VOICES)
def test_every_voice_is_known(voice: str) -> None:
    session = SessionConfig.from_mapping({"voice": voice}).to_session_update(PCMU, PCMU)
    assert session["audio"]["output"]["voice"] == voice


@pytest.mark.parametrize(
    "values",
    [
        {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}},
        {
            "tool_choice": {"type": "mcp", "server_label": "docs", "name": "search"},
            "tools": [{"type": "mcp", "server_label": "docs", "server_url": "https://e.com"}],
        },
        {"tool_choice": "required"},
        {"truncation": "disabled"},
        {"tracing": "auto"},
        {"output_modalities": ["text"]},
        {"noise_reduction": {"type": "far_field", "strength": 0.5}},
        {"transcription": {"model": "gpt-realtime-whisper", "delay": "low", "language": "en"}},
        {"transcription": {"model": "whisper-1", "prompt": "names", "language": "de"}},
        {"max_output_tokens": "inf"},
        {
            "tools": [
                {
                    "type": "mcp",
                    "server_label": "a",
                    "tunnel_id": "t",
                    "allowed_tools": {"read_only": True},
                    "require_approval": "always",
                    "defer_loading": True,
                    "server_description": "d",
                    "authorization": "t",
                }
            ]
        },
    ],
)
def test_other_values_are_known_to_the_sdk(values: dict[str, Any]) -> None:
    session = SessionConfig.from_mapping(values).to_session_update(PCMU, PCMU)
    assert_known_to_sdk(session)


def test_semantic_vad_answers_for_itself() -> None:
    values = {"turn_detection": {"type": "semantic_vad", "create_response": False}}
    config = SessionConfig.from_mapping(values)
    assert not config.responds_by_itself
    assert config.interrupts_by_itself


@pytest.mark.parametrize(
    ("values", "path", "message", "fix"),
    [
        ({"voice": "bob"}, "voice", "unknown voice 'bob'", ""),
        ({"voice": {"id": "bob"}}, "voice.id", "voice_", ""),
        ({"speed": 2.0}, "speed", "less than or equal to 1.5, got 2.0", ""),
        ({"speed": "1.0"}, "speed", "valid number", "without quotes"),
        ({"speed": float("nan")}, "speed", "1.5", ""),
        ({"model": ""}, "model", "must not be empty", ""),
        ({"model": 5}, "model", "valid string, got 5", ""),
        ({"temperature": 0.8}, "temperature", "unknown key", "no temperature"),
        ({"prompt": {"id": "p"}}, "prompt", "unknown key", "instructions"),
        ({"modalities": ["audio"]}, "modalities", "unknown key", "output_modalities"),
        ({"instruction": "x"}, "instruction", "unknown key", "instructions"),
        ({"qqq": 1}, "qqq", "unknown key", "remove it"),
        ({"output_modalities": ["audio", "text"]}, "output_modalities", "at most 1", ""),
        ({"max_output_tokens": 0}, "max_output_tokens", "greater than or equal to 1", ""),
        ({"max_output_tokens": 4097}, "max_output_tokens", "4096", ""),
        ({"max_output_tokens": True}, "max_output_tokens", "integer", ""),
        (
            {"turn_detection": {"type": "server_vad", "threshold": 1.5}},
            "turn_detection.threshold",
            "less than or equal to 1",
            "",
        ),
        (
            {"turn_detection": {"type": "semantic_vad", "idle_timeout_ms": 5000}},
            "turn_detection.idle_timeout_ms",
            "unknown key",
            "",
        ),
        (
            {"turn_detection": {"type": "server_vad", "silence_duration_ms": 0}},
            "turn_detection.silence_duration_ms",
            "greater than 0",
            "",
        ),
        ({"turn_detection": {"threshold": 0.5}}, "turn_detection", "type", "write type"),
        ({"turn_detection": {"type": "x"}}, "turn_detection", "type", "'semantic_vad'"),
        (
            {"transcription": {"language": "en", "languages": ["en", "de"]}},
            "transcription",
            "language and languages exclude each other",
            "",
        ),
        (
            {"transcription": {"model": "whisper-1", "keywords": ["a"]}},
            "transcription",
            "keywords needs model gpt-transcribe or gpt-live-transcribe",
            "",
        ),
        (
            {"transcription": {"model": "whisper-1", "languages": ["a"]}},
            "transcription",
            "languages needs model",
            "",
        ),
        (
            {"transcription": {"delay": "low"}},
            "transcription",
            "delay needs model gpt-realtime-whisper",
            "",
        ),
        (
            {"transcription": {"model": "gpt-realtime-whisper", "prompt": "x"}},
            "transcription",
            "prompt is not taken by model gpt-realtime-whisper",
            "",
        ),
        ({"tool_choice": {"type": "function"}}, "tool_choice", "takes name", ""),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice", "needs server_label", ""),
        (
            {"tools": [{"type": "mcp", "server_label": "a"}]},
            "tools[0]",
            "exactly one of server_url, connector_id and tunnel_id",
            "",
        ),
        (
            {"tools": [{"type": "function", "name": "ok"}, {"type": "function", "name": "no!"}]},
            "tools[1].name",
            "match pattern",
            "",
        ),
        (
            {"truncation": {"type": "retention_ratio", "retention_ratio": 2}},
            "truncation.retention_ratio",
            "less than or equal to 1",
            "",
        ),
        ({"reasoning": {}}, "reasoning.effort", "is required", ""),
        ({"reasoning": {"effort": "max"}}, "reasoning.effort", "minimal", ""),
        ({"noise_reduction": {"type": "loud"}}, "noise_reduction.type", "near_field", ""),
        ({"include": ["everything"]}, "include[0]", "logprobs", ""),
    ],
)
def test_a_mistake_is_named_with_its_place(
    values: dict[str, Any], path: str, message: str, fix: str
) -> None:
    (problem,) = problems(values)
    assert problem[0] == path
    assert message in problem[1]
    assert fix in problem[2]


def test_all_mistakes_are_named_at_once() -> None:
    found = problems({"voice": "bob", "speed": 9.0, "instructons": "x"})
    assert [path for path, _message, _fix in found] == ["voice", "speed", "instructons"]


@pytest.mark.parametrize("values", [None, [], "text", 5])
def test_what_is_no_mapping_is_refused(values: Any) -> None:
    assert problems(values)[0][0] == ""


def test_a_config_does_not_change() -> None:
    with pytest.raises(ValidationError):
        SessionConfig().model = "other"


def test_tools_can_be_added() -> None:
    config = SessionConfig().with_tools([FunctionTool(name="a")])
    assert [tool["name"] for tool in config.to_session_update(PCMU, PCMU)["tools"]] == ["a"]
    with pytest.raises(ValueError, match="'a' is used twice"):
        config.with_tools([FunctionTool(name="a")])


def test_the_wire_knows_three_formats() -> None:
    assert wire_format(PCMU) == {"type": "audio/pcmu"}
    assert wire_format(PCMA) == {"type": "audio/pcma"}
    assert wire_format(L16_24K) == {"type": "audio/pcm", "rate": 24000}
    with pytest.raises(LocalProtocolError):
        wire_format(L16_8K)


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({"model": "gpt-live-1.1"}, "model", "refuses"),
        ({"model": "gpt-live-transcribe"}, "model", "only transcribes"),
        ({"model": "gpt-realtime-whisper"}, "model", "only transcribes"),
        ({"model": "gpt-realtime-1.5", "reasoning": {"effort": "low"}}, "reasoning", "take"),
        (
            {"model": "gpt-realtime-2025-08-28", "parallel_tool_calls": True},
            "parallel_tool_calls",
            "take",
        ),
        ({"model": "gpt-realtime-mini", "reasoning": {"effort": "low"}}, "reasoning", "take"),
        (
            {"tool_choice": {"type": "mcp", "server_label": "x"}},
            "tool_choice.server_label",
            "no tool",
        ),
    ],
)
def test_features_that_the_model_lacks(values: dict[str, Any], path: str, message: str) -> None:
    ((place, text, fix),) = problems(values)
    assert place == path
    assert message in text
    assert fix


@pytest.mark.parametrize(
    "model", ["gpt-realtime-2", "gpt-realtime-2.1", "gpt-realtime-2.1-mini", "my-own"]
)
def test_features_of_the_second_family(model: str) -> None:
    values = {"model": model, "reasoning": {"effort": "low"}, "parallel_tool_calls": True}
    assert SessionConfig.from_mapping(values).reasoning is not None


def test_an_idle_timeout_has_no_range_of_ours() -> None:
    for milliseconds in (1, 600_000):
        detection = {"type": "server_vad", "idle_timeout_ms": milliseconds}
        config = SessionConfig.from_mapping({"turn_detection": detection})
        wire = config.to_session_update(PCMU, PCMU)["audio"]["input"]["turn_detection"]
        assert wire["idle_timeout_ms"] == milliseconds
