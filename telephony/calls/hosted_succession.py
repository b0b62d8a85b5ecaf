"""One agent after the other on a hosted call, whose session stays the same."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from telephony.base.interfaces import Clock
from telephony.calls.agent import Agent
from telephony.calls.call_values import on_this_call
from telephony.calls.hosted_bridge import HostedBridge
from telephony.calls.hosted_lacks import as_hosted
from telephony.calls.hosted_plan import brief_of
from telephony.calls.services import CallServices
from telephony.calls.succession import PATIENCE_S, QUIET_POLL_S
from telephony.realtime.tool_schema import ToolContext

ANSWER_LIMIT_S = 10.0
"""How long the server may take to say what it makes of new settings, a reconnect included."""


class HostedSuccession:
    """Gives a session the settings, tools and instructions of another agent."""

    def __init__(self, bridge: HostedBridge, clock: Clock) -> None:
        self._bridge = bridge
        self._clock = clock
        self._moving = False
        self._answer: asyncio.Future[bool] | None = None

    @staticmethod
    def found(
        services: CallServices, context: ToolContext, name: str, language: str = ""
    ) -> Agent | None:
        """Return an agent as it is on this call, in one of its languages; None: there is none."""
        agent = services.agents.get(name)
        if agent is None:
            return None
        agent = as_hosted(agent, services.agents)
        if language:
            if language not in agent.languages:
                return None
            agent = agent.in_language(language)
        return on_this_call(agent, context, services.utc_now())

    async def move(self, agent: Agent) -> bool:
        """Change the session in the next silent gap; False when the server refuses that."""
        if self._moving:
            return False
        self._moving = True
        try:
            await self._quiet()
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._answer = answer
            self._bridge.dialect.change_session(agent.source.model, brief_of(agent))
            self._bridge.send_control()
            self._bridge.pull_events()
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_LIMIT_S):
                    return await answer
            return False
        finally:
            self._moving = False
            self._answer = None

    def answered(self, accepted: bool) -> None:
        """The server has taken the new settings, or not."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(accepted)

    async def _quiet(self) -> None:
        deadline = self._clock() + PATIENCE_S
        while not self._bridge.quiet:
            if self._clock() >= deadline:
                return
            await asyncio.sleep(QUIET_POLL_S)
