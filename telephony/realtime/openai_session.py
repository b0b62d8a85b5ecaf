"""What both directions of one OpenAI Realtime session share: state, events out, messages out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.countdown import Countdown
from telephony.realtime.events import (
    AudioDelta,
    ItemDeleted,
    ItemTruncated,
    ModelEvent,
    OutputFormatChanged,
    ResponseFinished,
    ResponseStatus,
    Usage,
)
from telephony.realtime.history import History, HistoryItem
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.openai_variants import OPENAI
from telephony.realtime.recap import line_of, note_of_interruption, recap
from telephony.realtime.responses import ResponseGate, ResponseRequest
from telephony.realtime.session_base import RealtimeSessionConfig
from telephony.realtime.spoken_audio import SpokenAudio
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.tool_calls import ToolCalls
from telephony.realtime.wire import JsonObject, encode_object

_MAX_UNACKNOWLEDGED = 64
_MAX_NOTES = 40
_EXPIRY_MARGIN_S = 300.0
_EXPIRY_MARGIN_SHARE = 0.1


class OpenAISession:
    """State of the conversation; used by the commands and by the reader of server events."""

    def __init__(
        self,
        config: RealtimeSessionConfig,
        ids: Ids,
        input_format: AudioFormat,
        output_format: AudioFormat,
        stall_s: float,
        history: Iterable[HistoryItem] = (),
        variant: OpenAIVariant = OPENAI,
    ) -> None:
        self.config = config
        self.variant = variant
        self.ids = ids
        self.asked_input = input_format
        self.asked_output = output_format
        self.input_format = input_format
        self.reported_output = output_format
        self.stats = RealtimeStats()
        self.events: list[ModelEvent] = []
        self.outbox: list[bytes] = []
        self.gate = ResponseGate(stall_s)
        self.history = History(history)
        self.calls = ToolCalls()
        for call_id in self.history.unanswered_calls():
            self.calls.adopt(call_id)
        self.audio = SpokenAudio(output_format, variant.pcm_output)
        self._notes: deque[str] = deque(maxlen=_MAX_NOTES)
        self.ready = False
        self.ready_timer = Countdown()
        self.recycle_timer = Countdown()
        self.expires_at: float | None = None
        self.unacknowledged: dict[str, None] = {}
        self.side_requests: dict[str, JsonObject] = {}
        self.side_responses: set[str] = set()
        self.remote_tool_ended = False

    def send(self, kind: str, **fields: Any) -> str:
        """Queue a control message; returns the event id by which errors refer to it."""
        event_id = f"event_{self.ids.token(8)}"
        self.outbox.append(encode_object({"type": kind, "event_id": event_id, **fields}))
        return event_id

    def reset(self) -> None:
        """Begin a new connection: nothing queued for the old one may reach it."""
        self.outbox.clear()
        self.ready = False
        self.input_format = self.asked_input
        self.audio.expect(self.asked_output)
        self.unacknowledged.clear()
        self.side_responses.clear()
        self.remote_tool_ended = False
        self.gate.disconnected()
        self.calls.new_session()
        self._notes.clear()
        self._remember_what_was_said()

    def _remember_what_was_said(self) -> None:
        """A server that takes no items is told of them in its instructions."""
        items = self.history.replayable(self.calls.open_calls)
        if self.variant.messages or not items:
            return
        for item in items:
            item.replayed = True
        self._notes.append(recap(items))

    def replay(self) -> None:
        """Give the conversation so far to the new connection; forget what can't be given."""
        replayable = self.history.replayable(self.calls.open_calls)
        known = {item.item_id for item in replayable}
        for item in list(self.history):
            if item.item_id not in known:
                self.history.remove(item.item_id)
        for item in replayable:
            if self.variant.messages:
                self._send_item(item)
            elif not item.replayed:
                # It came after the instructions were sent.
                self.inform(line_of(item))
            item.replayed = True

    def add_item(self, item: HistoryItem) -> None:
        """Append an item of ours; while there is no session the replay will bring it."""
        self.history.place(item)
        if not self.ready:
            return
        output = item.kind == "function_call_output"
        if self.variant.messages or (output and self.calls.is_known_to_session(item.call_id)):
            self._await_acknowledgement(item.item_id)
            self._send_item(item)
        else:
            self.inform(line_of(item))

    def _await_acknowledgement(self, item_id: str) -> None:
        if not self.variant.client_item_ids:
            return
        self.unacknowledged[item_id] = None
        if len(self.unacknowledged) > _MAX_UNACKNOWLEDGED:
            del self.unacknowledged[next(iter(self.unacknowledged))]

    def _send_item(self, item: HistoryItem, **place: str) -> None:
        wire = item.wire_item(self.variant.assistant_part)
        if not self.variant.client_item_ids:
            del wire["id"]
        self.send("conversation.item.create", **place, item=wire)

    def inform(self, text: str) -> None:
        """Let the model know something that is no part of the history."""
        if not self.ready:
            return
        if self.variant.messages:
            part = {"type": "input_text", "text": text}
            item = {"type": "message", "role": "system", "content": [part]}
            self.send("conversation.item.create", item=item)
        else:
            self._notes.append(text)
            self.send("session.update", session={"instructions": self.instructions})

    @property
    def instructions(self) -> str:
        """Those of the agent, and what a server without items was told besides."""
        return "\n\n".join(filter(None, (self.config.instructions, *self._notes)))

    def report_format(self) -> None:
        """Say so when audio comes in another format than it was last said to."""
        if self.audio.format != self.reported_output:
            self.reported_output = self.audio.format
            self.stats.format_changes += 1
            self.events.append(OutputFormatChanged(self.reported_output))

    def pass_on(self, deltas: list[AudioDelta]) -> None:
        """Report speech, and before it the format it turned out to have."""
        self.report_format()
        self.events.extend(deltas)

    def cancel(self, response_id: str) -> None:
        """Tell the server to stop generating a response."""
        named = {"response_id": response_id} if self.variant.names_responses else {}
        self.send("response.cancel", **named)

    def fence(self, response_id: str) -> None:
        self.gate.fence(response_id)
        self.audio.drop_held(response_id)

    def ask(self, request: ResponseRequest | None) -> None:
        """Send a request that the gate let pass."""
        if request is None:
            return
        message: JsonObject = {"type": "response.create", "event_id": request.event_id}
        if request.body:
            message["response"] = request.body
        self.outbox.append(encode_object(message))

    def ask_aside(self, event_id: str, body: JsonObject) -> None:
        """Send a request whose response stays out of the conversation."""
        message = {"type": "response.create", "event_id": event_id, "response": body}
        self.outbox.append(encode_object(message))

    def continue_after_tools(self) -> None:
        """Ask the model to go on once the last output of its calls was given."""
        if not self.gate.busy and self.calls.take_continuation():
            request = ResponseRequest(f"event_{self.ids.token(8)}")
            self.ask(self.gate.request(request, patient=True))

    def continue_after_remote_tool(self) -> None:
        """A tool the server called itself is done; the server usually goes on by itself."""
        if self.gate.active_id:
            self.remote_tool_ended = True
            return
        self.remote_tool_ended = False
        self.gate.expect_response()
        request = ResponseRequest(f"event_{self.ids.token(8)}")
        self.ask(self.gate.request(request, patient=True))

    def expires(self, left_s: float, now: float) -> None:
        """The server ends the session in ``left_s``; move the deadline for a new one before it."""
        if left_s <= 0:
            return
        self.expires_at = now + left_s
        renew_at = self.expires_at - min(_EXPIRY_MARGIN_S, _EXPIRY_MARGIN_SHARE * left_s)
        due = self.recycle_timer.due()
        if due is not None and renew_at < due:
            self.recycle_timer.start_at(renew_at - now, now)

    def finish_response(
        self,
        response_id: str,
        status: ResponseStatus,
        reason: str = "",
        usage: Usage | None = None,
        message: str = "",
    ) -> None:
        """End a response for whatever reason, then send what waited for its end."""
        aside = response_id in self.side_responses
        self.side_responses.discard(response_id)
        fenced = self.gate.is_fenced(response_id)
        self.pass_on(self.audio.flush())
        self.gate.finished(response_id)
        calls = self.calls.of_response(response_id)
        self.events.append(
            ResponseFinished(response_id, status, reason, usage, calls, message, aside)
        )
        if fenced:
            self.forget_unheard(response_id)
        if self.remote_tool_ended and not self.gate.active_id:
            self.continue_after_remote_tool()
        self.ask(self.gate.release())
        self.continue_after_tools()

    def forget_unheard(self, response_id: str) -> None:
        """Make the model forget the speech of an ended response that was dropped here.

        What was passed on before the fence is playout's to correct, by what the caller heard.
        """
        if not self.config.speaks:
            return
        for item in list(self.history):
            of_response = item.kind == "message" and item.response_id == response_id
            if not of_response or item.heard_ms is not None:
                continue
            passed_ms = int(self.audio.passed_ms(item.item_id))
            if not passed_ms:
                self.delete(item.item_id)
            elif passed_ms < int(self.audio.received_ms(item.item_id)):
                self.truncate(item, passed_ms)

    def delete(self, item_id: str) -> None:
        if self.history.remove(item_id) is None:
            return
        self.stats.deleted += 1
        if not self.ready:
            return
        if self.variant.deletes:
            self.send("conversation.item.delete", item_id=item_id)
        else:
            self.events.append(ItemDeleted(item_id))
            self.inform(note_of_interruption(""))

    def truncate(self, item: HistoryItem, audio_end_ms: int) -> None:
        """Cut an item off where the caller stopped hearing it."""
        item.heard_ms = audio_end_ms
        item.generated_ms = self.audio.received_ms(item.item_id) or item.generated_ms
        self.stats.truncated += 1
        if item.replayed or not self.ready:
            self.events.append(ItemTruncated(item.item_id, audio_end_ms, item.heard_text))
            self._replace(item)
            return
        if not self.variant.truncates:
            self.events.append(ItemTruncated(item.item_id, audio_end_ms, item.heard_text))
            self.inform(note_of_interruption(item.heard_text))
            return
        self.send(
            "conversation.item.truncate",
            item_id=item.item_id,
            content_index=item.content_index,
            audio_end_ms=audio_end_ms,
        )

    def _replace(self, item: HistoryItem) -> None:
        """Put the shortened text of a replayed item in its place: it has no audio to truncate."""
        if not self.ready:
            return
        if not self.variant.deletes:
            self.inform(note_of_interruption(item.heard_text))
            return
        self.send("conversation.item.delete", item_id=item.item_id)
        self.history.rename(item, f"item_{self.ids.token(8)}")
        if item.heard_text.strip():
            self._send_item(item, previous_item_id=self.history.previous_of(item.item_id))
