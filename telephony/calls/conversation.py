"""A conversation with a model: greeting, tools, and the way it ends."""

from __future__ import annotations

import asyncio
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import Media
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.goodbye import HANGUP, HANGUP_DEFINITION, Goodbye
from telephony.calls.model_link import ModelLink
from telephony.calls.services import CallServices
from telephony.calls.tool_runner import run_tool
from telephony.realtime.events import NO_RESPONSE, ModelError, ResponseFinished, ToolCallRequested
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.tool_schema import ToolContext
from telephony.turns.latency import TurnLatency

REPROMPT = "The caller has been silent. Ask briefly whether they are still there."


class Conversation:
    """One agent on one call, over as many connections as it takes.

    :meth:`connect` before the call is answered, :meth:`run` once media flows. Reconnects and
    tools run in ``tasks`` and end with the call.
    """

    def __init__(
        self,
        agent: Agent,
        media: Media,
        tasks: CallTasks,
        services: CallServices,
        log: Any,
        context: ToolContext,
    ) -> None:
        self._agent = agent
        self._tasks = tasks
        self._services = services
        self._log = log
        self._context = context
        self._call_id = context.call_id
        line = AudioFormat(media.encoding, media.sample_rate_hz)
        model_format = agent.model_audio_format(line)
        self.dialect = OpenAIRealtime(
            _session_with_tools(agent), services.ids, model_format, model_format
        )
        self.bridge = Bridge(
            agent, line, media.ptime_ms, self.dialect, self, services.metrics, services.clock
        )
        self.link = ModelLink(
            agent,
            self.dialect,
            self.bridge,
            services,
            tasks,
            log,
            on_restored=self._restored,
            on_lost=lambda: self._end(cause.MODEL_LOST),
        )
        self._goodbye = Goodbye(self.bridge, self.dialect, lambda: self._end(cause.BOT_HUNG_UP))
        self._answer_owed = False
        self._renewal_due = False
        self._closed = False
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    @property
    def reconnects(self) -> int:
        """How many times the model was lost and found again."""
        return self.link.reconnects

    async def connect(self) -> None:
        """Open the first connection; raises ModelUnavailable when it cannot be had."""
        await self.link.open()

    async def run(self) -> Ending:
        """Greet, then talk until one side is done; returns why."""
        if self._agent.greeting:
            self._ask(self._agent.greeting)
        return await self._ending

    async def close(self) -> None:
        self._closed = True
        self._goodbye.close()
        await self.link.close()

    def digit_received(self, digit: str) -> None:
        self.bridge.digit_received(digit)

    def caller_held(self, held: bool) -> None:
        self.bridge.caller_held(held)

    def _ask(self, instructions: str | None = None) -> None:
        self.dialect.create_response(instructions)
        self.bridge.send_control()

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    # What the bridge reports

    def session_ready(self) -> None:
        self.link.session_ready()

    def session_expiring(self) -> None:
        self._renewal_due = True
        self._renew_if_quiet()

    def _renew_if_quiet(self) -> None:
        """Take a new session in a pause; without one the model ends this in its own time."""
        if self._renewal_due and self.bridge.quiet:
            self._renewal_due = False
            self.link.renew()

    def model_failed(self, error: ModelError) -> None:
        self.link.failed(error)

    def timers_changed(self) -> None:
        self.link.timers_changed()

    def transcript(self, role: str, text: str) -> None:
        if self._services.observer is not None:
            self._services.observer.transcript_finished(self._call_id, role, text)

    def turn_measured(self, latency: TurnLatency) -> None:
        self._log.debug("turn.measured", total_s=round(latency.total_s, 3))
        if self._services.observer is not None:
            self._services.observer.turn_measured(self._call_id, latency)

    def response_finished(self, event: ResponseFinished) -> None:
        if self._closed:
            return
        interrupted = event.response_id == self.bridge.interrupted_response_id
        if event.status == "failed":
            self._log.warning("response.failed", reason=event.reason, message=event.message)
            if event.reason in ("connection_lost", NO_RESPONSE) and not interrupted:
                # The caller waits for what would have been said.
                self._answer_owed = True
        for call in event.tool_calls:
            if call.name == HANGUP and self._hangs_up_itself:
                self._log.info("hangup.requested")
                cut_off = interrupted or event.status == "cancelled"
                self._goodbye.requested(call, interrupted=cut_off)
            else:
                self._tasks.start(self._run_tool, call)
        self._goodbye.response_finished(event)

    @property
    def _hangs_up_itself(self) -> bool:
        return self._agent.can_hang_up and HANGUP not in self._agent.tools

    def playout_drained(self) -> None:
        self._goodbye.playout_drained()
        self._renew_if_quiet()

    def interrupted(self, reason: str, seconds: float | None) -> None:
        self._goodbye.interrupted()
        if seconds is None:
            return
        self._log.info("bot.interrupted", reason=reason, seconds=round(seconds, 3))
        if self._services.observer is not None:
            self._services.observer.barged_in(self._call_id, reason, seconds)

    def caller_silent(self, hang_up: bool) -> None:
        if hang_up:
            self._end(cause.SILENT_CALLER)
        else:
            self._ask(REPROMPT)

    def _restored(self) -> None:
        """Ask for the answer that the lost connection owed, unless the caller goes on anyway."""
        owed = self._answer_owed or self.bridge.caller_waits
        self._answer_owed = self._renewal_due = False
        if owed and not (self.bridge.turn_follows and self._agent.session.responds_by_itself):
            self._ask(None if self.bridge.was_heard else self._agent.greeting)

    async def _run_tool(self, call: ToolCallRequested) -> None:
        started_at = self._services.clock()
        outcome = await run_tool(self._agent.tools, call, self._context)
        seconds = round(self._services.clock() - started_at, 3)
        self._log.info("tool.finished", tool=call.name, outcome=outcome.status, seconds=seconds)
        self.dialect.send_tool_output(call.call_id, outcome.output)
        self.bridge.send_control()


def _session_with_tools(agent: Agent) -> SessionConfig:
    """Return the agent's session with the tools that run here, the built-in one included."""
    definitions = agent.tools.definitions()
    if agent.can_hang_up and HANGUP not in agent.tools:
        definitions += (HANGUP_DEFINITION,)
    return agent.session.model_copy(update={"tools": agent.session.tools + definitions})
