"""The built-in models: which server stands in for which API when an agent is to rehearse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol

from telephony.app.model_apis import (
    AZURE_OPENAI_LIVE,
    CASCADE,
    GEMINI_LIVE,
    GEMINI_VERTEX,
    OPENAI_LIVE,
    REHEARSAL,
)
from telephony.app.server import with_base_url
from telephony.calls.agent import Agent
from telephony.realtime.openai_variants import OPENAI_SERVERS
from telephony.rehearsal.anthropic.claude_server import serve_claude
from telephony.rehearsal.gemini.server import serve as serve_gemini
from telephony.rehearsal.live.server import serve_live
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.scenario import Scenario

HOST = "127.0.0.1"


class RehearsalServer(Protocol):
    """A server of ours that stands in for a provider's."""

    @property
    def base_url(self) -> str:
        """What an agent that rehearses gets as its ``base_url``."""


StartRehearsal = Callable[[int, Scenario], AbstractAsyncContextManager[RehearsalServer]]
"""Makes a server that listens on a port of this machine (0: any) and plays a scenario."""


def _openai_realtime(port: int, scenario: Scenario) -> AbstractAsyncContextManager[RehearsalServer]:
    return serve(HOST, port, scenario)


def _openai_live(port: int, scenario: Scenario) -> AbstractAsyncContextManager[RehearsalServer]:
    return serve_live(HOST, port, scenario)


def _gemini_live(port: int, scenario: Scenario) -> AbstractAsyncContextManager[RehearsalServer]:
    return serve_gemini(HOST, port, scenario)


def _cascade(port: int, scenario: Scenario) -> AbstractAsyncContextManager[RehearsalServer]:
    return serve_claude(HOST, port, scenario)


REHEARSALS: dict[str, StartRehearsal] = {
    **dict.fromkeys(OPENAI_SERVERS, _openai_realtime),
    "openai_agents": _openai_realtime,
    OPENAI_LIVE: _openai_live,
    AZURE_OPENAI_LIVE: _openai_live,
    GEMINI_LIVE: _gemini_live,
    GEMINI_VERTEX: _gemini_live,
    CASCADE: _cascade,
}
"""By API, in the order in which they are started; APIs with the same entry share one server."""


async def start_rehearsals(
    agents: Mapping[str, Agent], scenario: Scenario, port: int, resources: AsyncExitStack
) -> tuple[dict[str, Agent], dict[str, RehearsalServer]]:
    """Start the servers that agents need; return the agents with their addresses, and the servers.

    The servers are named by API. ``port`` is that of the first; more of them take any free one.
    Raises OSError when it is taken.
    """
    wanted = {
        source.model.api
        for agent in agents.values()
        for source in agent.sources
        if source.base_url == REHEARSAL
    }
    started: dict[StartRehearsal, RehearsalServer] = {}
    servers: dict[str, RehearsalServer] = {}
    for api, start in REHEARSALS.items():
        if api not in wanted:
            continue
        if start not in started:
            begun = start(0 if started else port, scenario)
            started[start] = await resources.enter_async_context(begun)
        servers[api] = started[start]
    addressed = {
        name: with_base_url(agent, REHEARSAL, lambda api: _address(servers[api], api))
        for name, agent in agents.items()
    }
    return addressed, servers


def _address(server: RehearsalServer, api: str) -> str:
    """Return where clients of an API find a server; one of ours has many faces."""
    return server.base_url_of(api) if isinstance(server, ModelServer) else server.base_url
