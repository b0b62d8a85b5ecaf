"""What both directions of one OpenAI Realtime session share: state, events out, messages out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.countdown import Countdown
from telephony.realtime.events import (
    AudioDelta,
    ItemTruncated,
    ModelEvent,
    OutputFormatChanged,
    ResponseFinished,
    ResponseStatus,
    Usage,
)
from telephony.realtime.history import History, HistoryItem
from telephony.realtime.responses import ResponseGate, ResponseRequest
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.spoken_audio import SpokenAudio
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.tool_calls import ToolCalls
from telephony.realtime.wire import JsonObject, encode_object

_MAX_UNACKNOWLEDGED = 64


class OpenAISession:
    """State of the conversation; used by the commands and by the reader of server events."""

    def __init__(
        self,
        config: SessionConfig,
        ids: Ids,
        input_format: AudioFormat,
        output_format: AudioFormat,
        stall_s: float,
        history: Iterable[HistoryItem] = (),
    ) -> None:
        self.config = config
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
        self.audio = SpokenAudio(output_format)
        self.ready = False
        self.ready_timer = Countdown()
        self.recycle_timer = Countdown()
        self.unacknowledged: dict[str, None] = {}
        self.side_requests: dict[str, JsonObject] = {}
        self.side_responses: set[str] = set()

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
        self.gate.disconnected()

    def replay(self) -> None:
        """Give the conversation so far to the new connection; forget what can't be given."""
        replayable = self.history.replayable(self.calls.open_calls)
        known = {item.item_id for item in replayable}
        for item in list(self.history):
            if item.item_id not in known:
                self.history.remove(item.item_id)
        for item in replayable:
            item.replayed = True
            self.send("conversation.item.create", item=item.wire_item())

    def add_item(self, item: HistoryItem) -> None:
        """Append an item of ours; while there is no session the replay will bring it."""
        self.history.place(item)
        if self.ready:
            self.unacknowledged[item.item_id] = None
            if len(self.unacknowledged) > _MAX_UNACKNOWLEDGED:
                del self.unacknowledged[next(iter(self.unacknowledged))]
            self.send("conversation.item.create", item=item.wire_item())

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
        self.ask(self.gate.release())
        self.continue_after_tools()

    def forget_unheard(self, response_id: str) -> None:
        """Make the model forget the speech of an ended response that was dropped here.

        What was passed on before the fence is playout's to correct, by what the caller heard.
        """
        if "audio" not in self.config.output_modalities:
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
        if self.ready:
            self.send("conversation.item.delete", item_id=item_id)

    def truncate(self, item: HistoryItem, audio_end_ms: int) -> None:
        """Cut an item off where the caller stopped hearing it."""
        item.heard_ms = audio_end_ms
        item.generated_ms = self.audio.received_ms(item.item_id) or item.generated_ms
        self.stats.truncated += 1
        if item.replayed or not self.ready:
            self.events.append(ItemTruncated(item.item_id, audio_end_ms, item.heard_text))
            self._replace(item)
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
        self.send("conversation.item.delete", item_id=item.item_id)
        self.history.rename(item, f"item_{self.ids.token(8)}")
        if item.heard_text.strip():
            self.send(
                "conversation.item.create",
                previous_item_id=self.history.previous_of(item.item_id),
                item=item.wire_item(),
            )
