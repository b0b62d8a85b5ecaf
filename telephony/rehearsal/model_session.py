"""One session of the rehearsal model: OpenAI Realtime (GA) without a socket or a clock.

Feed :meth:`ModelSession.receive_message` and :meth:`~ModelSession.handle_timer`; after each call
drain :meth:`~ModelSession.messages_to_send` and :meth:`~ModelSession.recognitions_to_do`, look
at ``ending`` and ``reading``, and set a timer for :meth:`~ModelSession.next_timer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telephony.base.ids import Ids
from telephony.rehearsal import client_events as client
from telephony.rehearsal.conversation import Conversation, Item
from telephony.rehearsal.faults import ConnectionFaults, ErrorFault, TurnFaults
from telephony.rehearsal.items import item_from_client, stimulus_of
from telephony.rehearsal.listening import Listener, Recognition
from telephony.rehearsal.outbox import ClientError, Outbox, read_object
from telephony.rehearsal.remote_tools import RemoteTools
from telephony.rehearsal.response_run import ResponseRun, Stage
from telephony.rehearsal.scenario import Scenario
from telephony.rehearsal.script import Script, Stimulus
from telephony.rehearsal.settings import (
    WIRE_FORMATS,
    ResponseSettings,
    SessionSettings,
    response_settings,
)
from telephony.rehearsal.speaking import Speaker
from telephony.rehearsal.utterance import Voice
from telephony.rehearsal.wire_dialect import WireDialect

_EXPIRED_CLOSE_CODE = 1001
_REFUSED_CLOSE_CODE = 1008


@dataclass(frozen=True, slots=True)
class Ending:
    """How the connection ends: ``close_code`` None drops the TCP connection without a word."""

    close_code: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Awaiting:
    """A response that waits until the ears are done with the turn it answers."""

    item_id: str
    run: ResponseRun
    turn: int
    instructions: str


class ModelSession:
    """The server's side of one connection. ``conversation`` is what the model believes."""

    def __init__(
        self,
        scenario: Scenario,
        voice: Voice,
        ids: Ids,
        model: str,
        unix_time_s: int,
        now: float,
        faults: ConnectionFaults | None = None,
        wire: WireDialect | None = None,
    ) -> None:
        token = ids.token(6)
        self.id = f"sess_{token}"
        self.ending: Ending | None = None
        self.reading = True
        """False: the fault "stop reading" has struck."""
        self._scenario = scenario
        self._ids = ids
        self._faults = scenario.faults if faults is None else faults
        self._script = Script(scenario, voice.prompts)
        self._wire = wire or WireDialect()
        self._outbox = Outbox(token, self._wire.emitted)
        expires_at = unix_time_s + round(scenario.max_session_s)
        self.settings = SessionSettings(self.id, model, expires_at)
        self.conversation = Conversation(f"conv_{token}")
        self.listener = Listener(self._outbox, self.conversation, self.settings, ids)
        wrong = self._faults.output_format
        wrong_format = WIRE_FORMATS[wrong] if wrong else None
        self.remote = RemoteTools(self._outbox, self.conversation, self._token)
        stage = Stage(
            self._outbox, self.conversation, voice, scenario.pace, ids, self.remote, wrong_format
        )
        self.speaker = Speaker(stage, self.settings)
        self._recognitions: list[Recognition] = []
        self._unrecognised: set[str] = set()
        self._awaiting: list[_Awaiting] = []
        self._stalled = False
        self._timers: dict[Callable[[float], None], float] = {}
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._wire.begin(self.settings.wire)
        self._outbox.emit("session.created", session=self.settings.wire)
        for kind, fields in self._wire.greets:
            self._outbox.emit(kind, **fields)
        faults = self._faults
        self._after(self._scenario.max_session_s * 1000, self._expire, now)
        self._after(faults.drop_after_ms, self._drop, now)
        self._after(faults.stall_after_ms, self._stall, now)
        self._after(faults.stop_reading_after_ms, self._stop_reading, now)
        if faults.error is not None:
            self._report(faults.error)

    # What goes in

    def receive_message(self, message: str | bytes, now: float) -> None:
        """Take one frame of the client; whatever is wrong with it becomes an ``error`` event."""
        if self.ending is not None:
            return
        event_id: str | None = None
        try:
            data = read_object(message)
            given = data.get("event_id")
            event_id = given if isinstance(given, str) else None
            if data.get("type") == "input_audio_buffer.append":
                self._append(data, now)
            else:
                event = client.parse_client_event(self._wire.received(data))
                _COMMANDS[type(event)](self, event, now)
        except ClientError as error:
            self._outbox.refuse(error, event_id)

    def transcript_ready(self, item_id: str, text: str, now: float) -> None:
        """Take the ears' answer to a :class:`Recognition`; late and repeated ones do nothing."""
        if item_id not in self._unrecognised:
            return
        self._unrecognised.discard(item_id)
        item = self.conversation.find(item_id)
        if item is not None:
            self.listener.transcribed(item, text)
        for awaiting in [a for a in self._awaiting if a.item_id == item_id]:
            self._awaiting.remove(awaiting)
            stimulus = Stimulus("speech", awaiting.turn, text)
            self._perform(awaiting.run, stimulus, awaiting.instructions, now)

    def connection_lost(self) -> None:
        """Keep what was said, but not its sound: sessions are remembered, audio is large."""
        self.ending = self.ending or Ending(None)
        self.listener.forget_audio()
        for item in self.conversation:
            for part in item.content:
                part.audio = b""

    # What comes out

    def messages_to_send(self) -> list[str]:
        """Return the frames to send; none any more once the fault "stall" has struck."""
        messages = self._outbox.take()
        return [] if self._stalled else messages

    def recognitions_to_do(self) -> list[Recognition]:
        """Return turns to recognise; answer each with :meth:`transcript_ready`."""
        work, self._recognitions = self._recognitions, []
        return work

    def next_timer(self) -> float | None:
        if self.ending is not None:
            return None
        due = [*self._timers.values(), self.speaker.next_timer(), self._idle_at()]
        return min((at for at in due if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        for action in [action for action, at in self._timers.items() if at <= now]:
            del self._timers[action]
            action(now)
        if self.ending is not None:
            return
        self.speaker.handle_timer(now)
        self._go_on(now)
        idle_at = self._idle_at()
        if idle_at is not None and idle_at <= now:
            self._idle(now)

    # The caller's turns

    def _append(self, data: dict[str, Any], now: float) -> None:
        if len(data) > 2:
            unknown = next((k for k in data if k not in ("type", "audio", "event_id")), None)
            if unknown is not None:
                raise ClientError("unknown_parameter", f"Unknown parameter: '{unknown}'.", unknown)
        for item in self.listener.append(data.get("audio")):
            if item is None:
                self._speech_began(now)
            else:
                self._turn_ended(item, now)

    def _speech_began(self, now: float) -> None:
        self.speaker.quiet_at = None
        detection = self.settings.turn_detection
        if detection is not None and detection.interrupt_response:
            self.speaker.interrupt(now)

    def _turn_ended(self, item: Item, now: float) -> None:
        self._recognise(item, now)
        detection = self.settings.turn_detection
        if detection is not None and detection.create_response:
            try:
                self._respond(response_settings(self.settings, None), None, "", now)
            except ClientError as error:
                # Nobody asked for this response: no client event is to blame.
                self._outbox.refuse(error, None)

    def _recognise(self, item: Item, now: float) -> None:
        """Have the turn recognised or, without ears, say how long the speech was."""
        self._unrecognised.add(item.id)
        if self._scenario.ears:
            self._recognitions.append(self.listener.recognition(item))
        elif self.listener.last_segment is not None:
            self.transcript_ready(item.id, measured(self.listener.last_segment.speech_ms), now)

    def _idle_at(self) -> float | None:
        quiet_at = self.speaker.quiet_at
        if quiet_at is None or self.listener.speaking:
            return None
        detection = self.settings.turn_detection
        if detection is None or detection.idle_timeout_ms is None:
            return None
        return quiet_at + detection.idle_timeout_ms / 1000

    def _idle(self, now: float) -> None:
        detection = self.settings.turn_detection
        assert detection is not None
        assert detection.idle_timeout_ms is not None
        self.listener.idle(detection.idle_timeout_ms)
        settings = response_settings(self.settings, None)
        run = self.speaker.start(settings, None)
        self._perform(run, Stimulus("idle", self._turns()), "", now)

    # Responses

    def _respond(
        self, settings: ResponseSettings, context: list[Item] | None, instructions: str, now: float
    ) -> None:
        """Start a response; its answer begins when the turn it answers is recognised."""
        run = self.speaker.start(settings, context)
        items = list(self.conversation) if context is None else context
        stimulus = stimulus_of(items)
        if context is not None and stimulus.occasion == "greeting":
            stimulus = Stimulus("nudge")
        last = items[-1] if items else None
        if stimulus.occasion == "speech" and last is not None and last.id in self._unrecognised:
            self._awaiting.append(_Awaiting(last.id, run, stimulus.turn, instructions))
        else:
            self._perform(run, stimulus, instructions, now)

    def _perform(self, run: ResponseRun, stimulus: Stimulus, instructions: str, now: float) -> None:
        if not run.is_active:
            return
        cue = self._script.cue(stimulus, instructions)
        echo = self.listener.echo(stimulus.text) if "echo" in cue.say else None
        run.perform(cue, echo, now)
        self._arm(cue.faults, now)

    def _turns(self) -> int:
        return sum(1 for item in self.conversation if item.role == "user")

    # Client events

    def _update_session(self, event: client.SessionUpdate, now: float) -> None:
        self.settings.apply(self._wire.changes(event.session))
        self.listener.configure()
        self._outbox.emit("session.updated", session=self.settings.wire)
        self.remote.list_tools(self.settings.wire["tools"])

    def _commit(self, event: client.Commit, now: float) -> None:
        item = self.listener.commit()
        self._recognise(item, now)

    def _clear(self, event: client.Clear, now: float) -> None:
        self.listener.clear()

    def _create_item(self, event: client.ItemCreate, now: float) -> None:
        item = item_from_client(event.item, self.settings.input_format, self._token)
        if item.kind == "function_call_output" and not self._has_call(item.call_id):
            text = f"Tool call ID '{item.call_id}' not found in conversation."
            raise ClientError("invalid_tool_call_id", text)
        previous = self.conversation.add(item, event.previous_item_id)
        wire = item.to_wire()
        for kind in ("conversation.item.added", "conversation.item.done"):
            self._outbox.emit(kind, previous_item_id=previous, item=wire)
        if item.kind == "mcp_approval_response":
            self.remote.answered(item.extra)
            self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Let the model speak of what a remote tool returned."""
        if self.speaker.active is None and self.remote.take_continuation():
            self._respond(response_settings(self.settings, None), None, "", now)

    def _has_call(self, call_id: str) -> bool:
        calls = (item for item in self.conversation if item.kind == "function_call")
        return any(item.call_id == call_id for item in calls)

    def _retrieve_item(self, event: client.ItemRetrieve, now: float) -> None:
        item = self.conversation.expect(event.item_id, "retrieve")
        self._outbox.emit("conversation.item.retrieved", item=item.to_wire(with_audio=True))

    def _delete_item(self, event: client.ItemDelete, now: float) -> None:
        self.conversation.delete(event.item_id)
        self._outbox.emit("conversation.item.deleted", item_id=event.item_id)

    def _truncate_item(self, event: client.ItemTruncate, now: float) -> None:
        place = {"content_index": event.content_index, "audio_end_ms": event.audio_end_ms}
        self.conversation.truncate(event.item_id, **place)
        self._outbox.emit("conversation.item.truncated", item_id=event.item_id, **place)

    def _create_response(self, event: client.ResponseCreate, now: float) -> None:
        fields = event.response
        context = None if fields is None or fields.input is None else self._context(fields.input)
        instructions = fields.instructions if fields else ""
        self._respond(response_settings(self.settings, fields), context, instructions, now)

    def _context(self, given: list[dict[str, Any]]) -> list[Item]:
        """Return the items of ``input``: new ones, and references to old ones."""
        items = []
        for entry in given:
            if entry.get("type") == "item_reference":
                items.append(self.conversation.expect(str(entry.get("id")), "retrieve"))
            else:
                new = client.parse_new_item(entry)
                items.append(item_from_client(new, self.settings.input_format, self._token))
        return items

    def _cancel_response(self, event: client.ResponseCancel, now: float) -> None:
        self.speaker.cancel(event.response_id, "client_cancelled", now)

    def _token(self) -> str:
        return self._ids.token(10)

    # Faults and limits

    def _after(self, delay_ms: float | None, action: Callable[[float], None], now: float) -> None:
        if delay_ms is not None:
            self._timers[action] = now + delay_ms / 1000

    def _arm(self, faults: TurnFaults, now: float) -> None:
        self._after(faults.drop_after_ms, self._drop, now)
        self._after(faults.stall_after_ms, self._stall, now)

    def _report(self, fault: ErrorFault) -> None:
        self._outbox.refuse(ClientError(fault.code, fault.message, None, fault.type), None)
        if fault.close:
            self.ending = Ending(_REFUSED_CLOSE_CODE, fault.code)

    def _expire(self, now: float) -> None:
        minutes = self._scenario.max_session_s / 60
        text = f"Your session hit the maximum duration of {minutes:g} minutes."
        self._outbox.refuse(ClientError("session_expired", text), None)
        self.ending = Ending(_EXPIRED_CLOSE_CODE, text)

    def _drop(self, now: float) -> None:
        self.ending = Ending(self._faults.close_code)

    def _stall(self, now: float) -> None:
        self._stalled = True

    def _stop_reading(self, now: float) -> None:
        self.reading = False


def measured(speech_ms: float) -> str:
    """Return what stands for speech nobody understood."""
    return f"[speech, {speech_ms / 1000:.1f} s]"


_COMMANDS: dict[type, Callable[[ModelSession, Any, float], None]] = {
    client.SessionUpdate: ModelSession._update_session,
    client.Commit: ModelSession._commit,
    client.Clear: ModelSession._clear,
    client.ItemCreate: ModelSession._create_item,
    client.ItemRetrieve: ModelSession._retrieve_item,
    client.ItemDelete: ModelSession._delete_item,
    client.ItemTruncate: ModelSession._truncate_item,
    client.ResponseCreate: ModelSession._create_response,
    client.ResponseCancel: ModelSession._cancel_response,
}
