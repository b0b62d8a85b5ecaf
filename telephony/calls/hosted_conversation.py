"""A conversation that the provider carries: tools, keys, greeting and goodbye over the sideband."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.conversation import REPROMPT
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.digits_tool import SEND_DIGITS, wanted_keys
from telephony.calls.farewell import Farewell
from telephony.calls.goodbye import GOODBYE, HANGUP
from telephony.calls.hosted_plan import hangs_up, presses_keys, transfers_of
from telephony.calls.hosted_playout import HostedPlayout
from telephony.calls.keypad import Keypad
from telephony.calls.services import CallServices
from telephony.calls.sideband_link import SidebandLink, SidebandPlace
from telephony.calls.tool_runner import run_tool
from telephony.calls.transfer_tool import (
    ANNOUNCEMENT,
    TRANSFER,
    UNDER_WAY,
    chosen,
    failure_text,
    unknown_destination,
)
from telephony.realtime import events as model
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.events import ResponseFinished, ToolCallRequested
from telephony.realtime.hosted.sideband_dialect import SidebandDialect
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import encode_output, error_output
from telephony.turns.silence import HangUpSilentCaller, SilenceWatch

SendOn = Callable[[Destination], Awaitable[TransferResult]]
"""Sends the caller of a call on; when that succeeds the call ends by itself."""

PAUSE_S = 0.5
"""What a comma among the keys stands for."""

NOBODY_APPROVES = "Nobody is there to approve it."


@dataclass(slots=True)
class HostedStats:
    """What the sideband told of a call, for its CDR."""

    responses: int = 0
    turns: int = 0
    barge_ins: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class HostedConversation:
    """One agent on one hosted call.

    :meth:`connect` once the call is accepted, then :meth:`run`. Tools and reconnects run in
    ``tasks`` and end with the call. What the caller hears is known by the server's reports of its
    playout.
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
    ) -> None:
        self.stats = HostedStats()
        self._agent = agent
        self._dialect = dialect
        self._tasks = tasks
        self._services = services
        self._log = log
        self._context = context
        self._transfer = transfer
        self.link = SidebandLink(
            dialect,
            agent,
            place,
            services.connector,
            services.clock,
            services.ids,
            tasks,
            log,
            on_message=self._pull_events,
            on_end=self._sideband_ended,
        )
        self._playout = HostedPlayout(dialect, self.send_control)
        self._farewell = Farewell(self._playout)
        self._keypad = Keypad(agent.keypad)
        self._silence = (
            None if agent.silence is None else SilenceWatch(agent.silence, services.clock())
        )
        self._interrupted_id = ""
        self._transferring = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Future[Ending] = self._loop.create_future()

    @property
    def spoken_with(self) -> RealtimeModel:
        """The model that talks."""
        return self._agent.source.model

    async def connect(self) -> None:
        """Open the sideband; raises ModelUnavailable when it cannot be had."""
        await self.link.open()

    async def run(self) -> Ending:
        """Greet, then take part until the call is over; returns why."""
        if self._agent.greeting:
            self._ask(self._agent.greeting)
        return await self._ending

    async def over(self) -> None:
        """Wait until the server says that the call is over."""
        await asyncio.wait([self._ending])

    async def close(self) -> None:
        self._closed = True
        self._farewell.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self.link.close()

    def send_control(self) -> None:
        """Send what the dialect has to say, and wake up for what is due next."""
        self.link.flush()
        self._set_timer()

    def _ask(self, instructions: str | None = None) -> None:
        self._dialect.create_response(instructions)
        self.send_control()

    def _end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    def _sideband_ended(self, call_is_over: bool) -> None:
        self._end(cause.CALLER_HUNG_UP if call_is_over else cause.MODEL_LOST)

    # What the server reports

    def _pull_events(self) -> None:
        now = self._services.clock()
        for event in self._dialect.events_received():
            react = _REACTIONS.get(type(event))
            if react is not None:
                react(self, event, now)
        self._set_timer()

    def _session_ready(self, event: model.SessionReady, now: float) -> None:
        self.link.session_ready()

    def _transcript_began(self, event: model.TranscriptDelta, now: float) -> None:
        if event.role == "assistant":
            self._playout.expected(self._dialect.active_response_id)

    def _transcript_finished(self, event: model.TranscriptFinished, now: float) -> None:
        if self._services.observer is not None:
            call_id = self._context.call_id
            self._services.observer.transcript_finished(call_id, event.role, event.text)

    def _response_started(self, event: model.ResponseStarted, now: float) -> None:
        if not event.out_of_band:
            self.stats.responses += 1
            self._keypad.forget()
            if self._silence is not None:
                self._silence.response_started(now)

    def _response_finished(self, event: ResponseFinished, now: float) -> None:
        self._count(event.usage)
        if event.status == "failed":
            self._log.warning("response.failed", reason=event.reason, message=event.message)
        if self._silence is not None:
            self._silence.response_finished(now)
        cut_off = event.status == "cancelled" or event.response_id == self._interrupted_id
        if event.status in ("cancelled", "failed"):
            self._playout.missing(event.response_id)
        for call in event.tool_calls:
            self._tool_called(call, interrupted=cut_off)
        self._farewell.response_finished(event)

    def _usage_reported(self, event: model.UsageReported, now: float) -> None:
        self._count(event.usage)

    def _count(self, usage: model.Usage | None) -> None:
        if usage is not None:
            self.stats.input_tokens += usage.input_tokens
            self.stats.output_tokens += usage.output_tokens

    def _playout_started(self, event: model.PlayoutStarted, now: float) -> None:
        self._playout.started(event.response_id or self._dialect.active_response_id)
        if self._silence is not None:
            self._silence.playout_started(now)

    def _playout_ended(self, event: model.PlayoutEnded, now: float) -> None:
        heard = self._playout.ended(event.response_id)
        if self._silence is not None:
            self._silence.playout_drained(now)
        if event.cleared and heard:
            self._interrupted_id = heard
            self.stats.barge_ins += 1
            self._log.info("bot.interrupted", reason="server")
            self._farewell.interrupted()
            return
        self._farewell.playout_drained()
        self._keypad.expect(now)

    def _speech_started(self, event: model.SpeechStarted, now: float) -> None:
        self._keypad.answered()
        if self._silence is not None:
            self._silence.caller_started(now)

    def _speech_stopped(self, event: model.SpeechStopped, now: float) -> None:
        self.stats.turns += 1
        if self._silence is not None:
            self._silence.caller_stopped(now)

    def _digit_reported(self, event: model.DigitReported, now: float) -> None:
        """Collect the keys; the server tells nobody but us of them."""
        self._log.info("digit.received")
        if self._silence is not None:
            self._silence.digit_received(now)
        if self._agent.barge_in.digits and self._playout.caller_hears:
            self._dialect.interrupt()
        self._tell(self._keypad.press(event.digit, now))

    def _tell(self, entry: str | None) -> None:
        if entry is not None:
            self._dialect.add_user_text(entry)
            self._dialect.create_response()
            self.send_control()

    def _approval_requested(self, event: model.ApprovalRequested, now: float) -> None:
        self._log.warning("approval.denied", server=event.server_label, tool=event.name)
        self._dialect.answer_approval(event.approval_id, False, NOBODY_APPROVES)

    def _session_closed(self, event: model.SessionClosed, now: float) -> None:
        self._log.info("session.closed", reason=event.reason)
        ends = {"expired": cause.MAX_DURATION, "content": cause.MODEL_LOST}
        self._end(ends.get(event.reason, cause.CALLER_HUNG_UP))

    def _failed(self, event: model.ModelError, now: float) -> None:
        log = self._log.warning if event.fatal else self._log.info
        log("model.complained", code=event.code, message=event.message, fatal=event.fatal)
        if event.fatal:
            text = f"{event.code}: {event.message}"
            self.link.give_up_connection(text, retry=event.retryable)

    # Tools

    def _tool_called(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        if call.name == HANGUP and hangs_up(self._agent):
            self._log.info("hangup.requested")
            self._farewell.requested(
                call, GOODBYE, lambda _: self._end(cause.BOT_HUNG_UP), interrupted=interrupted
            )
        elif call.name == TRANSFER and transfers_of(self._agent):
            self._transfer_requested(call, interrupted=interrupted)
        elif call.name == SEND_DIGITS and presses_keys(self._agent):
            self._tasks.start(self._send_digits, call)
        else:
            self._tasks.start(self._run_tool, call)

    async def _send_digits(self, call: ToolCallRequested) -> None:
        """Press the keys that the model asked for; what they are may be a secret."""
        try:
            keys = wanted_keys(call.arguments)
        except ValueError as error:
            self._answer(call, error_output(str(error)))
            return
        for key in keys:
            if key == ",":
                await asyncio.sleep(PAUSE_S)
            else:
                self._dialect.send_digit(key)
                self.send_control()
        self._log.info("digits.sent", count=len(keys))
        self._answer(call, encode_output({"sent": keys}))

    async def _run_tool(self, call: ToolCallRequested) -> None:
        started_at = self._services.clock()
        outcome = await run_tool(self._agent.tools, call, self._context)
        seconds = round(self._services.clock() - started_at, 3)
        self._log.info("tool.finished", tool=call.name, outcome=outcome.status, seconds=seconds)
        self._answer(call, outcome.output)

    def _answer(self, call: ToolCallRequested, text: str) -> None:
        self._dialect.send_tool_output(call.call_id, text)
        self.send_control()

    def _transfer_requested(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        destinations = transfers_of(self._agent)
        name = chosen(call.arguments, destinations)
        if name is None:
            self._answer(call, unknown_destination(destinations))
        elif self._transferring:
            self._answer(call, UNDER_WAY)
        else:
            self._log.info("transfer.requested", destination=name)
            depart = partial(self._depart, call, name)
            self._farewell.requested(call, ANNOUNCEMENT, depart, interrupted=interrupted)

    def _depart(self, call: ToolCallRequested, name: str, answered: bool) -> None:
        self._transferring = True
        self._tasks.start(self._run_transfer, call, name, answered)

    async def _run_transfer(self, call: ToolCallRequested, name: str, answered: bool) -> None:
        result = await self._transfer(transfers_of(self._agent)[name])
        self._transferring = False
        if result.succeeded or self._closed:
            return
        text = failure_text(name, result)
        if answered:
            self._dialect.add_system_text(text)
            self._ask()
        else:
            self._answer(call, text)

    # Time

    def _set_timer(self) -> None:
        """Wake up when the dialect, the keypad or the silence is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [self._dialect.next_timer(), self._keypad.next_timer]
        if self._silence is not None:
            due.append(self._silence.next_timer())
        soonest = min((at for at in due if at is not None), default=_NEVER)
        if soonest != _NEVER and not self._closed:
            delay_s = max(0.0, soonest - self._services.clock())
            self._timer = self._loop.call_later(delay_s, self._time_came)

    def _time_came(self) -> None:
        self._timer = None
        self._tasks.guard(self._handle_timers)

    def _handle_timers(self) -> None:
        now = self._services.clock()
        self._dialect.handle_timer(now)
        if now >= self._keypad.next_timer:
            self._tell(self._keypad.pause(now))
        if self._silence is not None:
            self._silence.handle_timer(now)
            for command in self._silence.commands():
                if isinstance(command, HangUpSilentCaller):
                    self._end(cause.SILENT_CALLER)
                else:
                    self._ask(REPROMPT)
        self._pull_events()
        self.send_control()


_NEVER = float("inf")
_C = HostedConversation

_REACTIONS: dict[type, Callable[[HostedConversation, Any, float], None]] = {
    model.SessionReady: _C._session_ready,
    model.TranscriptDelta: _C._transcript_began,
    model.TranscriptFinished: _C._transcript_finished,
    model.ResponseStarted: _C._response_started,
    model.ResponseFinished: _C._response_finished,
    model.UsageReported: _C._usage_reported,
    model.PlayoutStarted: _C._playout_started,
    model.PlayoutEnded: _C._playout_ended,
    model.SpeechStarted: _C._speech_started,
    model.SpeechStopped: _C._speech_stopped,
    model.DigitReported: _C._digit_reported,
    model.ApprovalRequested: _C._approval_requested,
    model.SessionClosed: _C._session_closed,
    model.ModelError: _C._failed,
}
