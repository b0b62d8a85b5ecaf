"""One session after another in the same call: opened first, then taken in a silent gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.farewell import Heard
from telephony.calls.model_link import ModelLink
from telephony.calls.services import ConversationServices

QUIET_POLL_S = 0.1
PATIENCE_S = 120.0
"""How long a session that stands ready waits for a silent gap, where no end is known."""
LAST_MOMENT_S = 2.0
"""So long before its session ends a conversation is moved in the middle of whatever happens."""
TAKE_OVER_S = 15.0
"""How long another agent's session is tried for: the caller was told to expect them."""
_RETRY_S = 5.0

Outcome = Literal["switched", "cut_in", "failed"]
"""``cut_in``: moved, but not in a silent gap: an answer may have been lost."""


class Succession:
    """Moves a conversation to a session that stands ready, without a word lost."""

    def __init__(
        self, link: ModelLink, bridge: Bridge, services: ConversationServices, log: Any
    ) -> None:
        self._link = link
        self._bridge = bridge
        self._services = services
        self._log = log
        self._renewing = self._moving = False

    async def renew(self, agent: Agent, left_s: float | None) -> Outcome:
        """Take a new session before the present one ends, in ``left_s`` if that is known."""
        if self._renewing or self._moving:
            return "failed"
        self._renewing = True
        try:
            if not self._bridge.dialect.traits.resumes:
                deadline = self._deadline(left_s)
                return await self._move(agent, deadline, deadline)
            await self._quiet(self._deadline(left_s))
            self._link.reconnect()
        finally:
            self._renewing = False
        return "switched"

    async def move(self, agent: Agent) -> Outcome:
        """Go on with a session of another agent; one that is taken anyway comes before it."""
        if self._moving:
            return "failed"
        self._moving = True
        try:
            deadline = self._deadline(None)
            while True:
                if not await self._settled(deadline):
                    return "failed"
                session, until = self._bridge.dialect, self._services.clock() + TAKE_OVER_S
                outcome = await self._move(agent, deadline, min(deadline, until))
                own = self._bridge.dialect is session or self._link.agent is agent
                if outcome != "failed" or own or self._services.clock() >= deadline:
                    return outcome
                # It was the present session that failed, and not the other agent's.
        finally:
            self._moving = False

    def _deadline(self, left_s: float | None) -> float:
        limit_s = PATIENCE_S if left_s is None else max(0.0, left_s - LAST_MOMENT_S)
        return self._services.clock() + limit_s

    async def _settled(self, deadline: float) -> bool:
        """Wait until there is a session to leave; False when that took too long."""
        while self._renewing or not self._link.established:
            if self._services.clock() >= deadline:
                return False
            await asyncio.sleep(QUIET_POLL_S)
        return True

    async def _move(self, agent: Agent, deadline: float, try_until: float) -> Outcome:
        """Open a session for as long as ``try_until``, and take it in a gap before ``deadline``."""
        before, session = self._link.agent, self._bridge.dialect
        while True:
            if await self._link.prepare(agent):
                quiet = await self._quiet(deadline, lambda: self._link.prepared)
                if self._link.switch():
                    break
                if self._bridge.dialect is not session:
                    # The present session was lost, and what was prepared took its place at once.
                    return "failed" if self._link.agent is before else "cut_in"
            if not self._link.established or self._services.clock() + _RETRY_S >= try_until:
                return "failed"
            await asyncio.sleep(_RETRY_S)
        self._link.stats.rollovers += 1
        self._services.metrics.model_reconnected("rolled_over")
        self._log.info("model.rolled_over", api=self._link.source.model.api, quiet=quiet)
        return "switched" if quiet else "cut_in"

    async def _quiet(self, deadline: float, matters: Callable[[], bool] = lambda: True) -> bool:
        """Wait until nobody speaks and no answer is under way; False when that took too long.

        Ends when it no longer ``matters``, too.
        """
        while matters() and not self._bridge.quiet:
            if self._services.clock() >= deadline:
                return False
            await asyncio.sleep(QUIET_POLL_S)
        return True


async def said(bridge: Heard, limit_s: float) -> None:
    """Wait until an answer that was just asked for has been heard, but no longer than this."""
    began = False
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while not began or bridge.caller_hears or bridge.dialect.active_response_id:
                began = began or bridge.caller_hears
                await asyncio.sleep(QUIET_POLL_S)
