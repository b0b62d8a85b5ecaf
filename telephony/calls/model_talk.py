"""What a conversation with a model does alike whoever has the audio, we or the provider."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Protocol

from telephony.base.errors import LocalProtocolError
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.farewell import Heard, Told
from telephony.calls.guard import Guard
from telephony.calls.handoff_tool import HANDED_OVER, SWITCHED
from telephony.calls.model_source import ModelSource
from telephony.calls.services import CallServices
from telephony.calls.spend import CallSpend
from telephony.calls.succession import said
from telephony.calls.tool_routing import CallPowers, ToolRouting
from telephony.realtime.events import ApprovalRequested, Usage
from telephony.realtime.tool_schema import ToolContext

SPENT = "The call has to end now. Say goodbye in one short sentence."
SPENT_LIMIT_S = 15.0
REPROMPT = "The caller has been silent. Ask briefly whether they are still there."


class AskedDialect(Told, Protocol):
    """The part of a dialect that tools, rules and approvals need."""

    def create_response(
        self, instructions: str | None = None, *, tool_choice: str | None = None
    ) -> None: ...

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None: ...


class AskedBridge(Heard, Protocol):
    """The way to the model, and what the caller hears of it."""

    @property
    def dialect(self) -> AskedDialect: ...


class ModelTalk(ABC):
    """Tools, rules, approvals and money of one call, one agent after the other.

    A subclass has a ``bridge`` and an ``agent`` and then calls :meth:`_begin`.
    """

    bridge: AskedBridge
    spend: CallSpend
    agents: list[str]
    """Who has talked on this call, in order."""
    _tools: ToolRouting
    _guard: Guard

    def __init__(
        self, tasks: CallTasks, services: CallServices, log: Any, context: ToolContext
    ) -> None:
        self.closed = False
        self._tasks = tasks
        self._services = services
        self._log = log
        self._context = context
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def _begin(self, agent: Agent, powers: CallPowers) -> None:
        tasks, services, log, context = self._tasks, self._services, self._log, self._context
        self.agents = [agent.name]
        self.spend = CallSpend(services.spend, agent.spend_limit_usd)
        self._tools = ToolRouting(self, self.bridge, powers, tasks, services, log, context)
        self._guard = Guard(agent.guardrails, self, tasks, services, log, context)

    @property
    @abstractmethod
    def agent(self) -> Agent:
        """The agent that talks now."""

    @property
    @abstractmethod
    def source(self) -> ModelSource:
        """Where the model comes from that talks now."""

    def end(self, ending: Ending) -> None:
        """Be done with the call for this reason, unless there is one already."""
        if not self._ending.done():
            self._ending.set_result(ending)

    def _ask(self, instructions: str | None = None) -> None:
        self.bridge.dialect.create_response(instructions)
        self.bridge.send_control()

    # What is said

    def transcript_grew(self, role: str, item_id: str, piece: str) -> None:
        self._guard.transcript_delta(role, item_id, piece)

    def transcript(self, role: str, text: str, item_id: str = "") -> None:
        self._guard.transcript_finished(role, item_id, text)
        if self._services.observer is not None:
            self._services.observer.transcript_finished(self._context.call_id, role, text)

    def caller_silent(self, hang_up: bool) -> None:
        if hang_up:
            self.end(cause.SILENT_CALLER)
        else:
            self._ask(REPROMPT)

    # Tools

    def approval_requested(self, event: ApprovalRequested) -> None:
        """The model's provider asks before it calls a tool of its own."""
        allowed = self.agent.provider_approvals.allows(event.server_label, event.name)
        outcome = "given" if allowed else "refused"
        self._log.info(f"approval.{outcome}", server=event.server_label, tool=event.name)
        reason = "" if allowed else "not allowed on this telephone line"
        self.bridge.dialect.answer_approval(event.approval_id, allowed, reason)
        self.bridge.send_control()

    @property
    def last_said(self) -> str:
        return self.bridge.spoken_response_id

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        try:
            self.bridge.dialect.send_tool_output(call_id, output, respond=respond)
        except LocalProtocolError:
            # The model took the call back, or the session there is now has never heard of it.
            self._log.warning("tool.output_dropped")
            return False
        self.bridge.send_control()
        return True

    def make_talk(self, instructions: str) -> None:
        self.bridge.dialect.create_response(instructions, tool_choice="none")
        self.bridge.send_control()

    def tell(self, text: str) -> None:
        self.bridge.dialect.add_system_text(text)
        self.bridge.send_control()

    def correct(self, text: str) -> None:
        self.bridge.dialect.add_system_text(text)
        self._ask()

    # Rules

    @abstractmethod
    def interrupt_bot(self) -> None:
        """Cut the bot off, whatever it says."""

    def send_away(self, destination: str) -> None:
        self._tools.send_away(destination, self.give_up)

    def give_up(self) -> None:
        self.end(cause.GUARDRAIL)

    # Another agent

    @abstractmethod
    async def hand_off(self, name: str, language: str = "") -> bool:
        """Give the caller to another agent in the next silent gap; False: it can't be had.

        ``language`` is one of that agent's languages; without one it begins with its first.
        """

    def _know(self, context: ToolContext) -> None:
        self._context = self._guard.context = context
        self._tools.know(context)

    def _taken_over(self, agent: Agent, language: str) -> None:
        """Another agent talks now, or the same in another language: let them say so."""
        self._context.variables.adopt(agent.variables)
        self._know(replace(self._context, instructions=agent.instructions))
        self._guard.adopt(agent.guardrails)
        self._tools.adopt(agent)
        self.spend.follow(agent.spend_limit_usd)
        if agent.name != self.agents[-1]:
            self.agents.append(agent.name)
        self._log.info("agent.changed", agent=agent.name, language=agent.language)
        self._ask(SWITCHED if language else HANDED_OVER)

    # Money

    def usage_reported(self, usage: Usage, model_name: str) -> None:
        source = self.source
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
