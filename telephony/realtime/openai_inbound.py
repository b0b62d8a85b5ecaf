"""Reads the server events of OpenAI Realtime: tables from type to reader.

Names of the beta protocol are read as their successors. A type found in no table is counted.
"""

from __future__ import annotations

from collections.abc import Callable

from telephony.audio.format import AudioFormat
from telephony.realtime.events import (
    CallerIdle,
    InputCommitted,
    ItemDeleted,
    ItemTruncated,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptFailed,
    TranscriptFinished,
    UsageReported,
)
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_errors import (
    RESPONSE_ACTIVE,
    error_event,
    is_benign,
    is_rate_limit,
)
from telephony.realtime.openai_reading import (
    limits_reached,
    read_format,
    read_item,
    read_transcription_usage,
)
from telephony.realtime.openai_remote_tools import RemoteToolReader
from telephony.realtime.openai_responses import ResponseReader
from telephony.realtime.openai_session import OpenAISession
from telephony.realtime.wire import (
    JsonObject,
    int_of,
    int_or_none_of,
    number_of,
    object_of,
    parse_object,
    text_of,
)


class OpenAIInbound:
    """Turns messages of the server into events and into changes of the session's state."""

    def __init__(
        self, session: OpenAISession, unix_time: Callable[[], float] | None = None
    ) -> None:
        self._session = session
        self._unix_time = unix_time
        self._remote_tools = RemoteToolReader(session)
        self._responses = ResponseReader(session, self._remote_tools)
        self._now = 0.0

    def receive(self, message: str | bytes | bytearray | JsonObject, now: float) -> None:
        """Read one message, parsed already or not; never raises, whatever it holds."""
        session = self._session
        session.stats.messages_received += 1
        event = message if isinstance(message, dict) else parse_object(message)
        kind = event.get("type") if event is not None else None
        if event is None or not isinstance(kind, str):
            session.stats.malformed += 1
            return
        self._now = now
        kind = BETA_NAMES.get(kind, kind)
        reader = _READERS.get(kind)
        if reader is not None:
            reader(self, event)
        elif not (
            self._responses.receive(kind, event, now)
            or self._remote_tools.receive(kind, event, now)
            or kind.startswith(_NOT_FOR_US)
        ):
            session.stats.count_unknown(kind)

    # Session

    def _error(self, event: JsonObject) -> None:
        session = self._session
        details = object_of(event, "error")
        code, event_id = text_of(details, "code"), text_of(details, "event_id")
        session.side_requests.pop(event_id, None)
        if code == RESPONSE_ACTIVE and session.gate.refused(event_id):
            session.stats.requests_refused += 1
        if is_benign(code):
            session.stats.benign_errors += 1
            return
        session.stats.errors += 1
        session.stats.rate_limited += is_rate_limit(code)
        session.events.append(error_event(details, before_ready=not session.ready))
        if session.gate.rejected(event_id):
            session.ask(session.gate.release())

    def _session_updated(self, event: JsonObject) -> None:
        """The server says what it made of our configuration."""
        session = self._session
        described = object_of(event, "session")
        pcm = session.variant
        output = read_format(described, "output", pcm.pcm_output) or session.audio.format
        heard = read_format(described, "input", pcm.pcm_input)
        session.input_format = heard or session.input_format
        if output != session.audio.format:
            session.audio.expect(output)
        if session.ready:
            session.report_format()
        else:
            self._become_ready(described, output)

    def _become_ready(self, described: JsonObject, output: AudioFormat) -> None:
        session = self._session
        session.ready = True
        session.ready_timer.stop()
        expires_at = number_of(described, "expires_at")
        if expires_at is not None and self._unix_time is not None:
            session.expires(expires_at - self._unix_time(), self._now)
        session.events.append(
            SessionReady(
                text_of(described, "id"),
                text_of(described, "model") or session.config.model,
                session.input_format,
                output,
                expires_at,
            )
        )
        session.report_format()
        session.replay()
        for event_id, body in session.side_requests.items():
            session.ask_aside(event_id, body)
        session.ask(session.gate.ready())
        session.continue_after_tools()

    # The caller's turn

    def _speech_started(self, event: JsonObject) -> None:
        self._session.gate.caller_started()
        self._session.events.append(
            SpeechStarted(text_of(event, "item_id"), int_or_none_of(event, "audio_start_ms"))
        )

    def _speech_stopped(self, event: JsonObject) -> None:
        session = self._session
        session.events.append(
            SpeechStopped(text_of(event, "item_id"), int_or_none_of(event, "audio_end_ms"))
        )
        follows = session.config.responds_by_itself
        session.ask(session.gate.caller_stopped(response_follows=follows))

    def _input_committed(self, event: JsonObject) -> None:
        session = self._session
        item_id = text_of(event, "item_id")
        if item_id:
            item = HistoryItem(item_id, "message", "user")
            session.history.place(item, text_of(event, "previous_item_id"))
        session.events.append(InputCommitted(item_id))
        follows = session.config.responds_by_itself
        session.ask(session.gate.caller_stopped(response_follows=follows))

    def _caller_idle(self, event: JsonObject) -> None:
        self._session.events.append(
            CallerIdle(
                text_of(event, "item_id"),
                int_of(event, "audio_start_ms"),
                int_of(event, "audio_end_ms"),
            )
        )

    def _input_transcript_delta(self, event: JsonObject) -> None:
        item_id, delta = text_of(event, "item_id"), text_of(event, "delta")
        if item_id and delta:
            self._user_item(item_id).append_text(delta)
            self._session.events.append(TranscriptDelta("user", item_id, delta))

    def _input_transcript_done(self, event: JsonObject) -> None:
        item_id, text = text_of(event, "item_id"), text_of(event, "transcript")
        if item_id:
            self._user_item(item_id).replace_text(text)
            self._session.events.append(TranscriptFinished("user", item_id, text))
        usage = read_transcription_usage(event)
        if usage is not None:
            model = self._session.config.transcription_model
            self._session.events.append(UsageReported(usage, model))

    def _input_transcript_so_far(self, event: JsonObject) -> None:
        """The whole of it each time, as what was heard before may be corrected."""
        item_id = text_of(event, "item_id")
        if item_id:
            self._user_item(item_id).replace_text(text_of(event, "transcript"))

    def _input_transcript_failed(self, event: JsonObject) -> None:
        error = object_of(event, "error")
        code = text_of(error, "code") or text_of(error, "type")
        self._session.events.append(
            TranscriptFailed(text_of(event, "item_id"), code, text_of(error, "message"))
        )

    def _user_item(self, item_id: str) -> HistoryItem:
        return self._session.history.place(HistoryItem(item_id, "message", "user"))

    # Items

    def _item_added(self, event: JsonObject) -> None:
        session = self._session
        described = object_of(event, "item")
        item_id = text_of(described, "id")
        session.unacknowledged.pop(item_id, None)
        self._remote_tools.item_seen(described)
        item = read_item(described)
        if item is not None:
            item.response_id = session.gate.active_id if item.role == "assistant" else ""
            placed = session.history.place(item, text_of(event, "previous_item_id"))
            if not placed.text:
                placed.replace_text(item.text)

    def _item_truncated(self, event: JsonObject) -> None:
        item_id = text_of(event, "item_id")
        item = self._session.history.get(item_id)
        heard = item.heard_text if item is not None else ""
        self._session.events.append(ItemTruncated(item_id, int_of(event, "audio_end_ms"), heard))

    def _item_deleted(self, event: JsonObject) -> None:
        item_id = text_of(event, "item_id")
        self._session.history.remove(item_id)
        self._session.events.append(ItemDeleted(item_id))

    def _rate_limits(self, event: JsonObject) -> None:
        self._session.stats.rate_limited += limits_reached(event)


