"""Reads the messages of a Gemini Live server: a table from the keys of a message to readers.

Each message has one payload and perhaps ``usageMetadata`` beside it. A key found in no table is
counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from telephony.audio.format import L16_16K, L16_24K
from telephony.realtime.events import (
    SessionExpiring,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    ToolCallRequested,
    ToolCallsCancelled,
    UsageReported,
)
from telephony.realtime.gemini_content import ContentReader
from telephony.realtime.gemini_reading import read_usage
from telephony.realtime.gemini_session import GeminiSession
from telephony.realtime.gemini_wire import camel_keys, seconds_of
from telephony.realtime.history import HistoryItem
from telephony.realtime.wire import JsonObject, object_of, objects_of, parse_object, text_of


class GeminiInbound:
    """Turns messages of the server into events and into changes of the session's state."""

    def __init__(self, session: GeminiSession) -> None:
        self._session = session
        self._content = ContentReader(session)
        self.connected_at = 0.0

    def receive(self, message: str | bytes | bytearray, now: float) -> None:
        """Read one message, text or binary; never raises, whatever it holds."""
        session = self._session
        session.stats.messages_received += 1
        parsed = parse_object(message)
        if parsed is None:
            session.stats.malformed += 1
            return
        payload = camel_keys(parsed)
        session.usage = read_usage(payload) or session.usage
        for key in payload:
            reader = _READERS.get(key)
            if reader is None:
                session.stats.count_unknown(key.encode("utf-8", "replace").decode())
            elif isinstance(payload[key], dict):
                reader(self, payload[key], now)
            else:
                session.stats.malformed += 1
        if session.usage is not None and not session.gate.active_id:
            session.events.append(UsageReported(session.usage))
            session.usage = None

    # The session

    def _setup_complete(self, content: JsonObject, now: float) -> None:
        session = self._session
        if session.ready:
            return
        session.ready = True
        session.ready_timer.stop()
        session.audio.expect(L16_24K)
        session.events.append(
            SessionReady(text_of(content, "sessionId"), session.config.model, L16_16K, L16_24K)
        )
        session.report_format()
        session.take_over()
        session.ask(session.gate.ready())

    def _resumption_update(self, content: JsonObject, now: float) -> None:
        handle = text_of(content, "newHandle")
        if handle and content.get("resumable") is True:
            self._session.keep_handle(handle)

    def _go_away(self, content: JsonObject, now: float) -> None:
        self._session.recycle_timer.stop()
        left_s = seconds_of(content, "timeLeft")
        self._session.events.append(SessionExpiring(now - self.connected_at, left_s))

    # The conversation

    def _server_content(self, content: JsonObject, now: float) -> None:
        self._content.receive(content, now)

    def _voice_activity(self, content: JsonObject, now: float) -> None:
        kind = text_of(content, "voiceActivityType").upper()
        offset_ms = round((seconds_of(content, "audioOffset") or 0.0) * 1000)
        if kind == "ACTIVITY_START":
            self._session.events.append(SpeechStarted("", offset_ms))
        elif kind == "ACTIVITY_END":
            self._session.events.append(SpeechStopped("", offset_ms))

    # Function calls

    def _tool_call(self, content: JsonObject, now: float) -> None:
        """Report calls in a response that ends with them: the model may wait for the outputs."""
        session = self._session
        described = {
            text_of(call, "id"): call
            for call in objects_of(content, "functionCalls")
            if text_of(call, "id") and text_of(call, "name")
        }
        new = session.calls.requested(
            (call_id, text_of(call, "name")) for call_id, call in described.items()
        )
        if not new:
            return
        response_id = session.begin_response(now)
        calls = tuple(
            self._request(described[call_id], response_id)
            for call_id in described
            if call_id in new
        )
        session.finish_response("completed", calls=calls, turn_goes_on=True)

    def _request(self, described: JsonObject, response_id: str) -> ToolCallRequested:
        session = self._session
        arguments = json.dumps(object_of(described, "args"), separators=(",", ":"))
        item: HistoryItem = session.new_item("function_call", text=arguments)
        item.call_id, item.name = text_of(described, "id"), text_of(described, "name")
        item.response_id = response_id
        session.history.place(item)
        session.stats.tool_calls += 1
        call = ToolCallRequested(item.call_id, item.name, arguments, item.item_id, response_id)
        session.events.append(call)
        return call

    def _tool_call_cancellation(self, content: JsonObject, now: float) -> None:
        session = self._session
        ids = content.get("ids")
        named = [i for i in ids if isinstance(i, str)] if isinstance(ids, list) else []
        cancelled, ready = session.calls.cancel(named)
        if cancelled:
            # The next session is not to wait for an output that never comes.
            for item in [i for i in session.history if i.call_id in cancelled]:
                session.history.remove(item.item_id)
            session.events.append(ToolCallsCancelled(cancelled))
        if ready:
            session.send("toolResponse", {"functionResponses": list(ready)})


_R = GeminiInbound


def _ignore(_reader: GeminiInbound, _content: JsonObject, _now: float) -> None:
    """Known, and of no consequence here, or read already."""


_READERS: dict[str, Callable[[GeminiInbound, JsonObject, float], None]] = {
    "setupComplete": _R._setup_complete,
    "serverContent": _R._server_content,
    "toolCall": _R._tool_call,
    "toolCallCancellation": _R._tool_call_cancellation,
    "goAway": _R._go_away,
    "sessionResumptionUpdate": _R._resumption_update,
    "voiceActivity": _R._voice_activity,
    "voiceActivityDetectionSignal": _ignore,
    "usageMetadata": _ignore,
}
