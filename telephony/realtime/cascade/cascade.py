"""A model of three services without I/O: a transcriber, Claude, and a voice.

The dialect's messages are those of :mod:`telephony.realtime.cascade.messages`; the shell around it
holds the three connections. The conversation is kept here, as the words that the caller heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.cascade.answering import Answering
from telephony.realtime.cascade.caller_turns import CallerTurns
from telephony.realtime.cascade.config import API_VERSION, CascadeConfig
from telephony.realtime.cascade.messages import (
    AppendAudio,
    AudioHeard,
    Command,
    GenerationFailed,
    ModelDelta,
    SpeechAligned,
    SpeechAudio,
    SpeechFinished,
    SynthesizerFailed,
    TranscriberFailed,
    TranscriptReceived,
    TurnFlushed,
)
from telephony.realtime.cascade.model_reports import ModelReports, as_error
from telephony.realtime.cascade.reply import Ask
from telephony.realtime.cascade.state import CascadeState, CascadeStats
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ModelError, ModelEvent, SessionReady
from telephony.realtime.history import HistoryItem
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.traits import Traits

TRAITS = Traits(detects_turns=True, responds_by_itself=True, interrupts_by_itself=False)


class Cascade:
    """One call's conversation; see :class:`telephony.realtime.dialect.Dialect`.

    :meth:`append_message` looks for the caller's voice at once; what comes of it is reported when
    the shell answers with :class:`AudioHeard`, or with the next report of any kind.
    """

    def __init__(
        self,
        config: CascadeConfig,
        brief: Brief,
        ids: Ids,
        input_format: AudioFormat,
        output_format: AudioFormat,
    ) -> None:
        state = self._state = CascadeState(config, brief, ids, input_format, output_format)
        self._answering = Answering(state)
        self._turns = CallerTurns(state, self._answering)
        self._reports = ModelReports(state, self._answering)
        reports = self._reports
        self._react: dict[type, Callable[[Any, float], None]] = {
            AudioHeard: lambda _report, _now: None,
            TranscriptReceived: lambda report, _: self._turns.transcript_received(
                report.transcript
            ),
            TurnFlushed: lambda _report, _now: self._turns.turn_flushed(),
            TranscriberFailed: self._transcriber_failed,
            ModelDelta: reports.delta_received,
            GenerationFailed: reports.generation_failed,
            SpeechAudio: reports.audio_received,
            SpeechAligned: reports.speech_aligned,
            SpeechFinished: reports.speech_finished,
            SynthesizerFailed: reports.synthesizer_failed,
        }

    # Where and how to connect

    def url(self, base_url: str) -> str:
        """Return the URL of the language model; raises ValueError for a base that is none."""
        base = base_url.rstrip("/")
        if not base.startswith(("https://", "http://")):
            raise ValueError(f"base_url {base_url!r} must be an https or http URL")
        return f"{base.removesuffix('/v1')}/v1/messages"

    def request_headers(self, api_key: str) -> dict[str, str]:
        headers = {"anthropic-version": API_VERSION}
        return headers | {"x-api-key": api_key} if api_key else headers

    # The connection

    def connection_made(self, now: float) -> None:
        """The services are open: the session begins at once."""
        state = self._state
        state.stats.connections += 1
        self._turns.reset()
        state.ready = True
        session_id = f"cascade_{state.ids.token(8)}"
        state.now = now
        state.events.append(
            SessionReady(session_id, state.config.model, state.input_format, state.output_format)
        )
        self._answering.release()

    def connection_lost(self, now: float) -> None:
        """The services are gone: whatever was being said ends here."""
        self._state.now = now
        self._state.ready = False
        self._turns.reset()
        self._answering.disconnected()
        self._state.outbox.clear()

    def receive_message(self, message: Any, now: float) -> None:
        """Take one report of the shell; one that it can't make is counted."""
        state = self._state
        state.now = now
        state.stats.messages_received += 1
        if not state.ready:
            state.stats.late_parts += 1
            return
        self._turns.follow()
        react = self._react.get(type(message))
        if react is None:
            state.stats.malformed += 1
        else:
            react(message, now)
        self._answering.release()

    def _transcriber_failed(self, report: TranscriberFailed, now: float) -> None:
        self._state.stats.errors += 1
        self._state.events.append(as_error("stt", report.failure))

    # Output

    def events_received(self) -> list[ModelEvent]:
        """Return and forget the events since the last call."""
        events = self._state.events
        if events:
            self._state.events = []
        return events

    def messages_to_send(self) -> list[Command]:
        """Return and forget the commands to the shell, in order; none may be dropped."""
        outbox = self._state.outbox
        if outbox:
            self._state.outbox = []
        return outbox

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` is due; 0.0 means now, None never."""
        if self._state.events:
            return 0.0
        answering = self._answering
        timers = (
            self._turns.flush_timer,
            answering.hold_timer,
            answering.pause_timer,
            answering.fillers.timer,
            answering.generations.stall_timer,
            answering.generations.retry_timer,
            answering.voice.stall_timer,
        )
        return min((due for timer in timers if (due := timer.due()) is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Give up on what never came, and go on without it."""
        answering = self._answering
        self._state.now = now
        self._turns.follow()
        self._turns.handle_timer(now)
        answering.pause_timer.expired(now)
        if answering.hold_timer.expired(now):
            answering.release(overdue=True)
        if answering.fillers.timer.expired(now):
            answering.speak_filler()
        if answering.generations.stall_timer.expired(now):
            self._generation_stalled(now)
        answering.generations.handle_timer(now)
        if answering.voice.stalled(answering.active, now):
            self._state.stats.stalled += 1
            error = ModelError("tts_stalled", "tts: no audio comes", fatal=True)
            self._state.events.append(error)
        answering.release()

    def _generation_stalled(self, now: float) -> None:
        self._state.stats.stalled += 1
        for reply in (self._answering.active, self._answering.held):
            if reply is not None and reply.generation_id:
                generation_id = reply.generation_id
                self._answering.generations.cancel(generation_id)
                text = "the answer stalled"
                failure = GenerationFailed(generation_id, 0, "stalled", text)
                self._reports.generation_failed(failure, now)
                return

    # State

    @property
    def traits(self) -> Traits:
        return TRAITS

    @property
    def stats(self) -> RealtimeStats:
        return self._state.stats

    @property
    def cascade_stats(self) -> CascadeStats:
        return self._state.cascade_stats

    @property
    def ready(self) -> bool:
        return self._state.ready

    @property
    def input_format(self) -> AudioFormat:
        return self._state.input_format

    @property
    def output_format(self) -> AudioFormat:
        return self._state.output_format

    @property
    def active_response_id(self) -> str:
        reply = self._answering.active
        return reply.response_id if reply is not None and not reply.ask.out_of_band else ""

    @property
    def history(self) -> tuple[HistoryItem, ...]:
        return self._state.conversation()

    # Commands

    def append_message(self, audio: bytes) -> AppendAudio:
        """Return the message that appends ``audio``, in :attr:`input_format`.

        What may be an echo of the bot is held back, and appended later.
        """
        return self._turns.hear(audio)

    def commit_input(self) -> None:
        """End the caller's turn here, whatever the silence."""
        self._turns.listening.end()
        self._turns.follow()

    def create_response(
        self,
        instructions: str | None = None,
        *,
        tool_choice: str | None = None,
        out_of_band: bool = False,
    ) -> None:
        """Ask for an answer; ``instructions`` are a note to this one request."""
        self._answering.request(Ask(instructions, tool_choice, out_of_band))

    def cancel_response(self, response_id: str | None = None) -> None:
        """Stop this response, or the one active or asked for: its stream and its voice."""
        self._turns.follow()
        active = self._answering.active
        if active is not None and response_id in (None, active.response_id):
            self._answering.cancel("cancelled", "client_cancelled")
        elif response_id is None:
            self._answering.withdraw()

    def withdraw_response(self) -> bool:
        return self._answering.withdraw()

    def fence(self, response_id: str) -> None:
        self._state.fence(response_id)

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        """Keep of an item the words that were heard in its first ``audio_end_ms``."""
        self._state.truncate(item_id, audio_end_ms)

    def delete_item(self, item_id: str) -> None:
        self._state.delete(item_id)

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Return the output of a function call, once.

        Raises LocalProtocolError for a call that has its output already.
        """
        state = self._state
        state.calls.answered(call_id, respond=respond)
        item = HistoryItem(state.item_id(), "function_call_output", call_id=call_id)
        item.replace_text(output)
        state.history.place(item)
        if not state.calls.open_calls:
            self._answering.fillers.stop()
        if state.calls.take_continuation():
            self._answering.request(Ask(patient=True))

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None:
        """Nothing: no tool runs on the model's side."""

    def add_user_text(self, text: str) -> None:
        self._add_text("user", text)

    def add_items(self, items: Iterable[HistoryItem]) -> None:
        """Take in a part of the conversation that came about in another session, in order."""
        state = self._state
        for item in items:
            if item.kind == "function_call":
                state.calls.adopt(item.call_id)
            elif item.kind == "function_call_output":
                state.calls.settled(item.call_id)
            state.history.place(item)
        self._answering.drop_speculation()

    def add_system_text(self, text: str) -> None:
        self._add_text("system", text)

    def _add_text(self, role: Literal["user", "system"], text: str) -> None:
        item = HistoryItem(self._state.item_id(), "message", role)
        item.replace_text(text)
        self._state.history.place(item)
        # What is being prepared does not know of it.
        self._answering.drop_speculation()
