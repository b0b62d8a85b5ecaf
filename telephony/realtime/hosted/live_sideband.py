"""The sideband of a hosted Live call: the dialect of OpenAI Live beside a call of the server's own.

The session was started when the call was accepted and ends with it. What the model says is
reflected here and only listened to, so that it is known when the caller has heard it; nothing is
ever appended. The model alone decides to fall silent.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from telephony.audio.format import L16_24K
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, RealtimeModel
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    DigitReported,
    ModelError,
    ModelEvent,
    PlayoutEnded,
    PlayoutStarted,
    ResponseFinished,
    ResponseStarted,
    SessionChanged,
    SessionClosed,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptFinished,
)
from telephony.realtime.openai_live import OpenAILive
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.wire import JsonObject, parse_object, text_of

_KEYS: Final = frozenset("0123456789*#ABCD")
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_NOT_FOR_US: Final = frozenset(
    {
        "session.input_audio.append",
        "transport.dtmf.send",
        "transport.dtmf.sent",
        "transport.ringing",
        "transport.answered",
        "transport.failed",
    }
)


class LiveSideband(OpenAILive):
    """One hosted call's conversation, over one sideband after another.

    Reports :class:`DigitReported`, :class:`PlayoutStarted`, :class:`PlayoutEnded` and
    :class:`SessionClosed` besides, and no audio. The caller's turns are told by their words.
    """

    def __init__(
        self, config: LiveConfig, ids: Ids, brief: Brief, session_id: str, notice: bytes = b""
    ) -> None:
        # What is reflected is PCM16 at 24 kHz, whatever the caller's side speaks.
        super().__init__(config, ids, L16_24K, brief, notice=notice)
        self._session_id = session_id
        self._heard_item = ""
        self.cut_off_unseen = False

    def url(self, base_url: str) -> str:
        """Return the sideband's URL; raises ValueError for a base that is no such URL."""
        parts = urlsplit(base_url)
        if parts.scheme not in _SCHEMES or not parts.netloc:
            raise ValueError(f"base_url {base_url!r} must be a wss, ws, https or http URL")
        path = parts.path.rstrip("/").removesuffix("/live/sessions")
        path += f"/live/sessions/{quote(self._session_id, safe='')}/attach"
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, "", ""))

    # The connection

    def connection_made(self, now: float) -> None:
        """A socket is open: the session runs, so that it takes what waits."""
        session = self._session
        session.stats.connections += 1
        first = not session.begun
        session.begun = session.ready = True
        if first:
            session.number += 1
        self._speech.begin(L16_24K)
        session.events.append(
            SessionReady(self._session_id, session.config.model, L16_24K, L16_24K)
        )
        if first:
            self._fixtures.session_started()
        session.send_pending()

    def connection_lost(self, now: float) -> None:
        """The socket is gone, the session is not: what is being said is said to its end."""
        self._speech.finish("incomplete", "connection_lost")
        self._session.ready = False
        self._session.outbox.clear()

    def receive_message(self, message: str | bytes | bytearray, now: float) -> None:
        """Take one message of the server; nothing in it raises."""
        event = parse_object(message)
        kind = event.get("type") if event is not None else None
        if event is None or not isinstance(kind, str):
            super().receive_message(message, now)
        elif kind == "transport.dtmf.received":
            self._digit(event)
        elif kind == "session.closed":
            super().receive_message(message, now)
            self._closed(event)
        elif kind in _NOT_FOR_US:
            self._session.stats.messages_received += 1
        else:
            super().receive_message(message, now)

    def _digit(self, event: JsonObject) -> None:
        session = self._session
        session.stats.messages_received += 1
        digit = text_of(event, "event").upper()
        if digit in _KEYS:
            session.events.append(DigitReported(digit))
        else:
            session.stats.malformed += 1

    def _closed(self, event: JsonObject) -> None:
        """The end of the session is the call's end, and no fault of the model."""
        session = self._session
        session.events = [e for e in session.events if not isinstance(e, ModelError)]
        session.events.append(SessionClosed(text_of(event, "reason")))

    # Output

    def events_received(self) -> list[ModelEvent]:
        """Return and forget the events since the last call.

        The audio comes in real time: what is reflected here is heard at that moment.
        """
        told: list[ModelEvent] = []
        for event in super().events_received():
            if isinstance(event, AudioDelta | AudioFinished):
                continue
            if isinstance(event, TranscriptDelta) and event.role == "user":
                self._caller_speaks(event, told)
            told.append(event)
            if isinstance(event, TranscriptFinished) and event.role == "user":
                told.append(SpeechStopped(event.item_id, None))
            elif isinstance(event, ResponseStarted) and not event.out_of_band:
                told.append(PlayoutStarted(event.response_id))
            elif isinstance(event, ResponseFinished) and not event.out_of_band:
                told.append(PlayoutEnded(event.response_id))
        return told

    def _caller_speaks(self, event: TranscriptDelta, told: list[ModelEvent]) -> None:
        if event.item_id != self._heard_item:
            self._heard_item = event.item_id
            told.append(SpeechStarted(event.item_id, None))

    # Commands

    def interrupt(self) -> None:
        """Nothing can be done: the model alone decides to fall silent."""

    def change_session(self, model: RealtimeModel, brief: Brief) -> None:
        """Refused here already: a session's instructions and tools are those of its start."""
        self._session.events.append(SessionChanged(accepted=False))

    def send_digit(self, digit: str) -> bool:
        """Press a key on the caller's line."""
        self._session.send("transport.dtmf.send", event=digit)
        return True


def live_sideband_of(model: RealtimeModel, brief: Brief, ids: Ids, session_id: str) -> LiveSideband:
    """Begin to take part in a call that was accepted with this model and brief.

    Raises LocalProtocolError for a model that is no Live model.
    """
    config = getattr(model, "config", None)
    if not isinstance(config, LiveConfig):
        raise LocalProtocolError(f"a call of {model.api} has no sideband")
    return LiveSideband(config, ids, brief, session_id, getattr(model, "notice", b""))
