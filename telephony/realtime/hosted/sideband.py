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
from telephony.realtime.dialect import Brief, RealtimeModel
from telephony.realtime.events import (
    DigitReported,
    ModelEvent,
    PlayoutEnded,
    PlayoutStarted,
    SessionExpiring,
)
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_inbound import OpenAIInbound
from telephony.realtime.openai_realtime import READY_TIMEOUT_S, OpenAIRealtime
from telephony.realtime.openai_session import OpenAISession
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.wire import JsonObject, parse_object, text_of

STALL_S: Final = 120.0
"""Deltas of audio do not come here, so that a long answer may be silent for a while."""

_KEYS: Final = frozenset("0123456789*#ABCD")
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class OpenAISideband(OpenAIRealtime):
    """One hosted call's conversation, over one sideband after another.

    Used as :class:`OpenAIRealtime` is, but nothing is appended. ``config`` is that of the accepted
    session. Reports :class:`DigitReported`, :class:`PlayoutStarted` and :class:`PlayoutEnded`
    besides.
    """

    def __init__(self, config: SessionConfig, ids: Ids, call_id: str) -> None:
        super().__init__(config, ids, PCMU, PCMU, stall_s=STALL_S)
        self._session = _CallSession(config, ids)
        self._inbound = _SidebandInbound(self._session)
        self._call_id = call_id

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

        Nothing is changed: a voice must not be after it was heard, and formats are SIP's.
        """
        session = self._session
        session.reset()
        session.stats.connections += 1
        session.ready_timer.start_at(READY_TIMEOUT_S, now)
        instructions = session.config.instructions
        session.send("session.update", session={"type": "realtime", "instructions": instructions})

    def connection_lost(self, now: float) -> None:
        """The socket is gone, the session is not: what is being said is said to its end."""
        session = self._session
        session.ready = False
        session.ready_timer.stop()
        session.gate.disconnected()
        session.outbox.clear()

    def events_received(self) -> list[ModelEvent]:
        """Return and forget the events since the last call.

        The session can't be taken anew, so that nobody is told when that would be due.
        """
        return [e for e in super().events_received() if not isinstance(e, SessionExpiring)]

    def send_digit(self, digit: str) -> bool:
        """The API has no word for keys of ours."""
        return False

    def interrupt(self) -> None:
        """Stop what the model says, and what of it is still to be played."""
        self.cancel_response()
        if self._session.ready:
            self._session.send("output_audio_buffer.clear")


def sideband_of(model: RealtimeModel, brief: Brief, ids: Ids, call_id: str) -> OpenAISideband:
    """Begin to take part in a call that was accepted with this model and brief.

    Raises LocalProtocolError for a model that is no Realtime model of OpenAI.
    """
    config = getattr(model, "config", None)
    if not isinstance(config, SessionConfig):
        raise LocalProtocolError(f"a call of {model.api} has no sideband")
    changes = {"instructions": brief.instructions, "tools": config.tools + brief.tools}
    return OpenAISideband(config.model_copy(update=changes), ids, call_id)


class _CallSession(OpenAISession):
    """The state of a session that outlives its connections."""

    def __init__(self, config: SessionConfig, ids: Ids) -> None:
        super().__init__(config, ids, PCMU, PCMU, STALL_S)
        self._undelivered: dict[str, None] = {}

    def reset(self) -> None:
        """Begin a new connection; items of ours that nobody confirmed are to be sent again."""
        self._undelivered = {**self.unacknowledged, **self._undelivered}
        super().reset()

    def add_item(self, item: HistoryItem) -> None:
        if not self.ready:
            self._undelivered[item.item_id] = None
        super().add_item(item)

    def replay(self) -> None:
        """Send what is missing on the server, which remembers all the rest."""
        waiting, self._undelivered = self._undelivered, {}
        for item_id in waiting:
            item = self.history.get(item_id)
            if item is not None:
                self.unacknowledged[item_id] = None
                self.send("conversation.item.create", item=item.wire_item())

    def forget_unheard(self, response_id: str) -> None:
        """The server knows what was heard: it plays it."""


class _SidebandInbound(OpenAIInbound):
    """Reads the events that only a call of the server's own has, and the others as ever."""

    def receive(self, message: str | bytes | bytearray | JsonObject, now: float) -> None:
        event = message if isinstance(message, dict) else parse_object(message)
        kind = event.get("type") if event is not None else None
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if event is None or reader is None:
            super().receive(message if event is None else event, now)
            return
        self._session.stats.messages_received += 1
        reader(self, event)

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
