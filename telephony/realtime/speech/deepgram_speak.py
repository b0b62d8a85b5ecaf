"""Deepgram Flux, ``/v2/speak``: text to speech in turns.

Facts are those of the type definitions of ``deepgram-sdk`` 7.17.0. A turn is ``Speak`` and
``Flush``; all its audio, in binary messages, comes between ``SpeechStarted`` and
``SpeechMetadata``. ``Interrupt`` ends it with ``SpeechInterrupted``; audio that comes before that
is of the past.

Each piece of text is a turn of its own, and one turn is under way at a time: so the end of a piece
is known in the audio, and an interrupt meets nothing but what it is meant for.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.base.speech import SpeechFailure
from telephony.realtime.speech.deepgram_listen import ENCODINGS, failure_of
from telephony.realtime.speech.pieces import SpokenPieces
from telephony.realtime.speech.queries import websocket_url
from telephony.realtime.speech.wires import SpeakingFailed, SynthesizerEvent, WireStats
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.wire import encode_object, parse_object, text_of

_IGNORED = ("Connected", "SpeechStarted", "Flushed", "SessionMetadata", "ConfigureSuccess")


class DeepgramSpeakConfig(StrictModel):
    """A voice is a model here, ``flux-{voice}-{language}``: ``voice`` or ``model`` names it.

    ``speed`` goes in steps of 0.05.
    """

    api_key: str = Field("", repr=False)
    base_url: str = "wss://api.deepgram.com"
    model: str = "flux-alexis-en"
    voice: str | None = None
    speed: Annotated[float, Field(ge=0.5, le=1.5)] | None = None
    expressivity: Annotated[int, Field(ge=-2, le=2)] | None = None
    mip_opt_out: bool | None = None
    stall_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0


class DeepgramSpeak:
    """One session."""

    def __init__(self, config: DeepgramSpeakConfig, audio_format: AudioFormat) -> None:
        self.stats = WireStats()
        self._config = config
        self._format = audio_format
        self._pieces = SpokenPieces(audio_format)
        self._outbox: list[bytes] = []
        self._failures: list[SynthesizerEvent] = []
        self._deadline: float | None = None
        self._carry = b""

    def url(self) -> str:
        config = self._config
        return websocket_url(
            config.base_url,
            ("v2", "speak"),
            {
                "model": config.voice or config.model,
                "encoding": ENCODINGS[self._format.encoding],
                "sample_rate": self._format.sample_rate_hz,
                "speed": config.speed,
                "expressivity": config.expressivity,
                "mip_opt_out": config.mip_opt_out,
            },
        )

    def request_headers(self) -> dict[str, str]:
        key = self._config.api_key
        return {"Authorization": f"Token {key}"} if key else {}

    @property
    def idle(self) -> bool:
        return self._pieces.idle

    def connection_made(self, now: float) -> None:
        self._begin_next(now)

    def connection_lost(self, now: float) -> None:
        self._pieces.clear()
        self._outbox.clear()
        self._deadline = None
        self._carry = b""

    # Commands

    def speak(self, utterance_id: str, text: str, more_follows: bool, now: float) -> None:
        self._pieces.speak(utterance_id, text, more_follows)
        self._begin_next(now)

    def flush(self, utterance_id: str, now: float) -> None:
        """Every piece is spoken at once as it is."""

    def cancel(self, utterance_id: str, now: float) -> None:
        if self._pieces.cancel(utterance_id):
            self._outbox.append(encode_object({"type": "Interrupt"}))
            self._deadline = now + self._config.stall_timeout_s

    def goodbye(self) -> list[bytes]:
        return [encode_object({"type": "Close"})]

    # The connection

    def receive_binary(self, message: bytes, now: float) -> None:
        if self._pieces.piece is None:
            self.stats.audio_dropped_bytes += len(message)
            return
        self._deadline = now + self._config.stall_timeout_s
        audio = self._carry + message
        odd = len(audio) % self._format.bytes_per_sample
        self._carry = audio[len(audio) - odd :]
        self._pieces.audio_received(audio[: len(audio) - odd])

    def receive_message(self, message: bytes, now: float) -> None:
        event = parse_object(message)
        if event is None:
            self.stats.messages_malformed += 1
            return
        kind = text_of(event, "type")
        if kind in ("SpeechMetadata", "SpeechInterrupted"):
            self._turn_ended(now)
        elif kind == "Error":
            self._failures.append(SpeakingFailed(failure_of(event)))
        elif kind in ("Warning", "ConfigureFailure"):
            self.stats.warnings += 1
        elif kind not in _IGNORED:
            self.stats.messages_unknown += 1

    def messages_to_send(self) -> list[bytes]:
        messages, self._outbox = self._outbox, []
        return messages

    def events_received(self) -> list[SynthesizerEvent]:
        failures, self._failures = self._failures, []
        return [*self._pieces.events_received(), *failures]

    def next_timer(self) -> float | None:
        return self._deadline

    def handle_timer(self, now: float) -> None:
        """A turn of which nothing comes any more is no turn: give the connection up."""
        if self._deadline is None or now < self._deadline:
            return
        self._deadline = None
        silent_s = self._config.stall_timeout_s
        failure = SpeechFailure("stalled", f"no audio came for {silent_s:g} s")
        self._failures.append(SpeakingFailed(failure))

    def _turn_ended(self, now: float) -> None:
        self.stats.audio_dropped_bytes += self._pieces.audio_dropped_bytes
        self._pieces.audio_dropped_bytes = 0
        self._pieces.piece_finished()
        self._deadline = None
        self._carry = b""
        self._begin_next(now)

    def _begin_next(self, now: float) -> None:
        piece = self._pieces.next_piece()
        if piece is not None:
            self._outbox.append(encode_object({"type": "Speak", "text": piece.text}))
            self._outbox.append(encode_object({"type": "Flush"}))
            self._deadline = now + self._config.stall_timeout_s
