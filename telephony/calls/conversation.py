"""A conversation with a model: greeting, tools, and the way it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import ModelUnavailable
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.answer_owed import AnswerOwed
from telephony.calls.bridge import Bridge
from telephony.calls.built_in_tools import tool_definitions
from telephony.calls.call_tasks import CallTasks
from telephony.calls.call_values import on_this_call
from telephony.calls.cause import Ending
from telephony.calls.model_link import ModelLink
from telephony.calls.model_source import ModelSource
from telephony.calls.model_talk import ModelTalk
from telephony.calls.services import CallServices, LineShape
from telephony.calls.succession import Succession
from telephony.calls.tool_routing import CallPowers
from telephony.realtime.dialect import Brief, Dialect
from telephony.realtime.events import ModelError, ResponseFinished
from telephony.realtime.history import HistoryItem
from telephony.realtime.tool_schema import ToolContext
from telephony.turns.latency import TurnLatency


class Conversation(ModelTalk):
    """One agent on one call, over as many connections as it takes.

    :meth:`connect` before the call is answered, :meth:`run` once media flows. Reconnects and
    tools run in ``tasks`` and end with the call.
    """

    bridge: Bridge

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
        super().__init__(tasks, services, log, context)
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
        self._drained = asyncio.Event()
        self._held = self._parked = False
        self._begin(agent, powers)

    @property
    def dialect(self) -> Dialect:
        """The session that the bridge talks through."""
        return self.bridge.dialect

    @property
    def agent(self) -> Agent:
        return self.link.agent

    @property
    def source(self) -> ModelSource:
        return self.link.source

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
        self._owed.filler = filler
        self._taken_over(agent, language)
        return True

    def model_failed(self, error: ModelError) -> None:
        self.link.failed(error)

    def timers_changed(self) -> None:
        self.link.timers_changed()

    def caller_turn_ended(self, *, by_model: bool) -> None:
        if not self.link.established:
            self._owed.fill()
        self._tools.caller_turn_ended(by_model=by_model)

    def tool_calls_cancelled(self, call_ids: Collection[str]) -> None:
        self._tools.cancelled(call_ids)

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

    def _restored(self) -> None:
        """Ask for the answer that the lost connection owed, unless the caller goes on anyway."""
        self._tools.model_changed()
        if self._owed.due():
            self._ask_what_was_owed()

    def _ask_what_was_owed(self) -> None:
        self._ask(None if self.bridge.speech.was_heard else self.agent.greeting)

    def interrupt_bot(self) -> None:
        self.bridge.interrupt_bot()
