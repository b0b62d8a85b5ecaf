"""The ``handoffs`` of agents' files: which agents a call may go on with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Protocol

from pydantic import Field

from telephony.app.settings_types import Line, Section
from telephony.base.errors import Problem
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import did_you_mean
from telephony.calls.agent import Agent
from telephony.calls.handoff import Handoff


class HandoffPart(Section):
    agent: Line | None = None
    description: Annotated[str, Field(max_length=1000)] = ""


class AgentOfFile(Protocol):
    """An agent with the file that it was read from."""

    @property
    def name(self) -> str: ...

    @property
    def agent(self) -> Agent | None: ...

    def problem(self, path: YamlPath, message: str, fix: str = "") -> Problem: ...


def read_handoffs(parts: dict[str, HandoffPart | None]) -> dict[str, Handoff]:
    """Return the handoffs by the names that the model knows them by: those of the agents, if
    nothing else is said."""
    given = {name: part or HandoffPart() for name, part in parts.items()}
    return {name: Handoff(part.agent or name, part.description) for name, part in given.items()}


def check_handoffs(agents: Sequence[AgentOfFile]) -> Iterator[Problem]:
    """Yield what is wrong with handoffs once every agent is known."""
    names = {loaded.name for loaded in agents}
    for loaded in agents:
        handoffs = {} if loaded.agent is None else loaded.agent.handoffs
        for name, handoff in handoffs.items():
            path: YamlPath = ("handoffs", name, "agent")
            if handoff.agent not in names:
                message = f"there is no agent {handoff.agent!r}"
                yield loaded.problem(path, message, did_you_mean(handoff.agent, names))
            elif handoff.agent == loaded.name:
                fix = "name another agent; other languages of this one go under languages"
                yield loaded.problem(path, "an agent can't hand over to itself", fix)


def reachable(agents: Sequence[AgentOfFile], first: Collection[str]) -> set[str]:
    """Return ``first`` with the names of all agents that a call may come to from there."""
    handoffs = {
        loaded.name: {h.agent for h in loaded.agent.handoffs.values()}
        for loaded in agents
        if loaded.agent is not None
    }
    found: set[str] = set()
    waiting = list(first)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += handoffs.get(name, ())
    return found