_R = OpenAIInbound


def _ignore(_reader: OpenAIInbound, _event: JsonObject) -> None:
    """Known, and of no consequence here."""


_READERS: dict[str, Callable[[OpenAIInbound, JsonObject], None]] = {
    "error": _R._error,
    "session.created": _ignore,
    "session.updated": _R._session_updated,
    "input_audio_buffer.speech_started": _R._speech_started,
    "input_audio_buffer.speech_stopped": _R._speech_stopped,
    "input_audio_buffer.committed": _R._input_committed,
    "input_audio_buffer.cleared": _ignore,
    "input_audio_buffer.timeout_triggered": _R._caller_idle,
    "conversation.created": _ignore,
    "conversation.item.added": _R._item_added,
    "conversation.item.done": _R._item_added,
    "conversation.item.retrieved": _ignore,
    "conversation.item.truncated": _R._item_truncated,
    "conversation.item.deleted": _R._item_deleted,
    "conversation.item.input_audio_transcription.delta": _R._input_transcript_delta,
    "conversation.item.input_audio_transcription.completed": _R._input_transcript_done,
    "conversation.item.input_audio_transcription.failed": _R._input_transcript_failed,
    "conversation.item.input_audio_transcription.segment": _ignore,
    "conversation.item.input_audio_transcription.updated": _R._input_transcript_so_far,
    "rate_limits.updated": _R._rate_limits,
    "ping": _ignore,
}

BETA_NAMES = {
    "conversation.item.created": "conversation.item.added",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}
"""What the beta protocol, which some servers speak still, calls what has another name now."""

# Of calls that OpenAI answers itself, and of pictures that go with the speech.
_NOT_FOR_US = (
    "input_audio_buffer.dtmf_event_received",
    "output_audio_buffer.",
    "response.animation_",
    "response.audio_timestamp.",
)
