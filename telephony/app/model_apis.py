"""The APIs of realtime models that an agent's file may name, one entry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telephony.app.cascade_api import ANTHROPIC_URL, open_cascade, read_cascade
from telephony.calls.model_source import ModelOpener
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig

OPENAI_REALTIME = "openai_realtime"
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


def _openai_realtime(values: Mapping[str, Any]) -> RealtimeModel:
    return OpenAIRealtimeModel(SessionConfig.from_mapping(values))


MODEL_APIS: dict[str, ModelApi] = {
    api.name: api
    for api in (
        ModelApi(
            OPENAI_REALTIME,
            "OpenAI Realtime",
            _openai_realtime,
            base_url="wss://api.openai.com/v1",
            key_variable="OPENAI_API_KEY",
        ),
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
