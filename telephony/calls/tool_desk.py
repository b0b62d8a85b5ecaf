"""Runs the tools that the model of one call asks for, within their bounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.services import ConversationServices
from telephony.calls.tool_runner import run_tool
from telephony.realtime.approvals import CONFIRM_ACTION, Agreed, Approvals
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.tool_limits import (
    STOP_AND_TALK,
    ToolBreaker,
    ToolLimits,
    limit_text,
)
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry, error_output


class ModelSide(Protocol):
    """The session with the model, whichever it is at the time."""

    @property
    def agent(self) -> Agent:
        """The agent that talks now."""

    @property
    def last_said(self) -> str:
        """An id of what the bot said last; another one once it has said something else."""

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        """Give a call of a tool its output; False when nobody waits for it any more."""

    def make_talk(self, instructions: str) -> None:
        """Ask the model to say something, and to call no tool."""


class ToolDesk:
    """Every call of a tool gets one output, when it has one: talking goes on meanwhile.

    A tool outlives the response that called it, the caller's next words and the connection that
    it was asked for on; only the end of the phone call ends it.
    """

    def __init__(
        self,
        side: ModelSide,
        tasks: CallTasks,
        services: ConversationServices,
        log: Any,
        context: ToolContext,
        limits: ToolLimits,
    ) -> None:
        self.context = context
        self._side = side
        self._tasks = tasks
        self._services = services
        self._log = log
        self._breaker = ToolBreaker(limits)
        self._approvals = Approvals(services.ids)
        self._open: set[str] = set()
        self._refused = False
        self._model_tells = False

    def adopt(self, limits: ToolLimits) -> None:
        """Keep to other bounds from now on; what was counted stays counted."""
        self._breaker.follow(limits)

    def model_changed(self) -> None:
        """Another model may not tell of the caller's turns as the one before did."""
        self._model_tells = False

    # What happens in the conversation

    def caller_turn_ended(self, *, by_model: bool = True) -> None:
        """The caller has said or pressed something.

        What only our detector heard counts as long as the model does not tell of turns itself.
        """
        self._model_tells |= by_model
        if self._model_tells and not by_model:
            return
        self._breaker.caller_spoke()
        self._approvals.caller_answered(self._side.last_said)

    def response_finished(self, response_id: str, *, calls_tools: bool) -> None:
        spoken = response_id == self._side.last_said
        if calls_tools:
            self._breaker.round_ended(spoken=spoken)
        elif spoken:
            self._breaker.bot_spoke()

    def admits(self, call: ToolCallRequested, *, essential: bool = False) -> bool:
        """Tell whether a call is within its bounds; one that is not has its answer then.

        After the calls of a response comes :meth:`all_requested`.
        """
        limit = self._breaker.admit(call.name, call.arguments, essential=essential)
        if limit is None:
            return True
        self._log.warning("tool.refused", tool=call.name, limit=limit)
        self._services.metrics.tool_limit_reached(limit)
        self._refused = True
        self._open.add(call.call_id)
        self._answer(call.call_id, error_output(limit_text(limit)), respond=False)
        return False

    def requested(self, call: ToolCallRequested) -> None:
        """Run a tool of the agent's own, or see to it that the caller is asked first."""
        self._open.add(call.call_id)
        if call.name == CONFIRM_ACTION and CONFIRM_ACTION not in self._side.agent.tools:
            self._confirm(call)
        elif self._needs_agreement(call.name):
            self._log.info("approval.asked", tool=call.name)
            now, said = self._services.clock(), self._side.last_said
            self._answer(call.call_id, self._approvals.ask(call.name, call.arguments, said, now))
        else:
            self._tasks.start(self._run, self._side.agent.tools, call)

    def all_requested(self) -> None:
        """The calls of a response are over: a model that was refused one is made to talk."""
        if self._refused:
            self._refused = False
            # Left to itself it would call the next one.
            self._side.make_talk(STOP_AND_TALK)

    def cancelled(self, call_ids: Iterable[str]) -> None:
        """The model no longer wants these outputs; what runs is not stopped half-way."""
        self._open.difference_update(call_ids)

    # Running

    def _needs_agreement(self, name: str) -> bool:
        tool = self._side.agent.tools.get(name)
        return tool is not None and tool.approval == "caller"

    def _confirm(self, call: ToolCallRequested) -> None:
        verdict = self._approvals.confirm(call.arguments, self._services.clock())
        if isinstance(verdict, Agreed):
            self._log.info("approval.given", tool=verdict.name)
            agreed = replace(call, name=verdict.name, arguments=verdict.arguments)
            self._tasks.start(self._run, self._side.agent.tools, agreed)
        else:
            self._log.info("approval.refused")
            self._answer(call.call_id, verdict)

    async def _run(self, tools: ToolRegistry, call: ToolCallRequested) -> None:
        started_at = self._services.clock()
        outcome = await run_tool(tools, call, self.context)
        seconds = round(self._services.clock() - started_at, 3)
        self._log.info("tool.finished", tool=call.name, outcome=outcome.status, seconds=seconds)
        self._answer(call.call_id, outcome.output)

    def _answer(self, call_id: str, output: str, *, respond: bool = True) -> None:
        if call_id not in self._open:
            return
        self._open.discard(call_id)
        self._side.answer_tool(call_id, output, respond=respond)
