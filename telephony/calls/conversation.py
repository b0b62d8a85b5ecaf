"""A conversation with a model: greeting, tools, and the way it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, cast

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.built_in_tools import (
    hands_off,
    hangs_up,
    recording_tools,
    sends_digits,
    switches_language,
    tool_definitions,
    transfers,
)
from telephony.calls.call_tasks import CallTasks
from telephony.calls.call_values import on_this_call
from telephony.calls.cause import Ending
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.digits_tool import SEND_DIGITS, PressKeys, outcome_text, wanted_keys
from telephony.calls.farewell import Farewell
from telephony.calls.goodbye import GOODBYE, HANGUP
from telephony.calls.guard import Guard, InterruptsBot
from telephony.calls.handoff import HandOff, cannot_hand_off
from telephony.calls.handoff_tool import HANDOFF, SWITCH_LANGUAGE
from telephony.calls.handovers import Handovers
from telephony.calls.model_link import ModelLink
from telephony.calls.recording_tool import Pausable, run_recording_tool
from telephony.calls.services import CallServices, LineShape
from telephony.calls.tool_desk import ToolDesk
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
    unknown_destination,
)
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    NO_RESPONSE,
    ApprovalRequested,
    ModelError,
    ResponseFinished,
    ToolCallRequested,
)
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import error_output
from telephony.turns.latency import TurnLatency

TransferCaller = Callable[[Destination], Awaitable[TransferResult]]
"""Transfers the caller of a call; when that succeeds the call ends by itself."""

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
        agent = on_this_call(agent, context, services.utc_now())
        self._agent = agent
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
        brief = Brief(agent.instructions, tool_definitions(agent))
        self.dialect = agent.source.new_dialect(brief, line, services.ids)
        self.bridge = Bridge(
            agent, line, shape.ptime_ms, self.dialect, self, services.metrics, services.clock
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
        self._farewell = Farewell(self.bridge, self.dialect)
        self._desk = ToolDesk(agent, self, tasks, services, log, context)
        self._guard = Guard(agent.guardrails, self, tasks, services, log, context)
        self._handovers = Handovers(self._farewell, self, log)
        self.hand_off: HandOff = cannot_hand_off
        self._drained = asyncio.Event()
        self._held = self._parked = False
        self._transferring = False
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
        self._desk.caller_turn_ended()
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
        self._context = self._desk.context = replace(self._context, caller=caller)

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

    def transcript(self, role: str, text: str, item_id: str = "") -> None:
        self._guard.transcript_finished(role, item_id, text)
        if self._services.observer is not None:
            self._services.observer.transcript_finished(self._call_id, role, text)

    def transcript_grew(self, role: str, item_id: str, piece: str) -> None:
        """A piece of what somebody says has come; what the bot says is ahead of its sound."""
        self._guard.transcript_delta(role, item_id, piece)

    def caller_turn_ended(self) -> None:
        """The caller has said something, and is done."""
        self._desk.caller_turn_ended()

    def tool_calls_cancelled(self, call_ids: Iterable[str]) -> None:
        self._desk.cancelled(call_ids)

    def approval_requested(self, event: ApprovalRequested) -> None:
        """The model's provider asks before it calls a tool of its own."""
        allowed = self._agent.provider_approvals.allows(event.server_label, event.name)
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
        if self._closed:
            return
        interrupted = event.response_id == self.bridge.interrupted_response_id
        if event.status == "failed":
            self._log.warning("response.failed", reason=event.reason, message=event.message)
            if event.reason in ("connection_lost", NO_RESPONSE) and not interrupted:
                # The caller waits for what would have been said.
                self._answer_owed = True
        cut_off = interrupted or event.status == "cancelled"
        self._desk.response_finished(event.response_id, calls_tools=bool(event.tool_calls))
        others: list[ToolCallRequested] = []
        for call in event.tool_calls:
            if call.name == HANGUP and hangs_up(self._agent):
                self._log.info("hangup.requested")
                self._farewell.requested(
                    call, GOODBYE, lambda _: self._end(cause.BOT_HUNG_UP), interrupted=cut_off
                )
            elif call.name == TRANSFER and transfers(self._agent):
                self._transfer_requested(call, interrupted=cut_off)
            elif call.name == SEND_DIGITS and sends_digits(self._agent):
                self._tasks.start(self._send_digits, call)
            elif call.name in recording_tools(self._agent):
                self._answer(call, run_recording_tool(call.name, self._recording), respond=True)
            elif call.name == HANDOFF and hands_off(self._agent):
                self._handovers.requested(call, self._agent, interrupted=cut_off)
            elif call.name == SWITCH_LANGUAGE and switches_language(self._agent):
                self._handovers.language_requested(call, self._agent, interrupted=cut_off)
            else:
                others.append(call)
        self._desk.requested(others)
        self._farewell.response_finished(event)

    def playout_drained(self) -> None:
        self._drained.set()
        self._farewell.playout_drained()
        self._renew_if_quiet()

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
        self._answer_owed = self._renewal_due = False
        if owed and not (self.bridge.turn_follows and self.dialect.traits.responds_by_itself):
            self._ask(None if self.bridge.was_heard else self._agent.greeting)

    # What tools, handoffs and guardrails ask of the call

    @property
    def last_said(self) -> str:
        return self.bridge.spoken_response_id

    def answer_tool(self, call_id: str, output: str, *, respond: bool) -> None:
        self.dialect.send_tool_output(call_id, output, respond=respond)
        self.bridge.send_control()

    def make_talk(self, instructions: str) -> None:
        self.dialect.create_response(instructions, tool_choice="none")
        self.bridge.send_control()

    def interrupt_bot(self, reason: str) -> None:
        cast(InterruptsBot, self.bridge).interrupt_bot(reason)

    def correct(self, text: str) -> None:
        self.dialect.add_system_text(text)
        self._ask()

    def send_away(self, destination: str) -> None:
        self._tasks.start(self._transfer_or_end, destination)

    async def _transfer_or_end(self, name: str) -> None:
        self._transferring = True
        result = await self._transfer(self._agent.transfers[name])
        self._transferring = False
        if not result.succeeded:
            self.give_up()

    def give_up(self) -> None:
        self._end(cause.GUARDRAIL)

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
        destinations = self._agent.transfers
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
        destination = self._agent.transfers[name]
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
            self.correct(text)
        else:
            self._answer(call, text)

    def _answer(self, call: ToolCallRequested, text: str, *, respond: bool = True) -> None:
        self.answer_tool(call.call_id, text, respond=respond)
