"""What an agent's file may say of a cascade."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.realtime.cascade.config import CascadeConfig
from telephony.realtime.config_problems import InvalidSessionConfig

SERVICES = {"stt": {"type": "a"}, "tts": {"type": "b"}}


def problems(**values: Any) -> list[str]:
    with pytest.raises(InvalidSessionConfig) as raised:
        CascadeConfig.from_mapping(SERVICES | values)
    return [str(problem) for problem in raised.value.problems]


def test_defaults() -> None:
    config = CascadeConfig.from_mapping(SERVICES)
    assert config.model == "claude-haiku-5-5"
    assert config.llm.max_tokens == 300
    assert config.llm.effort is None
    assert config.fillers == ()
    assert config.filler_after_ms == 700
    assert config.end_of_turn.speculative
    assert config.end_of_turn.policy().complete_ms == 400


def test_everything() -> None:
    config = CascadeConfig.from_mapping(
        {
            "model": "claude-sonnet-5-5",
            "voice": "joe",
            "llm": {"max_tokens": 200, "effort": "low", "prompt_cache": "1h", "retry_s": 2},
            "stt": {"type": "x", "language": "de"},
            "tts": {"type": "y", "voice": "z"},
            "fillers": ["One moment.", "Still looking."],
            "filler_after_ms": 900,
            "end_of_turn": {"silence_ms": 800, "speculative": False},
        }
    )
    assert config.fillers == ("One moment.", "Still looking.")
    assert config.stt["language"] == "de"
    assert config.llm.retry_s == 2


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"stt": None}, "stt"),
        ({"stt": {}}, "stt: needs a type"),
        ({"tts": {"type": 7}}, "tts: needs a type"),
        ({"lm": {}}, "lm: unknown key (did you mean llm?)"),
        ({"llm": {"max_token": 3}}, "llm.max_token: unknown key (did you mean max_tokens?)"),
        ({"llm": {"max_tokens": 5}}, "llm.max_tokens: should be greater than or equal to 16"),
        ({"llm": {"effort": "huge"}}, "llm.effort"),
        ({"fillers": [""]}, "fillers[0]"),
        ({"end_of_turn": {"silence_ms": 300}}, "end_of_turn: likely_ms, complete_ms"),
        ({"model": "a b"}, "model"),
    ],
)
def test_mistakes_say_where_and_what(values: dict[str, Any], part: str) -> None:
    [problem] = problems(**values)
    assert part in problem


def test_services_are_needed() -> None:
    with pytest.raises(InvalidSessionConfig, match="stt: is required"):
        CascadeConfig.from_mapping({"tts": {"type": "b"}})
