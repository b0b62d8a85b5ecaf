"""Reads the server events of OpenAI Live: a table from type to reader.

A type that is not in it is counted.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable

from telephony.realtime.events import (
    ModelError,
    SessionReady,
    Usage,
    UsageReported,
)
from telephony.realtime.openai_errors import is_hopeless
from telephony.realtime.openai_live_config import read_wire_format
from telephony.realtime.openai_live_delegations import LiveDelegations
from telephony.realtime.openai_live_fixtures import LiveFixtures
from telephony.realtime.openai_live_session import LiveSession
from telephony.realtime.openai_live_speech import LiveSpeech
from telephony.realtime.openai_live_transcripts import LiveTranscripts
from telephony.realtime.wire import (
    JsonObject,
    decode_audio,
    number_of,
    object_of,
    parse_object,
    text_of,
)

_EXPIRY_LEAD_S = 60.0

# An audio delta as servers write it; it comes so often that reading JSON is most of its cost.
_AUDIO_HEADS = (
    b'{"type":"session.output_audio.delta","delta":"',
    b'{"type": "session.output_audio.delta", "delta": "',
)

# Whether a new session may do better than the one that ended for this reason.
_RETRYABLE_ENDS = {
    "close_requested": True,
    "expired": True,
    "content": False,
    "remote_hangup": True,
    "connection_lost": True,
}


class LiveInbound:
    """Turns messages of the server into events and into changes of the session's state."""

    def __init__(
        self,
        session: LiveSession,
        speech: LiveSpeech,
        transcripts: LiveTranscripts,
        delegations: LiveDelegations,
        fixtures: LiveFixtures,
    ) -> None:
        self._session = session
        self._speech = speech
        self._transcripts = transcripts
        self._delegations = delegations
        self._fixtures = fixtures
        self._billed_s = 0.0
        self._started_at: float | None = None
        self.stands = False
        """True from the session's start until the server ends it or there is another connection."""
        self.expires_at: float | None = None
        """When the session ends, on the clock of ``now``, where that is known."""

    def begin(self) -> None:
        """A connection is open, on which no session stands yet."""
        self.stands = False

    def end(self, now: float) -> None:
        """The session is no more: report the time since the server last told what it bills.

        It bills by the second, and tells about once a minute.
        """
        if self._started_at is not None and now - self._started_at > self._billed_s:
            self._report_billed(now - self._started_at)
        self._billed_s = 0.0
        self._started_at = self.expires_at = None

    def receive(self, message: str | bytes | bytearray, now: float) -> None:
        """Read one message; never raises, whatever it holds."""
        stats = self._session.stats
        stats.messages_received += 1
        audio = _plain_audio(message)
        if audio is not None:
            self._take_audio(audio, now)
            return
        event = parse_object(message)
        kind = event.get("type") if event is not None else None
        if event is None or not isinstance(kind, str):
            stats.malformed += 1
            return
        reader = _READERS.get(kind)
        if reader is None:
            stats.count_unknown(kind)
        else:
            reader(self, event, now)

    # The session

    def _started(self, event: JsonObject, now: float) -> None:
        session = self._session
        if session.ready or not session.begun:
            session.stats.late_parts += 1
            return
        described = object_of(event, "session")
        wire = object_of(object_of(described, "audio"), "format")
        session.audio_format = read_wire_format(wire) or session.asked_format
        session.ready = self.stands = True
        session.ready_timer.stop()
        self._started_at = now
        self._speech.begin(session.audio_format)
        expires_at = number_of(described, "expires_at")
        if expires_at is not None and session.wall_clock is not None:
            self._expect_end(expires_at - session.wall_clock(), now)
        session.events.append(
            SessionReady(
                text_of(described, "id"),
                text_of(described, "model") or session.config.model,
                session.audio_format,
                session.audio_format,
                expires_at,
            )
        )
        self._fixtures.session_started()
        session.send_pending()

    def _expect_end(self, left_s: float, now: float) -> None:
        """Warn ahead of the end, but not in the first half of a short session."""
        if left_s > 0:
            self.expires_at = now + left_s
            lead_s = min(_EXPIRY_LEAD_S, left_s / 2)
            self._session.expiry_timer.start_at(left_s - lead_s, now)

    def _closed(self, event: JsonObject, now: float) -> None:
        self._usage(event, now)
        reason = text_of(event, "reason") or "connection_lost"
        session = self._session
        session.ready = self.stands = False
        # The count is final.
        self._started_at = None
        session.events.append(
            ModelError(
                reason,
                f"the model closed the session: {reason}",
                fatal=True,
                retryable=_RETRYABLE_ENDS.get(reason, True),
            )
        )

    def _error(self, event: JsonObject, now: float) -> None:
        session = self._session
        details = object_of(event, "error")
        kind = text_of(details, "type")
        code = text_of(details, "code") or kind or "unknown"
        event_id = text_of(details, "client_event_id") or text_of(event, "client_event_id")
        session.stats.errors += 1
        self._fixtures.refused(event_id)
        refused = not session.ready and kind == "invalid_request_error"
        session.events.append(
            ModelError(
                code,
                text_of(details, "message"),
                # Before the session stands, what failed is its configuration.
                fatal=not session.ready or is_hopeless(code),
                event_id=event_id,
                retryable=not (is_hopeless(code) or refused),
            )
        )

    def _usage(self, event: JsonObject, now: float) -> None:
        """Report what was added: the server counts from the session's beginning."""
        seconds = number_of(object_of(event, "usage"), "seconds")
        if seconds is not None and seconds > self._billed_s:
            self._report_billed(seconds)

    def _report_billed(self, seconds: float) -> None:
        added_s, self._billed_s = seconds - self._billed_s, seconds
        self._session.events.append(UsageReported(Usage(billed_s=added_s)))

    # Speech, words and work

    def _audio(self, event: JsonObject, now: float) -> None:
        self._take_audio(decode_audio(event, "delta"), now)

    def _take_audio(self, audio: bytes | None, now: float) -> None:
        session = self._session
        session.stats.audio_deltas += 1
        if audio is None:
            session.stats.bad_audio += 1
        elif not session.ready:
            session.stats.late_parts += 1
        elif audio:
            self._speech.receive(audio, now)

    def _input_words(self, event: JsonObject, now: float) -> None:
        self._transcripts.input_delta(event, now)

    def _output_words(self, event: JsonObject, now: float) -> None:
        self._transcripts.output_delta(event, now)

    def _delegation_created(self, event: JsonObject, now: float) -> None:
        self._delegations.created(event)

    def _response_event(self, event: JsonObject, now: float) -> None:
        self._delegations.response_event(event)

    def _fixture_played(self, event: JsonObject, now: float) -> None:
        self._fixtures.played(text_of(event, "client_event_id"))


