"""The APIs of realtime models that an agent's file may name, one entry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telephony.app.sdk_agents import agents_opener, read_agents_model
from telephony.calls.model_source import ModelOpener
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_model import GeminiModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig

OPENAI_REALTIME = "openai_realtime"
GEMINI_LIVE = "gemini_live"
GEMINI_VERTEX = "gemini_vertex"

ReadModel = Callable[[Mapping[str, Any]], RealtimeModel]
"""Makes a model from ``session`` with ``model`` and ``voice`` added where they are given; raises
InvalidSessionConfig."""

MakeOpener = Callable[[RealtimeModel, str, str | None], ModelOpener]
"""Makes the opener of a model that is not reached over one WebSocket: its base URL, its key."""


InLanguage = Callable[[dict[str, Any], str], dict[str, Any]]
"""Returns a ``session`` that expects the caller to speak a language (RFC 5646)."""


def _unchanged(session: dict[str, Any], tag: str) -> dict[str, Any]:
    return session


@dataclass(frozen=True, slots=True)
class ModelApi:
    """What an agent's file may say of models of one kind.

    ``base_url`` is the default; without one the file has to name it, unless ``needs_url`` is
    false. ``key_variable`` is the environment variable that usually holds the key a model at the
    default URL needs.
    """

    name: str
    title: str
    read: ReadModel
    base_url: str = ""
    needs_url: bool = True
    key_variable: str = ""
    make_opener: MakeOpener | None = None
    in_language: InLanguage = _unchanged


def _openai_realtime(values: Mapping[str, Any]) -> RealtimeModel:
    return OpenAIRealtimeModel(SessionConfig.from_mapping(values))


def _transcribed_in(session: dict[str, Any], tag: str) -> dict[str, Any]:
    """Return the session with the language of its transcription, unless that is said or off."""
    transcription = session.get("transcription", {})
    if not isinstance(transcription, dict) or {"language", "languages"} & transcription.keys():
        return session
    return {**session, "transcription": {**transcription, "language": tag.partition("-")[0]}}


def _gemini_live(values: Mapping[str, Any]) -> RealtimeModel:
    return GeminiModel(GeminiConfig.from_mapping(values))


def _gemini_vertex(values: Mapping[str, Any]) -> RealtimeModel:
    return GeminiModel(VertexConfig.from_mapping(values))


def _gemini_in(session: dict[str, Any], tag: str) -> dict[str, Any]:
    """Return the session with what it speaks and hears, unless that is said or off."""
    transcription = session.get("transcription", {})
    if isinstance(transcription, dict):
        transcription = {"language_codes": [tag], **transcription}
    return {"language_code": tag, **session, "transcription": transcription}


MODEL_APIS: dict[str, ModelApi] = {
    api.name: api
    for api in (
        ModelApi(
            OPENAI_REALTIME,
            "OpenAI Realtime",
            _openai_realtime,
            base_url="wss://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
            in_language=_transcribed_in,
        ),
        ModelApi(
            "openai_agents",
            "OpenAI Agents SDK",
            read_agents_model,
            base_url="wss://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
            make_opener=agents_opener,
            in_language=_transcribed_in,
        ),
        ModelApi(
            GEMINI_LIVE,
            "Gemini Live",
            _gemini_live,
            base_url="wss://generativelanguage.googleapis.com",
            key_variable="GEMINI_API_KEY",
            in_language=_gemini_in,
        ),
        ModelApi(GEMINI_VERTEX, "Gemini Live on Vertex AI", _gemini_vertex, in_language=_gemini_in),
    )
}
