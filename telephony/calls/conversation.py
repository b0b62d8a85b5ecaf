"""A conversation with a model: greeting, tools, and the way it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.digits_tool import (
    SEND_DIGITS,
    SEND_DIGITS_DEFINITION,
    PressKeys,
    outcome_text,
    wanted_keys,
)
from telephony.calls.farewell import Farewell
from telephony.calls.goodbye import GOODBYE, HANGUP, HANGUP_DEFINITION
from telephony.calls.model_link import ModelLink
from telephony.calls.model_source import ModelSource
from telephony.calls.recording_tool import Pausable, recording_definitions, run_recording_tool
from telephony.calls.services import CallServices, LineShape
from telephony.calls.succession import Succession
from telephony.calls.tool_runner import run_tool
from telephony.calls.transfer_tool import (
    ANNOUNCEMENT,
    CALLING,
    CANCELLED,
    NOT_CANCELLED,
    TRANSFER,
    UNDER_WAY,
    cancels,
    chosen,
    failure_text,
    transfer_definition,
    unknown_destination,
)
from telephony.realtime.dialect import Brief, Dialect
from telephony.realtime.events import ModelError, ResponseFinished, ToolCallRequested
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.history import HistoryItem
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import error_output
from telephony.turns.latency import TurnLatency

TransferCaller = Callable[[Destination], Awaitable[TransferResult]]
"""Transfers the caller of a call; when that succeeds the call ends by itself."""

HANDED_OVER = (
    "You have just taken over this conversation from a colleague; the caller knows. "
    "Say who you are in a few words and go on where it stands."
)
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
        transfer: TransferCaller,
        give_up_transfer: Callable[[], bool],
        press_keys: PressKeys,
        recording: Pausable,
    ) -> None:
        self._transfer = transfer
        self._give_up_transfer = give_up_transfer
        self._press_keys = press_keys
        self._recording = recording
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
            on_lost=lambda: self._end(cause.MODEL_LOST),
            on_gap=self._fill_gap,
        )
        self._succession = Succession(self.link, self.bridge, services, log)
        self._filler = b""
        self._farewell = Farewell(self.bridge)
        self._drained = asyncio.Event()
        self._held = self._parked = False
        self._transferring = False
        self._answer_owed = False
        self._closed = False
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
        )
        return source.new_dialect(brief, self._line, self._services.ids)

    async def connect(self) -> None:
        """Open the first connection; raises ModelUnavailable when it cannot be had."""
        await self.link.open()
        if self.agent.filler is not None:
            audio = await self._services.prompts.fetch(self.agent.filler, self._line)
            self._filler = audio

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
        if echo is not None and not self._closed:
            self._services.metrics.echo_measured(echo.return_loss_db, echo.delay_ms / 1000)
        self._closed = True
        self._farewell.close()
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
        self._context = replace(self._context, caller=caller)

    def _ask(self, instructions: str | None = None) -> None:
        self.dialect.create_response(instructions)
        self.bridge.send_control()

    def _end(self, ending: Ending) -> None:
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

    async def hand_off(self, name: str) -> bool:
        """Give the caller to another agent in the next silent gap; False: it can't be had."""
        agent = self._services.agents.get(name)
        if agent is None or await self._succession.move(agent) == "failed":
            return False
        self._log.info("agent.changed", agent=name)
        self._ask(HANDED_OVER)
        return True

    def _fill_gap(self) -> None:
        """Say something in the place of a model that is gone while the caller waits for it."""
        if self._filler and (self._answer_owed or self.bridge.caller_waits):
            self.bridge.fill(self._filler)

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
        if not event.out_of_band:
            # The caller waits for what would have been said.
            self._answer_owed = event.status == "failed" and not interrupted
        cut_off = interrupted or event.status == "cancelled"
        for call in event.tool_calls:
            if call.name == HANGUP and hangs_up(self.agent):
                self._log.info("hangup.requested")
                self._farewell.requested(
                    call, GOODBYE, lambda _: self._end(cause.BOT_HUNG_UP), interrupted=cut_off
                )
            elif call.name == TRANSFER and transfers(self.agent):
                self._transfer_requested(call, interrupted=cut_off)
            elif call.name == SEND_DIGITS and sends_digits(self.agent):
                self._tasks.start(self._send_digits, call)
            elif call.name in recording_tools(self.agent):
                self._answer(call, run_recording_tool(call.name, self._recording), respond=True)
            else:
                self._tasks.start(self._run_tool, call)
        self._farewell.response_finished(event)

    def playout_drained(self) -> None:
        self._drained.set()
        self._farewell.playout_drained()

    def interrupted(self, reason: str, seconds: float | None) -> None:
        self._drained.set()
        self._farewell.interrupted()
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
        self._answer_owed = False
        if owed and not (self.bridge.turn_follows and self.dialect.traits.responds_by_itself):
            self._ask(None if self.bridge.was_heard else self.agent.greeting)

    async def _run_tool(self, call: ToolCallRequested) -> None:
        started_at = self._services.clock()
        outcome = await run_tool(self.agent.tools, call, self._context)
        seconds = round(self._services.clock() - started_at, 3)
        self._log.info("tool.finished", tool=call.name, outcome=outcome.status, seconds=seconds)
        self.dialect.send_tool_output(call.call_id, outcome.output)
        self.bridge.send_control()

    async def _send_digits(self, call: ToolCallRequested) -> None:
        """Press the keys that the model asked for; what they are may be a secret."""
        try:
            keys = wanted_keys(call.arguments)
            outcome = await self._press_keys(keys)
        except (ValueError, LocalProtocolError) as error:
            self._log.info("digits.refused")
            self._answer(call, error_output(str(error)))
            return
        self._log.info("digits.sent", count=len(outcome.digits), way=outcome.way)
        if outcome.failure:
            self._log.warning("digits.failed", reason=outcome.failure)
        self._answer(call, outcome_text(outcome))

    # Transfers

    def _transfer_requested(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        destinations = self.agent.transfers
        name = chosen(call.arguments, destinations)
        if cancels(call.arguments, destinations):
            self._answer(call, CANCELLED if self._give_up_transfer() else NOT_CANCELLED)
        elif name is None:
            self._answer(call, unknown_destination(destinations))
        elif self._transferring:
            self._answer(call, UNDER_WAY)
        else:
            self._log.info("transfer.requested", destination=name)
            depart = partial(self._depart, call, name)
            self._farewell.requested(call, ANNOUNCEMENT, depart, interrupted=interrupted)

    def _depart(self, call: ToolCallRequested, name: str, answered: bool) -> None:
        """Transfer the caller; ``answered``: the call of the tool has its output already."""
        self._transferring = True
        self._tasks.start(self._run_transfer, call, name, answered)

    async def _run_transfer(self, call: ToolCallRequested, name: str, answered: bool) -> None:
        destination = self.agent.transfers[name]
        if destination.mode == "attended":
            # The caller stays with the bot, which has to know what it waits for.
            if answered:
                self.dialect.add_system_text(CALLING)
                self.bridge.send_control()
            else:
                self._answer(call, CALLING, respond=False)
            answered = True
        result = await self._transfer(destination)
        self._transferring = False
        if result.succeeded or result.outcome == "cancelled" or self._closed:
            return
        text = failure_text(name, result)
        if answered:
            self.dialect.add_system_text(text)
            self._ask()
        else:
            self._answer(call, text)

    def _answer(self, call: ToolCallRequested, text: str, *, respond: bool = True) -> None:
        self.dialect.send_tool_output(call.call_id, text, respond=respond)
        self.bridge.send_control()


def hangs_up(agent: Agent) -> bool:
    """Whether the agent has our ``hangup``; a tool of its own of that name is just a tool."""
    return agent.can_hang_up and HANGUP not in agent.tools


def transfers(agent: Agent) -> bool:
    """Whether the agent has our ``transfer``."""
    return bool(agent.transfers) and TRANSFER not in agent.tools


def sends_digits(agent: Agent) -> bool:
    """Whether the agent has our ``send_digits``."""
    return agent.can_send_digits and SEND_DIGITS not in agent.tools


def recording_tools(agent: Agent) -> frozenset[str]:
    """Return those of our tools for the recording that the agent has."""
    return frozenset(name for name in agent.recording_tools if name not in agent.tools)


def tool_definitions(agent: Agent) -> tuple[FunctionTool, ...]:
    """Return the tools that run here, the built-in ones included."""
    definitions = agent.tools.definitions()
    if hangs_up(agent):
        definitions += (HANGUP_DEFINITION,)
    if transfers(agent):
        definitions += (transfer_definition(agent.transfers),)
    if sends_digits(agent):
        definitions += (SEND_DIGITS_DEFINITION,)
    return definitions + recording_definitions(recording_tools(agent))
