"""What one may choose about a Gemini session, and what the models refuse."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig


def problems(values: dict[str, Any], kind: type[GeminiConfig] = GeminiConfig) -> list[str]:
    with pytest.raises(InvalidSessionConfig) as caught:
        kind.from_mapping(values)
    return [str(problem) for problem in caught.value.problems]


def test_defaults() -> None:
    config = GeminiConfig.from_mapping({})
    assert (config.model, config.voice, config.api_version) == ("gemini-3.8-live", "Kore", "v1")
    assert not config.blocks
    assert config.traits.resumes
    assert config.traits.endpointing_ms == 0


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            {"thinking": {"level": "low"}},
            "thinking: gemini-3.8-live takes no thinking level "
            "(remove thinking, or write model: gemini-3.8-live-extended-thinking)",
        ),
        (
            {"model": "gemini-3.8-live-extended-thinking"},
            "thinking: gemini-3.8-live-extended-thinking needs a level "
            "(write thinking: {level: low})",
        ),
        (
            {"model": "gemini-x-live", "thinking": {"level": "low", "budget_tokens": 5}},
            "thinking: level and budget_tokens exclude each other (keep one of them)",
        ),
        (
            {"proactive_audio": False},
            "proactive_audio: is always on with gemini-3.8-live (remove it)",
        ),
        (
            {"affective_dialog": True},
            "affective_dialog: gemini-3.8-live has no affective dialog (remove it)",
        ),
        (
            {"transparent_resumption": True},
            "transparent_resumption: only Vertex AI resumes sessions transparently (remove it)",
        ),
        (
            {"auth": "ephemeral_token"},
            "api_version: only v1alpha takes ephemeral tokens (write api_version: v1alpha)",
        ),
        ({"voise": "Kore"}, "voise: unknown key (did you mean voice?)"),
        ({"top_k": "40"}, "top_k: should be a valid integer, got '40' (write it without quotes)"),
        (
            {"context_compression": {"trigger_tokens": 5, "target_tokens": 5}},
            "context_compression: target_tokens must be less than trigger_tokens",
        ),
        ({"temperature": 3.0}, "temperature: should be less than or equal to 2, got 3.0"),
    ],
)
def test_refusals(values: dict[str, Any], problem: str) -> None:
    assert problems(values) == [problem]


def test_an_unknown_voice_is_told_the_known_ones() -> None:
    (problem,) = problems({"voice": "marin"})
    assert problem.startswith("voice: unknown voice 'marin'; known: Achernar, ")


def test_no_mapping() -> None:
    assert problems([]) == [": must be a mapping (write key: value)"[2:]]  # type: ignore[arg-type]


def test_vertex() -> None:
    config = VertexConfig.from_mapping(
        {"project": "p", "transparent_resumption": True, "explicit_vad_signal": True}
    )
    assert config.blocks
    assert problems({}, VertexConfig) == ["project: is required"]
    assert problems({"project": "p", "auth": "api_key"}, VertexConfig) == [
        "auth: is the Gemini API's, not Vertex AI's (remove it)"
    ]


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        ({}, False),
        ({"functions": "blocking"}, True),
        ({"model": "gemini-3.8-live-extended-thinking", "thinking": {"level": "low"}}, False),
        ({"model": "models/gemini-3.8-live"}, False),
        ({"model": "gemini-3.1-flash-live-preview"}, True),
        ({"model": "gemini-3.1-flash-live-preview", "functions": "non_blocking"}, False),
    ],
)
def test_which_models_wait_for_functions(values: dict[str, Any], blocks: bool) -> None:
    assert GeminiConfig.from_mapping(values).blocks is blocks


def test_traits() -> None:
    values = {"turn_detection": {"silence_duration_ms": 600}, "session_resumption": False}
    traits = GeminiConfig.from_mapping(values).traits
    assert (traits.endpointing_ms, traits.resumes) == (600, False)
    values = {"activity_handling": "no_interruption"}
    assert not GeminiConfig.from_mapping(values).traits.interrupts_by_itself
