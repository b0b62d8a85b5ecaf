"""A conversation that the provider carries: what is said, run and decided over the sideband."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from telephony.base.interfaces import DigitsSent
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.hosted_bridge import HostedBridge
from telephony.calls.hosted_lacks import watches_bot
from telephony.calls.hosted_succession import HostedSuccession
from telephony.calls.model_source import ModelSource
from telephony.calls.model_talk import ModelTalk
from telephony.calls.recording_tool import Pausable
from telephony.calls.services import CallServices
from telephony.calls.sideband_link import SidebandLink, SidebandPlace
from telephony.calls.tool_routing import CallPowers
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.events import (
    ModelError,
    ResponseFinished,
)
from telephony.realtime.hosted.sideband_dialect import SidebandDialect
from telephony.realtime.tool_schema import ToolContext

SendOn = Callable[[Destination], Awaitable[TransferResult]]
"""Sends the caller of a call on; when that succeeds the call ends by itself."""

PAUSE_S = 0.5
"""What a comma among the keys stands for."""

UNWATCHED = (
    "Your last words were cut off by a disturbance of the line. Say again what the caller did not "
    "hear."
)


class HostedConversation(ModelTalk):
    """One agent after the other on one hosted call.

    ``agent`` is as hosted calls have it, with its texts as they are for this call. :meth:`connect`
    once the call is accepted, then :meth:`run`. Tools and reconnects run in ``tasks`` and end with
    the call. What the caller hears is known by the server's reports of its playout.
    """

    bridge: HostedBridge

    def __init__(
        self,
        agent: Agent,
        dialect: SidebandDialect,
        place: SidebandPlace,
        tasks: CallTasks,
        services: CallServices,
        log: Any,
        context: ToolContext,
        transfer: SendOn,
        recording: Pausable,
    ) -> None:
        super().__init__(tasks, services, log, replace(context, instructions=agent.instructions))
        self._agent = agent
        self._dialect = dialect
        self.bridge = HostedBridge(
            agent, dialect, self, tasks, services.clock, lambda: self.link.flush()
        )
        self.link = SidebandLink(
            dialect,
            agent,
            place,
            services,
            tasks,
            log,
            on_message=self.bridge.pull_events,
            on_restored=self.bridge.restored,
            on_end=self._sideband_ended,
        )
        self._succession = HostedSuccession(self.bridge, services.clock)
        self._held = watches_bot(agent)
        self._begin(agent, CallPowers(transfer, lambda: False, self._press_keys, recording))

    @property
    def agent(self) -> Agent:
        return self._agent

    @property
    def source(self) -> ModelSource:
        return self._agent.source

    @property
    def spoken_with(self) -> RealtimeModel:
        """The model that talks."""
        return self.source.model

    async def connect(self) -> None:
        """Open the sideband; raises ModelUnavailable when it cannot be had."""
        await self.link.open()

    async def run(self) -> Ending:
        """Greet, then take part until the call is over; returns why."""
        if self.agent.greeting:
            self._ask(self.agent.greeting)
        return await self._ending

    async def over(self) -> None:
        """Wait until the server says that the call is over."""
        await asyncio.wait([self._ending])

    async def close(self) -> None:
        self.closed = True
        self._tools.farewell.close()
        self.bridge.close()
        await self.link.close()

    # The sideband

    def _sideband_ended(self, call_is_over: bool) -> None:
        self.end(cause.CALLER_HUNG_UP if call_is_over else cause.MODEL_LOST)

    def session_ready(self) -> None:
        self.link.session_ready()

    def session_changed(self, accepted: bool) -> None:
        if not self._held:
            self._succession.answered(accepted)
            return
        self._held = False
        if not accepted:
            # A model that may not answer is of no use.
            self.link.give_up_connection("the settings were refused", retry=False)

    def session_closed(self, reason: str) -> None:
        self._log.info("session.closed", reason=reason)
        ends = {"expired": cause.MAX_DURATION, "content": cause.MODEL_LOST}
        self.end(ends.get(reason, cause.CALLER_HUNG_UP))

    def model_failed(self, error: ModelError) -> None:
        log = self._log.warning if error.fatal else self._log.info
        log("model.complained", code=error.code, message=error.message, fatal=error.fatal)
        if error.fatal:
            text = f"{error.code}: {error.message}"
            self.link.give_up_connection(text, retry=error.retryable)

    # What is said

    def caller_turn_ended(self) -> None:
        self._tools.caller_turn_ended(by_model=True)

    def digit_received(self) -> None:
        self._log.info("digit.received")

    def playout_drained(self) -> None:
        self._tools.farewell.playout_drained()

    def interrupted(self, reason: str) -> None:
        self._log.info("bot.interrupted", reason=reason)
        self._tools.farewell.interrupted()
        if reason == "unwatched":
            self.correct(UNWATCHED)

    def response_finished(self, event: ResponseFinished) -> None:
        if self.closed:
            return
        if event.status == "failed":
            self._log.warning("response.failed", reason=event.reason, message=event.message)
        cut_off = event.status == "cancelled" or (
            event.response_id == self.bridge.interrupted_response_id
        )
        self._tools.response_finished(event, interrupted=cut_off)

    # Tools

    async def _press_keys(self, keys: str) -> DigitsSent:
        """Press the keys that the model asked for, on the caller's line at the provider."""
        for key in keys:
            if key == ",":
                await asyncio.sleep(PAUSE_S)
            else:
                self._dialect.send_digit(key)
                self.bridge.send_control()
        return DigitsSent(keys, "hosted")

    # Rules

    def interrupt_bot(self) -> None:
        self.bridge.interrupt_bot("guardrail")
        self._tools.farewell.interrupted()

    # Another agent

    async def hand_off(self, name: str, language: str = "") -> bool:
        """Give the caller to another agent in the next silent gap; False: it can't be had."""
        agent = self._succession.found(self._services, self._context, name, language)
        if agent is None or not await self._succession.move(agent):
            return False
        self._agent = agent
        self.bridge.change_agent(agent)
        self._taken_over(agent, language)
        return True
