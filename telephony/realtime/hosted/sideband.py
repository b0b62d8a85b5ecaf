"""The sideband of a hosted Realtime call: the dialect of OpenAI Realtime without the audio.

The session belongs to the call, not to the connection: it was configured when the call was
accepted, goes on while no sideband is connected, and ends with the call. So a new connection is
given only what the last one may have swallowed, and playout and barge-in are the server's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from telephony.audio.format import PCMU
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.realtime.countdown import Countdown
from telephony.realtime.dialect import Brief, RealtimeModel
from telephony.realtime.events import (
    DigitReported,
    ModelEvent,
    PlayoutEnded,
    PlayoutStarted,
    ResponseFinished,
    ResponseStarted,
    SessionChanged,
    SessionExpiring,
)
from telephony.realtime.hosted.call_session import CallSession
from telephony.realtime.openai_inbound import OpenAIInbound
from telephony.realtime.openai_realtime import READY_TIMEOUT_S, OpenAIRealtime
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.wire import JsonObject, object_of, parse_object, text_of

STALL_S: Final = 120.0
"""Deltas of audio do not come here, so that a long answer may be silent for a while."""

LEFT_OPEN_S: Final = 5.0
"""How long after a reconnect a response that was under way is given to show a sign of itself."""

_KEYS: Final = frozenset("0123456789*#ABCD")
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class OpenAISideband(OpenAIRealtime):
    """One hosted call's conversation, over one sideband after another.

    Used as :class:`OpenAIRealtime` is, but nothing is appended. ``config`` is that of the accepted
    session. Reports :class:`DigitReported`, :class:`PlayoutStarted`, :class:`PlayoutEnded` and
    :class:`SessionChanged` besides.

    A response that was under way when a sideband was lost goes on; whatever comes of it on the
    next one belongs to it. When nothing does, its end was missed: it is reported then, with the
    calls of tools that had come.
    """

    def __init__(
        self, config: SessionConfig, ids: Ids, call_id: str, *, held: bool = False
    ) -> None:
        super().__init__(config, ids, PCMU, PCMU, stall_s=STALL_S)
        self._call_session = CallSession(config, ids, STALL_S)
        self._session = self._call_session
        self._inbound = _SidebandInbound(self._call_session)
        if held:
            self._call_session.change_to(config)
        self._call_id = call_id
        self._left_open = ""
        self._left_timer = Countdown()

    def url(self, base_url: str) -> str:
        """Return the sideband's URL under an API base such as ``https://api.openai.com/v1``.

        Raises ValueError for a base that is no http, https, ws or wss URL.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise ValueError(f"base_url {base_url!r} must be a wss, ws, https or http URL")
        path = parts.path.rstrip("/").removesuffix("/realtime") + "/realtime"
        query = f"call_id={quote(self._call_id, safe='')}"
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, query, ""))

    def connection_made(self, now: float) -> None:
        """A socket is open: ask for a sign that it is attached to the session.

        Nothing is changed but what was asked for and not confirmed: a voice must not be after it
        was heard, and formats are SIP's.
        """
        session = self._call_session
        session.reset()
        session.stats.connections += 1
        session.ready_timer.start_at(READY_TIMEOUT_S, now)
        unchanged = {"type": "realtime", "instructions": session.config.instructions}
        session.update(session.change or unchanged)

    def connection_lost(self, now: float) -> None:
        """The socket is gone, the session is not: what is being said is said to its end."""
        session = self._session
        self._left_open = session.gate.active_id or self._left_open
        self._left_timer.stop()
        session.ready = False
        session.ready_timer.stop()
        session.gate.disconnected()
        session.outbox.clear()

    def receive_message(self, message: str | bytes | bytearray | JsonObject, now: float) -> None:
        """Take one frame of the server; nothing in it raises."""
        was_ready = self._session.ready
        super().receive_message(message, now)
        if self._left_open and self._session.ready and not was_ready:
            self._left_timer.start_at(LEFT_OPEN_S, now)

    def events_received(self) -> list[ModelEvent]:
        """Return and forget the events since the last call.

        The session can't be taken anew, so that nobody is told when that would be due.
        """
        return [event for event in super().events_received() if self._is_news(event)]

    def _is_news(self, event: ModelEvent) -> bool:
        if isinstance(event, ResponseStarted) and event.response_id == self._left_open:
            # It began on the sideband before, and has shown a sign of itself.
            self._left_timer.stop()
            return False
        if isinstance(event, ResponseFinished) and event.response_id == self._left_open:
            self._left_open = ""
            self._left_timer.stop()
        return not isinstance(event, SessionExpiring)

    def next_timer(self) -> float | None:
        due = (super().next_timer(), self._left_timer.due())
        return min((at for at in due if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        super().handle_timer(now)
        session = self._session
        if self._left_timer.expired(now) and session.gate.active_id != self._left_open:
            session.finish_response(self._left_open, "failed", "connection_lost")

    def send_digit(self, digit: str) -> bool:
        """The API has no word for keys of ours."""
        return False

    @property
    def cut_off_unseen(self) -> bool:
        """Whether a new sideband begins with cutting off what was begun while there was none."""
        return self._call_session.cut_off_unseen

    @cut_off_unseen.setter
    def cut_off_unseen(self, wanted: bool) -> None:
        self._call_session.cut_off_unseen = wanted

    def interrupt(self) -> None:
        """Stop what the model says, and what of it is still to be played.

        The server lets the model know how much of it was heard.
        """
        self.cancel_response()
        if self._session.ready:
            self._session.send("output_audio_buffer.clear")

    def change_session(self, model: RealtimeModel, brief: Brief) -> None:
        """Go on with other settings, tools and instructions; a ``SessionChanged`` follows."""
        config = _config_of(model, brief)
        if config is None:
            self._session.events.append(SessionChanged(accepted=False))
        else:
            self._call_session.change_to(config)


def sideband_of(
    model: RealtimeModel, brief: Brief, ids: Ids, call_id: str, *, held: bool = False
) -> OpenAISideband:
    """Begin to take part in a call that was accepted with this model and brief.

    ``held``: the session is to be told, once it can be watched, that it may answer; a
    ``SessionChanged`` follows.

    Raises LocalProtocolError for a model that is no Realtime model of OpenAI.
    """
    config = _config_of(model, brief)
    if config is None:
        raise LocalProtocolError(f"a call of {model.api} has no sideband")
    return OpenAISideband(config, ids, call_id, held=held)


def _config_of(model: RealtimeModel, brief: Brief) -> SessionConfig | None:
    config = getattr(model, "config", None)
    if not isinstance(config, SessionConfig):
        return None
    changes = {"instructions": brief.instructions, "tools": config.tools + brief.tools}
    return config.model_copy(update=changes)


class _SidebandInbound(OpenAIInbound):
    """Reads the events that only a call of the server's own has, and the others as ever."""

    def __init__(self, session: CallSession) -> None:
        super().__init__(session)
        self._call = session

    def receive(self, message: str | bytes | bytearray | JsonObject, now: float) -> None:
        event = message if isinstance(message, dict) else parse_object(message)
        kind = event.get("type") if event is not None else None
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if event is None or reader is None:
            super().receive(message if event is None else event, now)
            self._settings_answered(kind, event or {})
            return
        self._session.stats.messages_received += 1
        reader(self, event)

    def _settings_answered(self, kind: object, event: JsonObject) -> None:
        if kind == "session.updated":
            self._call.updated()
        elif kind == "error":
            self._call.refused(text_of(object_of(event, "error"), "event_id"))

    def _attached(self, event: JsonObject) -> None:
        """Either sign will do: the session as it is, or as we left it."""
        if not self._session.ready:
            self._session_updated(event)

    def _digit(self, event: JsonObject) -> None:
        digit = text_of(event, "event").upper()
        if digit in _KEYS:
            self._session.events.append(DigitReported(digit))
        else:
            self._session.stats.malformed += 1

    def _playout_started(self, event: JsonObject) -> None:
        self._session.events.append(PlayoutStarted(text_of(event, "response_id")))

    def _playout_stopped(self, event: JsonObject) -> None:
        self._session.events.append(PlayoutEnded(text_of(event, "response_id")))

    def _playout_cleared(self, event: JsonObject) -> None:
        self._session.events.append(PlayoutEnded(text_of(event, "response_id"), cleared=True))

    def _audio(self, event: JsonObject) -> None:
        """A server that sends it here all the same plays it itself."""


_S = _SidebandInbound

_READERS: dict[str, Callable[[_SidebandInbound, JsonObject], None]] = {
    "session.created": _S._attached,
    "input_audio_buffer.dtmf_event_received": _S._digit,
    "output_audio_buffer.started": _S._playout_started,
    "output_audio_buffer.stopped": _S._playout_stopped,
    "output_audio_buffer.cleared": _S._playout_cleared,
    "response.output_audio.delta": _S._audio,
}
