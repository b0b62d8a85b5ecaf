"""Reads what the server says about responses: their life, speech and function calls."""

from __future__ import annotations

from collections.abc import Callable

from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    ResponseStarted,
    ToolCallRequested,
    TranscriptDelta,
    TranscriptFinished,
)
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_errors import error_event, is_rate_limit
from telephony.realtime.openai_reading import read_item, read_status, read_usage
from telephony.realtime.openai_remote_tools import RemoteToolReader
from telephony.realtime.openai_session import OpenAISession
from telephony.realtime.wire import (
    JsonObject,
    decode_audio,
    int_of,
    object_of,
    objects_of,
    text_of,
)


class ResponseReader:
    """Turns ``response.*`` events into ours.

    Each response is reported as started once and as finished once, whatever the server leaves out
    or repeats; what comes after the end, or after a fence, is dropped and counted.
    """

    def __init__(self, session: OpenAISession, remote_tools: RemoteToolReader) -> None:
        self._session = session
        self._remote_tools = remote_tools
        self._now = 0.0

    def receive(self, kind: str, event: JsonObject, now: float) -> bool:
        """Read one event; returns whether its type is known."""
        reader = _READERS.get(kind)
        if reader is None:
            return False
        self._now = now
        gate = self._session.gate
        if gate.active_id and event.get("response_id") == gate.active_id:
            gate.progressed(now)
        reader(self, event)
        return True

    def _response_created(self, event: JsonObject) -> None:
        response = object_of(event, "response")
        response_id = text_of(response, "id")
        if not response_id:
            self._session.stats.malformed += 1
        elif not self._begin_aside(response, response_id):
            self._begin(response_id)

    def _begin_aside(self, response: JsonObject, response_id: str) -> bool:
        """Recognise a response we asked for beside the conversation, by the mark we gave it."""
        session = self._session
        mark = text_of(object_of(response, "metadata"), "request")
        if session.side_requests.pop(mark, None) is None:
            return False
        self._started_aside(response_id)
        return True

    def _started_aside(self, response_id: str) -> None:
        self._session.side_responses.add(response_id)
        self._session.stats.responses += 1
        self._session.events.append(ResponseStarted(response_id, out_of_band=True))

    def _begin(self, response_id: str) -> None:
        """Let a response be the active one, once; one that never ended is over now."""
        session = self._session
        gate = session.gate
        if response_id == gate.active_id or gate.is_finished(response_id):
            return
        if gate.active_id:
            session.finish_response(gate.active_id, "failed", "superseded")
        covered = not session.unacknowledged
        cancel = gate.started(response_id, covers_deferred=covered, now=self._now)
        if covered:
            session.calls.covered()
        session.stats.responses += 1
        session.events.append(ResponseStarted(response_id))
        if cancel:
            session.cancel(response_id)

    def _response_done(self, event: JsonObject) -> None:
        session = self._session
        response = object_of(event, "response")
        response_id = text_of(response, "id") or session.gate.active_id
        if not response_id or session.gate.is_finished(response_id):
            session.stats.late_parts += 1
            if session.gate.ended_at_last(response_id):
                session.forget_unheard(response_id)
            return
        if session.gate.active_id not in ("", response_id):
            # Not the active one and never announced: it can't have been of the conversation.
            if response_id not in session.side_responses:
                self._started_aside(response_id)
        else:
            self._belongs(response_id)
        status, reason, message = read_status(response)
        for item in objects_of(response, "output"):
            self._tool_call(item, response_id)
            self._remote_tools.item_seen(item)
        session.finish_response(response_id, status, reason, read_usage(response), message)
        if status == "failed":
            error = object_of(object_of(response, "status_details"), "error")
            session.stats.rate_limited += is_rate_limit(reason)
            failure = error_event(error, before_ready=False)
            if failure.fatal:
                session.events.append(failure)

    def _belongs(self, response_id: str) -> bool:
        """Return whether a part of this response is still welcome; begin it if it is new.

        Some servers send no ``response.created``.
        """
        gate = self._session.gate
        if gate.is_finished(response_id) or not response_id:
            self._session.stats.late_parts += 1
            return False
        if response_id != gate.active_id and response_id not in self._session.side_responses:
            self._begin(response_id)
        return True

    def _response_id(self, event: JsonObject) -> str:
        return text_of(event, "response_id") or self._session.gate.active_id

    # Speech

    def _audio_delta(self, event: JsonObject) -> None:
        session = self._session
        session.stats.audio_deltas += 1
        session.remote_tool_ended = False
        audio = decode_audio(event, "delta")
        item_id = text_of(event, "item_id")
        if audio is None or not item_id:
            session.stats.bad_audio += 1
            return
        response_id = self._response_id(event)
        content_index = int_of(event, "content_index")
        if not self._belongs(response_id):
            if session.gate.is_abandoned(response_id):
                # It is part of the server's conversation, until its end lets us correct that.
                self._spoken_item(item_id, response_id, content_index)
                session.audio.count(item_id, len(audio))
            return
        session.stats.audio_bytes += len(audio)
        self._spoken_item(item_id, response_id, content_index)
        if session.gate.is_fenced(response_id):
            session.stats.fenced_deltas += 1
            session.audio.count(item_id, len(audio))
        else:
            delta = AudioDelta(response_id, item_id, content_index, audio)
            session.pass_on(session.audio.receive(delta))
        self._measure(item_id)

    def _measure(self, item_id: str) -> None:
        item = self._session.history.get(item_id)
        if item is not None:
            item.generated_ms = self._session.audio.received_ms(item_id)

    def _audio_done(self, event: JsonObject) -> None:
        session = self._session
        response_id, item_id = self._response_id(event), text_of(event, "item_id")
        if not item_id or not self._belongs(response_id):
            return
        session.pass_on(session.audio.finish(item_id))
        self._measure(item_id)
        if not session.gate.is_fenced(response_id):
            session.events.append(AudioFinished(response_id, item_id))

    def _spoken_item(self, item_id: str, response_id: str, content_index: int) -> HistoryItem:
        """Return the history's item for the model's speech.

        A response beside the conversation has one too, but the history does not keep it.
        """
        item = self._session.history.get(item_id)
        if item is None:
            item = HistoryItem(item_id, "message", "assistant")
            if response_id not in self._session.side_responses:
                self._session.history.place(item)
        item.response_id = response_id
        item.content_index = content_index
        return item

    def _output_text_delta(self, event: JsonObject) -> None:
        session = self._session
        response_id, item_id = self._response_id(event), text_of(event, "item_id")
        delta = text_of(event, "delta")
        if not item_id or not delta or not self._belongs(response_id):
            return
        self._spoken_item(item_id, response_id, int_of(event, "content_index")).append_text(delta)
        if not session.gate.is_fenced(response_id):
            session.events.append(TranscriptDelta("assistant", item_id, delta))
        session.remote_tool_ended = False

    def _output_text_done(self, event: JsonObject) -> None:
        session = self._session
        response_id, item_id = self._response_id(event), text_of(event, "item_id")
        if not item_id or not self._belongs(response_id):
            return
        text = text_of(event, "transcript") or text_of(event, "text")
        item = self._spoken_item(item_id, response_id, int_of(event, "content_index"))
        if text:
            item.replace_text(text)
        if item.heard_ms is None and not session.gate.is_fenced(response_id):
            session.events.append(TranscriptFinished("assistant", item_id, item.text))

    # Function calls

    def _output_item(self, event: JsonObject) -> None:
        described = object_of(event, "item")
        self._remote_tools.item_seen(described)
        item = read_item(described)
        response_id = self._response_id(event)
        if item is None or not self._belongs(response_id):
            return
        if item.kind == "function_call" and self._item_of_call(item.call_id) is None:
            item.response_id = response_id
            self._session.history.place(item)

    def _output_item_done(self, event: JsonObject) -> None:
        self._output_item(event)
        response_id = self._response_id(event)
        if response_id and not self._session.gate.is_finished(response_id):
            self._tool_call(object_of(event, "item"), response_id)

    def _arguments_done(self, event: JsonObject) -> None:
        response_id = self._response_id(event)
        if not self._belongs(response_id):
            return
        item = self._session.history.get(text_of(event, "item_id"))
        name = text_of(event, "name") or (item.name if item is not None else "")
        call_id = text_of(event, "call_id") or (item.call_id if item is not None else "")
        if name and call_id:
            self._request_tool(
                ToolCallRequested(
                    call_id,
                    name,
                    text_of(event, "arguments"),
                    text_of(event, "item_id"),
                    response_id,
                )
            )

    def _tool_call(self, described: JsonObject, response_id: str) -> None:
        """Take a finished function call from an item; one that was cut off is none."""
        if text_of(described, "type") != "function_call":
            return
        call = ToolCallRequested(
            text_of(described, "call_id"),
            text_of(described, "name"),
            text_of(described, "arguments"),
            text_of(described, "id"),
            response_id,
        )
        if call.call_id and call.name and text_of(described, "status") in ("", "completed"):
            self._request_tool(call)

    def _request_tool(self, call: ToolCallRequested) -> None:
        session = self._session
        if not session.calls.requested(call):
            return
        session.stats.tool_calls += 1
        item = self._item_of_call(call.call_id)
        if item is None:
            item_id = call.item_id or f"item_{session.ids.token(8)}"
            item = session.history.place(HistoryItem(item_id, "function_call"))
        item.call_id, item.name, item.response_id = call.call_id, call.name, call.response_id
        item.replace_text(call.arguments)
        session.events.append(call)

    def _item_of_call(self, call_id: str) -> HistoryItem | None:
        """Return the history's item for a call; some events name the one, some the other."""
        calls = (item for item in self._session.history if item.kind == "function_call")
        return next((item for item in calls if item.call_id == call_id), None)


_R = ResponseReader


def _ignore(_reader: ResponseReader, _event: JsonObject) -> None:
    """Known, and of no consequence here."""


_READERS: dict[str, Callable[[ResponseReader, JsonObject], None]] = {
    "response.created": _R._response_created,
    "response.done": _R._response_done,
    "response.output_item.added": _R._output_item,
    "response.output_item.done": _R._output_item_done,
    "response.output_audio.delta": _R._audio_delta,
    "response.output_audio.done": _R._audio_done,
    "response.output_audio_transcript.delta": _R._output_text_delta,
    "response.output_audio_transcript.done": _R._output_text_done,
    "response.output_text.delta": _R._output_text_delta,
    "response.output_text.done": _R._output_text_done,
    "response.function_call_arguments.delta": _ignore,
    "response.function_call_arguments.done": _R._arguments_done,
    "response.content_part.added": _ignore,
    "response.content_part.done": _ignore,
}