def _plain_audio(message: str | bytes | bytearray) -> bytes | None:
    """Return the audio of a delta that holds nothing else; None for whatever looks different.

    What is base64 to its end has no quote or escape in it, so JSON would read the same.
    """
    if not isinstance(message, bytes) or not message.endswith(b'"}'):
        return None
    for head in _AUDIO_HEADS:
        if message.startswith(head):
            try:
                return a2b_base64(message[len(head) : -2], strict_mode=True)
            except ValueError:
                return None
    return None


_R = LiveInbound


def _ignore(_reader: LiveInbound, _event: JsonObject, _now: float) -> None:
    """Known, and of no consequence here."""


_READERS: dict[str, Callable[[LiveInbound, JsonObject, float], None]] = {
    "error": _R._error,
    "info": _ignore,
    "session.started": _R._started,
    "session.updated": _ignore,
    "session.closed": _R._closed,
    "session.usage.updated": _R._usage,
    "session.output_audio.delta": _R._audio,
    "session.output_audio.fixture.playing": _ignore,
    "session.output_audio.fixture.played": _R._fixture_played,
    "session.input_audio.muted": _ignore,
    "session.input_audio.unmuted": _ignore,
    "session.input_transcript.delta": _R._input_words,
    "session.output_transcript.delta": _R._output_words,
    "session.instructions.appended": _ignore,
    "session.thinking.appended": _ignore,
    "session.commentary.appended": _ignore,
    "session.delegation.created": _R._delegation_created,
    "response.event": _R._response_event,
}
