"""The APIs of realtime models that an agent's file may name, one entry each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from pydantic import BaseModel

from telephony.calls.model_source import ModelOpener
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.openai_variants import OPENAI_SERVERS, OpenAIServer
from telephony.realtime.session_config import SessionConfig

OPENAI_REALTIME = "openai_realtime"
OPENAI_LIVE = "openai_live"
AZURE_OPENAI_LIVE = "azure_openai_live"

REHEARSAL = "rehearsal"
"""The base_url that stands for the built-in model; ``serve`` puts its address in its place."""
GEMINI_LIVE = "gemini_live"
GEMINI_VERTEX = "gemini_vertex"
CASCADE = "cascade"

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


def _openai_api(server: OpenAIServer) -> ModelApi:
    def read(values: Mapping[str, Any]) -> RealtimeModel:
        config = server.session.from_mapping(values)
        return OpenAIRealtimeModel(config, server.api, server.variant, time.time)

    return ModelApi(
        server.api,
        server.title,
        read,
        base_url=server.base_url,
        key_variable=server.key_variable,
        in_language=_language_of(server.session),
    )


# What only one API needs is imported by the agents that name it.


def _openai_live(values: Mapping[str, Any]) -> RealtimeModel:
    return _live(values, OPENAI_LIVE)


def _azure_openai_live(values: Mapping[str, Any]) -> RealtimeModel:
    return _live(values, AZURE_OPENAI_LIVE, api_key_header="api-key", pcm_only=True)


def _live(values: Mapping[str, Any], api: str, **differing: Any) -> RealtimeModel:
    from telephony.app.legal_notice import read_notice
    from telephony.realtime.openai_live_config import LiveConfig
    from telephony.realtime.openai_live_model import OpenAILiveModel

    config = LiveConfig.from_mapping(values)
    notice = read_notice(config.legal_notice)
    return OpenAILiveModel(config, api, notice=notice, wall_clock=time.time, **differing)


def _agents(values: Mapping[str, Any]) -> RealtimeModel:
    from telephony.app.sdk_agents import read_agents_model

    return read_agents_model(values)


def _agents_opener(model: RealtimeModel, base_url: str, api_key: str | None) -> ModelOpener:
    from telephony.app.sdk_agents import agents_opener

    return agents_opener(model, base_url, api_key)


def _cascade(values: Mapping[str, Any]) -> RealtimeModel:
    from telephony.app.cascade_api import read_cascade

    return read_cascade(values)


def _cascade_opener(model: RealtimeModel, base_url: str, api_key: str | None) -> ModelOpener:
    from telephony.app.cascade_api import open_cascade

    return open_cascade(model, base_url, api_key)


def _language_of(config: type[BaseModel]) -> InLanguage:
    """Return what tells a session of this kind the language of its transcription."""
    field = config.model_fields.get("transcription")
    kinds = get_args(field.annotation) if field is not None else ()
    if field is None or not any("language" in getattr(k, "model_fields", ()) for k in kinds):
        return _unchanged
    return partial(_transcribed_in, default=None if field.default is None else {})


def _transcribed_in(
    session: dict[str, Any], tag: str, *, default: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the session with the language of its transcription, unless that is said or off."""
    transcription = session.get("transcription", default)
    if not isinstance(transcription, dict) or {"language", "languages"} & transcription.keys():
        return session
    return {**session, "transcription": {**transcription, "language": tag.partition("-")[0]}}


def _gemini_live(values: Mapping[str, Any]) -> RealtimeModel:
    from telephony.realtime.gemini_config import GeminiConfig
    from telephony.realtime.gemini_model import GeminiModel

    return GeminiModel(GeminiConfig.from_mapping(values))


def _gemini_vertex(values: Mapping[str, Any]) -> RealtimeModel:
    from telephony.realtime.gemini_config import VertexConfig
    from telephony.realtime.gemini_model import GeminiModel

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
        *map(_openai_api, OPENAI_SERVERS.values()),
        ModelApi(
            OPENAI_LIVE,
            "OpenAI Live",
            _openai_live,
            base_url="wss://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
        ),
        ModelApi(
            AZURE_OPENAI_LIVE,
            "Azure OpenAI Live",
            _azure_openai_live,
            key_variable="AZURE_OPENAI_API_KEY",
        ),
        ModelApi(
            "openai_agents",
            "OpenAI Agents SDK",
            _agents,
            base_url="wss://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
            make_opener=_agents_opener,
            in_language=_language_of(SessionConfig),
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
        ModelApi(
            CASCADE,
            "a cascade around Anthropic Claude",
            _cascade,
            base_url="https://api.anthropic.com",
            key_variable="ANTHROPIC_API_KEY",
            make_opener=_cascade_opener,
        ),
    )
}
