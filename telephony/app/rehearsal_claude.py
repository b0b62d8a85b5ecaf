"""Starts the rehearsal's language model for the agents that name it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from telephony.app.cascade_api import open_cascade
from telephony.app.model_reader import REHEARSAL
from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.realtime.cascade.model import CascadeModel
from telephony.rehearsal.anthropic.claude_server import serve_claude
from telephony.rehearsal.scenario import Scenario


def rehearses(source: ModelSource) -> bool:
    """Whether a source is a cascade around the built-in language model."""
    return source.base_url == REHEARSAL and isinstance(source.model, CascadeModel)


async def with_rehearsal_claude(
    agents: Mapping[str, Agent], scenario: Scenario, resources: AsyncExitStack
) -> dict[str, Agent]:
    """Start the server if an agent needs it, and give that agent its address."""
    sources = [source for agent in agents.values() for source in agent.sources]
    if not any(map(rehearses, sources)):
        return dict(agents)
    server = await resources.enter_async_context(serve_claude(scenario=scenario))
    return {name: _with_address(agent, server.base_url) for name, agent in agents.items()}


def _with_address(agent: Agent, base_url: str) -> Agent:
    sources = [
        replace(source, base_url=base_url, opener=open_cascade(source.model, base_url, None))
        if rehearses(source)
        else source
        for source in agent.sources
    ]
    return replace(agent, source=sources[0], fallbacks=tuple(sources[1:]))
