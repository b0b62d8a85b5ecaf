"""The sideband of a hosted Live call: what is said, the keys that are pressed, and the end.

Work that the model delegates is not done here: a call whose agent has tools is told so by
``telephony check``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.realtime.countdown import Countdown
from telephony.realtime.events import (
    DigitReported,
    ModelError,
    ModelEvent,
    Role,
    SessionClosed,
    SessionReady,
    TranscriptDelta,
    TranscriptFinished,
    Usage,
    UsageReported,
)
from telephony.realtime.openai_errors import is_hopeless
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.wire import (
    JsonObject,
    encode_object,
    number_of,
    object_of,
    parse_object,
    text_of,
)

TURN_GAP_S: Final = 0.8
"""Words that come so long after the last ones are another turn."""

SPEAK: Final = "Speak to the caller now, as follows. "
RESPOND: Final = "Respond to the caller now."

_MAX_PENDING: Final = 64
_MAX_CONTENT_CHARS: Final = 1_600
"""Some 400 tokens: the API takes 500."""

_KEYS: Final = frozenset("0123456789*#ABCD")
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class LiveSideband:
    """A :class:`SidebandDialect`; there are no responses here, and nothing can be cut off."""

    active_response_id = ""

    def __init__(self, ids: Ids, session_id: str) -> None:
        self.stats = RealtimeStats()
        self._ids = ids
        self._session_id = session_id
        self._attached = False
        self._events: list[ModelEvent] = []
        self._outbox: list[bytes] = []
        self._pending: deque[bytes] = deque(maxlen=_MAX_PENDING)
        self._words: dict[Role, _Turn] = {"user": _Turn(), "assistant": _Turn()}
        self._billed_s = 0.0
        self._now = 0.0

    def url(self, base_url: str) -> str:
        """Return the sideband's URL; raises ValueError for a base that is no such URL."""
        parts = urlsplit(base_url)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise ValueError(f"base_url {base_url!r} must be a wss, ws, https or http URL")
        path = parts.path.rstrip("/") + f"/live/sessions/{quote(self._session_id, safe='')}/attach"
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, "", ""))

    # The connection

    def connection_made(self, now: float) -> None:
        """A socket is open: the session runs, so that it takes what waits."""
        self._attached = True
        self.stats.connections += 1
        self._events.append(SessionReady(self._session_id, "", PCMU, PCMU))
        self._outbox.extend(self._pending)
        self._pending.clear()

    def connection_lost(self, now: float) -> None:
        self._attached = False
        self._outbox.clear()

    def receive_message(self, message: str | bytes | bytearray, now: float) -> None:
        """Take one message of the server; nothing in it raises."""
        self._now = now
        self.stats.messages_received += 1
        event = parse_object(message)
        kind = event.get("type") if event is not None else None
        if event is None or not isinstance(kind, str):
            self.stats.malformed += 1
            return
        reader = _READERS.get(kind)
        if reader is not None:
            reader(self, event)
        elif kind not in _OF_NO_CONSEQUENCE:
            self.stats.count_unknown(kind)

    def events_received(self) -> list[ModelEvent]:
        events, self._events = self._events, []
        return events

    def messages_to_send(self) -> list[bytes]:
        messages, self._outbox = self._outbox, []
        return messages

    def next_timer(self) -> float | None:
        due = (turn.gap.due() for turn in self._words.values())
        return min((at for at in due if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """End a turn after which nothing came for a while."""
        for role, turn in self._words.items():
            if turn.gap.expired(now):
                self._finish(role, turn)

    # What the server says

    def _input_words(self, event: JsonObject) -> None:
        self._add_words("user", event)

    def _output_words(self, event: JsonObject) -> None:
        self._add_words("assistant", event)

    def _add_words(self, role: Role, event: JsonObject) -> None:
        words, turn = text_of(event, "delta"), self._words[role]
        if not words:
            return
        if not turn.item_id:
            turn.item_id = f"item_{self._ids.token(8)}"
        turn.text += words
        turn.gap.start_at(TURN_GAP_S, self._now)
        self._events.append(TranscriptDelta(role, turn.item_id, words))

    def _finish(self, role: Role, turn: _Turn) -> None:
        if turn.item_id:
            self._events.append(TranscriptFinished(role, turn.item_id, turn.text.strip()))
        self._words[role] = _Turn()

    def _digit(self, event: JsonObject) -> None:
        digit = text_of(event, "event").upper()
        if digit in _KEYS:
            self._events.append(DigitReported(digit))
        else:
            self.stats.malformed += 1

    def _usage(self, event: JsonObject) -> None:
        """Report what was added: the server counts from the session's beginning."""
        seconds = number_of(object_of(event, "usage"), "seconds")
        if seconds is not None and seconds > self._billed_s:
            self._events.append(UsageReported(Usage(billed_s=seconds - self._billed_s)))
            self._billed_s = seconds

    def _closed(self, event: JsonObject) -> None:
        self._usage(event)
        for role, turn in list(self._words.items()):
            self._finish(role, turn)
        self._events.append(SessionClosed(text_of(event, "reason")))

    def _error(self, event: JsonObject) -> None:
        details = object_of(event, "error")
        code = text_of(details, "code") or text_of(details, "type") or "unknown"
        self.stats.errors += 1
        hopeless = is_hopeless(code)
        message = text_of(details, "message")
        self._events.append(ModelError(code, message, fatal=hopeless, retryable=not hopeless))

    # Commands

    def create_response(self, instructions: str | None = None) -> None:
        """Ask the model to speak; it does so when it sees fit."""
        text = RESPOND if instructions is None else SPEAK + instructions
        self._append("commentary", text)

    def interrupt(self) -> None:
        """The model alone decides to fall silent."""

    def add_user_text(self, text: str) -> None:
        """Let the model know what the caller did, such as pressing keys."""
        self._append("thinking", text)

    def add_system_text(self, text: str) -> None:
        self._append("instructions", text)

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """No tool is ever called."""

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None:
        """Nobody ever asks."""

    def send_digit(self, digit: str) -> None:
        """Press a key on the caller's line."""
        self._send("transport.dtmf.send", event=digit)

    def _append(self, kind: str, text: str) -> None:
        for start in range(0, len(text), _MAX_CONTENT_CHARS):
            content = text[start : start + _MAX_CONTENT_CHARS]
            self._send(f"session.{kind}.append", content=content, delegation_id=None)

    def _send(self, kind: str, **fields: Any) -> None:
        event_id = f"event_{self._ids.token(8)}"
        message = encode_object({"type": kind, "event_id": event_id, **fields})
        (self._outbox if self._attached else self._pending).append(message)


class _Turn:
    """What one side says without a pause; ``item_id`` is ours."""

    __slots__ = ("gap", "item_id", "text")

    def __init__(self) -> None:
        self.item_id = ""
        self.text = ""
        self.gap = Countdown()


_S = LiveSideband

_READERS: dict[str, Callable[[LiveSideband, JsonObject], None]] = {
    "session.input_transcript.delta": _S._input_words,
    "session.output_transcript.delta": _S._output_words,
    "session.usage.updated": _S._usage,
    "session.closed": _S._closed,
    "transport.dtmf.received": _S._digit,
    "error": _S._error,
}

_OF_NO_CONSEQUENCE: Final = frozenset(
    {
        "info",
        "session.started",
        "session.updated",
        "session.input_audio.append",
        "session.input_audio.muted",
        "session.input_audio.unmuted",
        "session.output_audio.delta",
        "session.output_audio.fixture.playing",
        "session.output_audio.fixture.played",
        "session.commentary.appended",
        "session.thinking.appended",
        "session.instructions.appended",
        "session.delegation.created",
        "response.event",
        "decision.event",
        "transport.dtmf.sent",
        "transport.ringing",
        "transport.answered",
        "transport.failed",
    }
)
