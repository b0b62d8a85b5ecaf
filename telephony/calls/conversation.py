"""A conversation with a model: greeting, tools, and the way it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import ModelUnavailable
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.answer_owed import AnswerOwed
from telephony.calls.bridge import Bridge
from telephony.calls.built_in_tools import tool_definitions
from telephony.calls.call_tasks import CallTasks
from telephony.calls.call_values import on_this_call
from telephony.calls.cause import Ending
from telephony.calls.guard import Guard
from telephony.calls.handoff_tool import HANDED_OVER, SWITCHED
from telephony.calls.model_link import ModelLink
from telephony.calls.model_source import ModelSource
from telephony.calls.services import CallServices, LineShape
from telephony.calls.spend import CallSpend
from telephony.calls.succession import Succession, said
from telephony.calls.tool_routing import CallPowers, ToolRouting
from telephony.realtime.dialect import Brief, Dialect
from telephony.realtime.events import ApprovalRequested, ModelError, ResponseFinished, Usage
from telephony.realtime.history import HistoryItem
from telephony.realtime.tool_schema import ToolContext
from telephony.turns.latency import TurnLatency

SPENT = "The call has to end now. Say goodbye in one short sentence."
SPENT_LIMIT_S = 15.0
REPROMPT = "The caller has been silent. Ask briefly whether they are still there."


class Conversation:
    """One agent on one call, over as many connections as it takes.

    :meth:`connect` before the call is answered, :meth:`run` once media flows. Reconnects and
    tools run in ``tasks`` and end with the call.
    """

    def __init__(
        self,
        agent: Agent,
        shape: LineShape,
        tasks: CallTasks,
        services: CallServices,
        log: Any,
        context: ToolContext,
        powers: CallPowers,
    ) -> None:
        agent = on_this_call(agent, context, services.utc_now())
        context = replace(context, instructions=agent.instructions)
        self._tasks = tasks
        self._services = services
        self._log = log
        self._context = context
        self._call_id = context.call_id
        line = AudioFormat(shape.encoding, shape.sample_rate_hz)
        self._line = line
        dialect = self._new_dialect(agent, agent.source)
        self.bridge = Bridge(
            agent, line, shape.ptime_ms, dialect, self, services.metrics, services.clock
        )
        self.link = ModelLink(
            agent,
            self.bridge,
            services,
            tasks,
            log,
            self._new_dialect,
            on_restored=self._restored,
            on_lost=lambda: self.end(cause.MODEL_LOST),
            on_gap=lambda: self._owed.fill(),
        )
        self._succession = Succession(self.link, self.bridge, services, log)
        self._owed = AnswerOwed(self.bridge, services.prompts, line, log)
        self.spend = CallSpend(services.spend, agent.spend_limit_usd)
        self._tools = ToolRouting(self, self.bridge, powers, tasks, services, log, context)
        self._guard = Guard(agent.guardrails, self, tasks, services, log, context)
        self.agents = [agent.name]
        """Who has talked on this call, in order."""
        self._drained = asyncio.Event()
        self._held = self._parked = False
        self.closed = False
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    @property
    def dialect(self) -> Dialect:
        """The session that the bridge talks through."""
        return self.bridge.dialect

    @property
    def agent(self) -> Agent:
        """The agent that talks now."""
        return self.link.agent

    def _new_dialect(
        self, agent: Agent, source: ModelSource, history: Iterable[HistoryItem] = ()
    ) -> Dialect:
        brief = Brief(
            agent.instructions,
            tool_definitions(agent),
            tuple(history),
            self._context,
            lambda: self.bridge.playing(),
            lambda: self.bridge.echo.hears_caller or self.bridge.uplink.catching_up,
        )
        return source.new_dialect(brief, self._line, self._services.ids)

    async def connect(self) -> None:
        """Open the first connection; raises ModelUnavailable when it cannot be had."""
        if self._services.spend.exhausted:
            raise ModelUnavailable("the day's spend limit is reached", fatal=True)
        await self.link.open()
        self._owed.filler = await self._owed.load(self.agent.filler)

    async def run(self) -> Ending:
        """Greet, then talk until one side is done; returns why."""
        if self.agent.greeting:
            self._ask(self.agent.greeting)
        return await self._ending

    async def lost(self) -> Ending:
        """Wait until it is over, which may be before it ever began."""
        return await asyncio.shield(self._ending)

    async def fall_silent(self, limit_s: float) -> None:
        """Wait until the caller heard what is being said, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self.bridge.caller_hears:
                    self._drained.clear()
                    await self._drained.wait()

    async def close(self) -> None:
        echo = self.bridge.echo.estimate
        if echo is not None and not self.closed:
            self._services.metrics.echo_measured(echo.return_loss_db, echo.delay_ms / 1000)
        self.closed = True
        self._tools.farewell.close()
        await self.link.close()

    def digit_received(self, digit: str, held: bool = False) -> None:
        self.bridge.digit_received(digit, held=held)

    def digit_finished(self) -> None:
        self.bridge.digit_finished()

    def caller_held(self, held: bool) -> None:
        """The caller put us on hold, or came back."""
        self._set_away(held, self._parked)

    def park(self, parked: bool) -> None:
        """The caller waits for somebody else, or no longer: their silence means nothing."""
        self._set_away(self._held, parked)

    def _set_away(self, held: bool, parked: bool) -> None:
        before = self._held or self._parked
        self._held, self._parked = held, parked
        if before != (held or parked):
            self.bridge.caller_held(not before)

    def caller_changed(self, caller: str) -> None:
        """Somebody else has taken the caller's place."""
        self._know(replace(self._context, caller=caller))

    def _know(self, context: ToolContext) -> None:
        self._context = self._guard.context = context
        self._tools.know(context)

    def _ask(self, instructions: str | None = None) -> None:
        self.dialect.create_response(instructions)
        self.bridge.send_control()

    def end(self, ending: Ending) -> None:
        """Be done with the call for this reason, unless there is one already."""
        if not self._ending.done():
            self._ending.set_result(ending)

    # What the bridge reports

    def session_ready(self) -> None:
        self.link.session_ready()

    def session_expiring(self, left_s: float | None) -> None:
        self._tasks.start(self._renew, left_s)

    async def _renew(self, left_s: float | None) -> None:
        """Go on in a new session; without one the model ends this in its own time."""
        if await self._succession.renew(self.agent, left_s) == "cut_in":
            self._restored()

    async def hand_off(self, name: str, language: str = "") -> bool:
        """Give the caller to another agent in the next silent gap; False: it can't be had.

        ``language`` is one of that agent's languages; without one it begins with its first.
        """
        agent = self._services.agents.get(name)
        if agent is None or (language and language not in agent.languages):
            return False
        agent = agent.in_language(language) if language else agent
        agent = on_this_call(agent, self._context, self._services.utc_now())
        filler = await self._owed.load(agent.filler)
        if await self._succession.move(agent) == "failed":
            return False
        self._context.variables.adopt(agent.variables)
        self._know(replace(self._context, instructions=agent.instructions))
        self._guard.adopt(agent.guardrails)
        self._tools.adopt(agent)
        self.spend.follow(agent.spend_limit_usd)
        self._owed.filler = filler
        if agent.name != self.agents[-1]:
            self.agents.append(agent.name)
        self._log.info("agent.changed", agent=name, language=agent.language)
        self._ask(SWITCHED if language else HANDED_OVER)
        return True

    def model_failed(self, error: ModelError) -> None:
        self.link.failed(error)

    def timers_changed(self) -> None:
        self.link.timers_changed()

    def transcript(self, role: str, text: str, item_id: str = "") -> None:
        self._guard.transcript_finished(role, item_id, text)
        if self._services.observer is not None:
            self._services.observer.transcript_finished(self._call_id, role, text)

    def transcript_grew(self, role: str, item_id: str, piece: str) -> None:
        self._guard.transcript_delta(role, item_id, piece)

    def caller_turn_ended(self, *, by_model: bool) -> None:
        if not self.link.established:
            self._owed.fill()
        self._tools.caller_turn_ended(by_model=by_model)

    def tool_calls_cancelled(self, call_ids: Collection[str]) -> None:
        self._tools.cancelled(call_ids)

    def approval_requested(self, event: ApprovalRequested) -> None:
        """The model's provider asks before it calls a tool of its own."""
        allowed = self.agent.provider_approvals.allows(event.server_label, event.name)
        outcome = "given" if allowed else "refused"
        self._log.info(f"approval.{outcome}", server=event.server_label, tool=event.name)
        reason = "" if allowed else "not allowed on this telephone line"
        self.dialect.answer_approval(event.approval_id, allowed, reason)
        self.bridge.send_control()

    def turn_measured(self, latency: TurnLatency) -> None:
        self._log.debug("turn.measured", total_s=round(latency.total_s, 3))
        if self._services.observer is not None:
            self._services.observer.turn_measured(self._call_id, latency)

    def response_finished(self, event: ResponseFinished) -> None:
        if self.closed:
            return
        interrupted = event.response_id == self.bridge.interrupted_response_id
        if event.status == "failed":
            self._log.warning("response.failed", reason=event.reason, message=event.message)
        self._owed.response_finished(event, interrupted=interrupted)
        cut_off = interrupted or event.status == "cancelled"
        self._tools.response_finished(event, interrupted=cut_off)
        if event.status == "failed" and not event.tool_calls:
            self._tasks.start(self._try_again)

    async def _try_again(self) -> None:
        """Ask once more for an answer that failed, unless it was its session that did."""
        if self.link.established and self._owed.due_again():
            self._ask_what_was_owed()

    def usage_reported(self, usage: Usage, model_name: str) -> None:
        source = self.link.source
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

    def playout_drained(self) -> None:
        self._drained.set()
        self._tools.farewell.playout_drained()

    def interrupted(self, reason: str, seconds: float | None) -> None:
        self._drained.set()
        self._tools.farewell.interrupted()
        if seconds is None:
            return
        self._log.info("bot.interrupted", reason=reason, seconds=round(seconds, 3))
        if self._services.observer is not None:
            self._services.observer.barged_in(self._call_id, reason, seconds)

    def caller_silent(self, hang_up: bool) -> None:
        if hang_up:
            self.end(cause.SILENT_CALLER)
        else:
            self._ask(REPROMPT)

    def _restored(self) -> None:
        """Ask for the answer that the lost connection owed, unless the caller goes on anyway."""
        self._tools.model_changed()
        if self._owed.due():
            self._ask_what_was_owed()

    def _ask_what_was_owed(self) -> None:
        self._ask(None if self.bridge.speech.was_heard else self.agent.greeting)

    # What tools, handoffs and guardrails ask of the call

    @property
    def last_said(self) -> str:
        return self.bridge.spoken_response_id

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        try:
            self.dialect.send_tool_output(call_id, output, respond=respond)
        except LocalProtocolError:
            # The model took the call back, or the session there is now has never heard of it.
            self._log.warning("tool.output_dropped")
            return False
        self.bridge.send_control()
        return True

    def make_talk(self, instructions: str) -> None:
        self.dialect.create_response(instructions, tool_choice="none")
        self.bridge.send_control()

    def tell(self, text: str) -> None:
        self.dialect.add_system_text(text)
        self.bridge.send_control()

    def correct(self, text: str) -> None:
        self.dialect.add_system_text(text)
        self._ask()

    def interrupt_bot(self) -> None:
        self.bridge.interrupt_bot()

    def send_away(self, destination: str) -> None:
        self._tools.send_away(destination, self.give_up)

    def give_up(self) -> None:
        self.end(cause.GUARDRAIL)
