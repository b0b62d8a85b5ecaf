"""Parts of settings that several servers share."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from telephony.realtime.session_fields import (
    McpTool,
    SessionTool,
    ToolChoice,
    Transcription,
    TurnDetection,
)


@pytest.mark.parametrize("kind", ["server_vad", "semantic_vad"])
def test_turn_detection_is_told_by_its_type(kind: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(TurnDetection)
    assert adapter.validate_python({"type": kind}).type == kind


@pytest.mark.parametrize(
    "values",
    [
        {"model": "gpt-transcribe", "language": "en", "languages": ["de"]},
        {"model": "whisper-1", "keywords": ["x"]},
        {"model": "gpt-transcribe", "delay": "low"},
        {"model": "gpt-realtime-whisper", "prompt": "x"},
    ],
)
def test_a_transcription_takes_what_its_model_does(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Transcription.model_validate(values)


@pytest.mark.parametrize("places", [{}, {"server_url": "https://a", "connector_id": "b"}])
def test_a_remote_server_is_in_one_place(places: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        McpTool.model_validate({"type": "mcp", "server_label": "a", **places})


@pytest.mark.parametrize(
    "values",
    [{"type": "function"}, {"type": "function", "name": "a", "server_label": "b"}, {"type": "mcp"}],
)
def test_a_choice_names_what_it_chooses(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ToolChoice.model_validate(values)


def test_a_tool_is_a_function_or_a_server() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(SessionTool)
    assert adapter.validate_python({"type": "function", "name": "a"}).name == "a"
    with pytest.raises(ValidationError):
        adapter.validate_python({"type": "web_search"})
