"""The APIs of realtime models that an agent's file may name, one entry each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telephony.app.cascade_api import ANTHROPIC_URL, open_cascade, read_cascade
from telephony.app.legal_notice import read_notice
from telephony.app.sdk_agents import agents_opener, read_agents_model
from telephony.calls.model_source import ModelOpener
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_model import GeminiModel
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.openai_variants import OPENAI_SERVERS, OpenAIServer

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
    )


def _openai_live(values: Mapping[str, Any]) -> RealtimeModel:
    config = LiveConfig.from_mapping(values)
    notice = read_notice(config.legal_notice)
    return OpenAILiveModel(config, OPENAI_LIVE, notice=notice, wall_clock=time.time)


def _azure_openai_live(values: Mapping[str, Any]) -> RealtimeModel:
    config = LiveConfig.from_mapping(values)
    return OpenAILiveModel(
        config,
        AZURE_OPENAI_LIVE,
        api_key_header="api-key",
        pcm_only=True,
        notice=read_notice(config.legal_notice),
        wall_clock=time.time,
    )


def _gemini_live(values: Mapping[str, Any]) -> RealtimeModel:
    return GeminiModel(GeminiConfig.from_mapping(values))


def _gemini_vertex(values: Mapping[str, Any]) -> RealtimeModel:
    return GeminiModel(VertexConfig.from_mapping(values))


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
            read_agents_model,
            base_url="wss://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
            make_opener=agents_opener,
        ),
        ModelApi(
            GEMINI_LIVE,
            "Gemini Live",
            _gemini_live,
            base_url="wss://generativelanguage.googleapis.com",
            key_variable="GEMINI_API_KEY",
        ),
        ModelApi(GEMINI_VERTEX, "Gemini Live on Vertex AI", _gemini_vertex),
        ModelApi(
            CASCADE,
            "a cascade around Anthropic Claude",
            read_cascade,
            base_url=ANTHROPIC_URL,
            key_variable="ANTHROPIC_API_KEY",
            make_opener=open_cascade,
        ),
    )
}
