"""A conversation that the provider carries: what is said, run and decided over the sideband."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitsSent
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.conversation import REPROMPT, SPENT, SPENT_LIMIT_S
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.guard import Guard
from telephony.calls.handoff_tool import HANDED_OVER, SWITCHED
from telephony.calls.hosted_bridge import HostedBridge
from telephony.calls.hosted_lacks import watches_bot
from telephony.calls.hosted_succession import HostedSuccession
from telephony.calls.recording_tool import Pausable
from telephony.calls.services import CallServices
from telephony.calls.sideband_link import SidebandLink, SidebandPlace
from telephony.calls.spend import CallSpend
from telephony.calls.succession import said
from telephony.calls.tool_routing import CallPowers, ToolRouting
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.events import (
    ApprovalRequested,
    ModelError,
    ResponseFinished,
    Usage,
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


class HostedConversation:
    """One agent after the other on one hosted call.

    ``agent`` is as hosted calls have it, with its texts as they are for this call. :meth:`connect`
    once the call is accepted, then :meth:`run`. Tools and reconnects run in ``tasks`` and end with
    the call. What the caller hears is known by the server's reports of its playout.
    """

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
        self.agent = agent
        self.closed = False
        self._dialect = dialect
        self._tasks = tasks
        self._services = services
        self._log = log
        self._context = replace(context, instructions=agent.instructions)
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
        self.spend = CallSpend(services.spend, agent.spend_limit_usd)
        self._succession = HostedSuccession(self.bridge, services.clock)
        powers = CallPowers(transfer, lambda: False, self._press_keys, recording)
        self._tools = ToolRouting(self, self.bridge, powers, tasks, services, log, self._context)
        self._guard = Guard(agent.guardrails, self, tasks, services, log, self._context)
        self.agents = [agent.name]
        """Who has talked on this call, in order."""
        self._held = watches_bot(agent)
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    @property
    def spoken_with(self) -> RealtimeModel:
        """The model that talks."""
        return self.agent.source.model

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

    def _ask(self, instructions: str | None = None) -> None:
        self._dialect.create_response(instructions)
        self.bridge.send_control()

    def end(self, ending: Ending) -> None:
        """Be done with the call for this reason, unless there is one already."""
        if not self._ending.done():
            self._ending.set_result(ending)

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

    def transcript_grew(self, role: str, item_id: str, piece: str) -> None:
        self._guard.transcript_delta(role, item_id, piece)

    def transcript(self, role: str, text: str, item_id: str = "") -> None:
        self._guard.transcript_finished(role, item_id, text)
        if self._services.observer is not None:
            self._services.observer.transcript_finished(self._context.call_id, role, text)

    def caller_turn_ended(self) -> None:
        self._tools.caller_turn_ended(by_model=True)

    def digit_received(self) -> None:
        self._log.info("digit.received")

    def caller_silent(self, hang_up: bool) -> None:
        if hang_up:
            self.end(cause.SILENT_CALLER)
        else:
            self._ask(REPROMPT)

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

    def approval_requested(self, event: ApprovalRequested) -> None:
        """The model's provider asks before it calls a tool of its own."""
        allowed = self.agent.provider_approvals.allows(event.server_label, event.name)
        outcome = "given" if allowed else "refused"
        self._log.info(f"approval.{outcome}", server=event.server_label, tool=event.name)
        reason = "" if allowed else "not allowed on this telephone line"
        self._dialect.answer_approval(event.approval_id, allowed, reason)
        self.bridge.send_control()

    @property
    def last_said(self) -> str:
        return self.bridge.spoken_response_id

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        try:
            self._dialect.send_tool_output(call_id, output, respond=respond)
        except LocalProtocolError:
            self._log.warning("tool.output_dropped")
            return False
        self.bridge.send_control()
        return True

    def make_talk(self, instructions: str) -> None:
        self._dialect.create_response(instructions, tool_choice="none")
        self.bridge.send_control()

    # Rules

    def interrupt_bot(self) -> None:
        self.bridge.interrupt_bot("guardrail")
        self._tools.farewell.interrupted()

    def tell(self, text: str) -> None:
        self._dialect.add_system_text(text)
        self.bridge.send_control()

    def correct(self, text: str) -> None:
        self._dialect.add_system_text(text)
        self._ask()

    def send_away(self, destination: str) -> None:
        self._tools.send_away(destination, self.give_up)

    def give_up(self) -> None:
        """Hang up: there is no recorded goodbye where the audio is not ours."""
        self.end(cause.GUARDRAIL)

    # Another agent

    async def hand_off(self, name: str, language: str = "") -> bool:
        """Give the caller to another agent in the next silent gap; False: it can't be had."""
        agent = self._succession.found(self._services, self._context, name, language)
        if agent is None or not await self._succession.move(agent):
            return False
        self._context.variables.adopt(agent.variables)
        self._context = replace(self._context, instructions=agent.instructions)
        self._guard.context = self._context
        self._tools.know(self._context)
        self.agent = agent
        self.bridge.change_agent(agent)
        self._guard.adopt(agent.guardrails)
        self._tools.adopt(agent)
        self.spend.follow(agent.spend_limit_usd)
        if agent.name != self.agents[-1]:
            self.agents.append(agent.name)
        self._log.info("agent.changed", agent=name, language=agent.language)
        self._ask(SWITCHED if language else HANDED_OVER)
        return True

    # Money

    def usage_reported(self, usage: Usage, model_name: str) -> None:
        source = self.agent.source
        before_usd = self.spend.usd
        spent = self.spend.add(usage, source.price_of(model_name))
        self._services.metrics.model_spent(source.model.api, self.spend.usd - before_usd)
        if spent and not self.closed:
            self._log.warning("spend.limit_reached", usd=round(self.spend.usd, 4))
            self._tasks.start(self._end_spent)

    async def _end_spent(self) -> None:
        """Say goodbye: no more money may be spent on this call."""
        self._ask(SPENT)
        await said(self.bridge, SPENT_LIMIT_S)
        self.end(cause.SPEND_LIMIT)
