"""Agents for tests: one OpenAI Realtime model and whatever a test wants otherwise."""

from __future__ import annotations

from typing import Any

from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig


def openai_agent(**changes: Any) -> Agent:
    """Return an agent; changes of its model are given by the fields of ModelSource."""
    source = ModelSource(
        OpenAIRealtimeModel(changes.pop("session", SessionConfig(model="test"))),
        changes.pop("base_url", "http://model.test/v1"),
        changes.pop("api_key", None),
        connect_timeout_s=changes.pop("connect_timeout_s", 5.0),
        format=changes.pop("model_format", "auto"),
    )
    return Agent(**({"name": "bot", "source": source} | changes))


def config_of(agent: Agent) -> SessionConfig:
    """Return what the agent's file says of its OpenAI Realtime model."""
    assert isinstance(agent.source.model, OpenAIRealtimeModel)
    return agent.source.model.config
