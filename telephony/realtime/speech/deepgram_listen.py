"""Deepgram Flux, ``/v2/listen``: speech to text that finds the ends of turns by itself.

Facts are those of the type definitions of ``deepgram-sdk`` 7.17.0: audio goes in binary messages;
``TurnInfo`` comes every quarter of a second with the text of the turn so far and what happened to
the turn; ``ForceEndTurn`` ends it at our word, and is ignored when there is none.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.base.speech import SpeechFailure, Transcript, TurnHint, Word
from telephony.realtime.speech.flushes import PendingFlushes
from telephony.realtime.speech.queries import Texts, websocket_url
from telephony.realtime.speech.wires import (
    TranscriberEvent,
    TranscriberReady,
    TurnFlushed,
    WireStats,
)
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.wire import (
    JsonObject,
    encode_object,
    number_of,
    objects_of,
    parse_object,
    text_of,
)

ENCODINGS = {"pcmu": "mulaw", "pcma": "alaw", "l16": "linear16"}

_HINTS: dict[str, TurnHint] = {
    "EagerEndOfTurn": "likely",
    "TurnResumed": "resumed",
    "EndOfTurn": "ended",
}
_EVENTS = ("Update", "StartOfTurn", *_HINTS)
_PATIENCE = 6.0
"""How much longer the end of a turn that we know of is waited for than one there may not be."""

_HOPELESS = ("AUTH", "INVALID", "FORBIDDEN", "PAYMENT", "BAD_REQUEST", "UNPARSABLE")


class DeepgramListenConfig(StrictModel):
    """``eager_eot_threshold`` makes the service say that a turn is *likely* over, and take it back;
    thresholds are confidences, ``eot_timeout_ms`` is the silence that ends a turn in any case.
    ``flush_timeout_s`` is how long the end of a turn is waited for that there may not be."""

    api_key: str = Field("", repr=False)
    base_url: str = "wss://api.deepgram.com"
    model: str = "flux-general-en"
    language_hints: Texts = ()
    keyterms: Texts = ()
    eager_eot_threshold: Annotated[float, Field(ge=0.3, le=0.9)] | None = None
    eot_threshold: Annotated[float, Field(ge=0.5, le=1.0)] | None = None
    eot_timeout_ms: Annotated[int, Field(ge=500, le=60_000)] | None = None
    numerals: bool | None = None
    profanity_filter: bool | None = None
    mip_opt_out: bool | None = None
    flush_timeout_s: Annotated[float, Field(gt=0, le=10)] = 0.7


class DeepgramListen:
    """One session."""

    binary_audio = True

    def __init__(self, config: DeepgramListenConfig, audio_format: AudioFormat) -> None:
        self.stats = WireStats()
        self._config = config
        self._format = audio_format
        self._flushes = PendingFlushes()
        self._outbox: list[bytes] = []
        self._events: list[TranscriberEvent] = []
        self._ready = False
        self._in_turn = False

    def url(self) -> str:
        config = self._config
        return websocket_url(
            config.base_url,
            ("v2", "listen"),
            {
                "model": config.model,
                "encoding": ENCODINGS[self._format.encoding],
                "sample_rate": self._format.sample_rate_hz,
                "eager_eot_threshold": config.eager_eot_threshold,
                "eot_threshold": config.eot_threshold,
                "eot_timeout_ms": config.eot_timeout_ms,
                "keyterm": config.keyterms,
                "language_hint": config.language_hints,
                "numerals": config.numerals,
                "profanity_filter": config.profanity_filter,
                "mip_opt_out": config.mip_opt_out,
            },
        )

    def request_headers(self) -> dict[str, str]:
        key = self._config.api_key
        return {"Authorization": f"Token {key}"} if key else {}

    def connection_made(self, now: float) -> None:
        """The service greets us first: ``Connected``."""

    def audio_message(self, audio: bytes) -> bytes:
        return audio

    def finish_turn(self, now: float) -> None:
        patience = _PATIENCE if self._in_turn else 1.0
        self._flushes.add(now + patience * self._config.flush_timeout_s)
        self._outbox.append(encode_object({"type": "ForceEndTurn"}))

    def goodbye(self) -> list[bytes]:
        return [encode_object({"type": "CloseStream"})]

    def receive_message(self, message: bytes, now: float) -> None:
        event = parse_object(message)
        if event is None:
            self.stats.messages_malformed += 1
            return
        kind = text_of(event, "type")
        if kind == "TurnInfo":
            self._turn_info(event)
        elif kind == "Error":
            self._events.append(failure_of(event))
        elif kind in ("Warning", "ConfigureFailure"):
            self.stats.warnings += 1
        elif kind == "Connected":
            self._become_ready()
        elif kind != "ConfigureSuccess":
            self.stats.messages_unknown += 1

    def messages_to_send(self) -> list[bytes]:
        messages, self._outbox = self._outbox, []
        return messages

    def events_received(self) -> list[TranscriberEvent]:
        events, self._events = self._events, []
        return events

    def next_timer(self) -> float | None:
        return self._flushes.next_timer()

    def handle_timer(self, now: float) -> None:
        """A ``ForceEndTurn`` that found no turn is answered by silence."""
        self._events.extend(TurnFlushed() for _ in range(self._flushes.overdue(now)))

    def _become_ready(self) -> None:
        if not self._ready:
            self._ready = True
            self._events.append(TranscriberReady())

    def _turn_info(self, info: JsonObject) -> None:
        kind = text_of(info, "event")
        if kind not in _EVENTS:
            self.stats.messages_unknown += 1
            return
        hint = _HINTS.get(kind)
        self._in_turn = hint != "ended"
        audio_ms = (number_of(info, "audio_window_end") or 0.0) * 1000
        text, words = text_of(info, "transcript"), _words(info)
        self._events.append(Transcript(text, hint == "ended", hint, max(0.0, audio_ms), words))
        if hint == "ended" and self._flushes.answered():
            self._events.append(TurnFlushed())


def failure_of(event: JsonObject) -> SpeechFailure:
    """Return what an ``Error`` message of Deepgram says."""
    code = text_of(event, "code") or "error"
    retryable = not any(word in code.upper() for word in _HOPELESS)
    return SpeechFailure(code, text_of(event, "description") or code, True, retryable)


def _words(info: JsonObject) -> tuple[Word, ...]:
    words = []
    for item in objects_of(info, "words"):
        start, end = number_of(item, "start"), number_of(item, "end")
        if start is not None and end is not None:
            words.append(Word(text_of(item, "word"), start * 1000, end * 1000))
    return tuple(words)
