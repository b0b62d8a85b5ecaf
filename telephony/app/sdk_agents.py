"""Agents of the OpenAI Agents SDK that a user's own code defines, as models of ours."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from telephony.base.interfaces import ModelConnection
from telephony.calls.model_source import ModelOpener
from telephony.realtime.agents_realtime import AgentsConfig, AgentsModel, AgentsRealtime
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig
from telephony.realtime.dialect import Dialect, RealtimeModel

EXTRA = "agents"


def read_agents_model(values: Mapping[str, Any]) -> RealtimeModel:
    """Return the model that an agent's file describes; raises InvalidSessionConfig."""
    config = AgentsConfig.from_mapping(values)
    if find_spec("agents") is None:
        fix = f"pip install 'telephony-voice-bot[{EXTRA}]'"
        raise InvalidSessionConfig([FieldProblem("", "the OpenAI Agents SDK is missing", fix)])
    _load(config.agent)
    return AgentsModel(config)


def _load(name: str) -> Any:
    """Return the agent that ``package.module:name`` stands for; a function is called for it."""
    from agents.realtime import RealtimeAgent

    def refuse(message: str, fix: str = "") -> InvalidSessionConfig:
        return InvalidSessionConfig([FieldProblem("agent", message, fix)])

    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        raise refuse(f"{name!r} names no agent", "write package.module:name")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        fix = "install it, or start in the directory it lies in"
        raise refuse(f"cannot import {module_name}: {error}", fix) from None
    except (Exception, SystemExit) as error:
        # The module is a user's code: whatever it raises is a mistake to report.
        raise refuse(f"importing {module_name} raised {type(error).__name__}: {error}") from None
    agent = getattr(module, attribute, None)
    if callable(agent) and not isinstance(agent, RealtimeAgent):
        try:
            agent = agent()
        except Exception as error:
            raise refuse(f"{name} raised {type(error).__name__}: {error}") from None
    if not isinstance(agent, RealtimeAgent):
        raise refuse(f"{name} is no RealtimeAgent", "name one, or a function that returns one")
    return agent


def agents_opener(model: RealtimeModel, base_url: str, api_key: str | None) -> ModelOpener:
    """Return what begins the sessions of one agent."""
    assert isinstance(model, AgentsModel)
    agent = _load(model.config.agent)

    async def open_session(
        dialect: Dialect,
        on_message: Callable[[Any], None],
        on_closed: Callable[[int, str], None],
    ) -> ModelConnection:
        from telephony.net.agents_session import open_agents_session

        assert isinstance(dialect, AgentsRealtime)
        url = dialect.url(base_url)
        return await open_agents_session(agent, dialect, url, api_key or "", on_message, on_closed)

    return open_session
