"""What the shells ask of every speech service that is reached over a WebSocket.

A wire is one session on one connection: :meth:`connection_made`, then what comes and what goes.
Nothing a peer sends raises. Drain :meth:`messages_to_send` and :meth:`events_received`, and ask
:meth:`next_timer`, after every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from telephony.base.speech import SpeechFailure, SpeechMark, Transcript


@dataclass(frozen=True, slots=True)
class TurnFlushed:
    """All that was sent before a ``finish_turn()`` is transcribed."""


@dataclass(frozen=True, slots=True)
class TranscriberReady:
    """The service took our configuration: audio may be sent."""


TranscriberEvent: TypeAlias = Transcript | TurnFlushed | TranscriberReady | SpeechFailure


@dataclass(frozen=True, slots=True)
class AudioSpoken:
    """More of an utterance, in the session's format."""

    utterance_id: str
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpeechAligned:
    utterance_id: str
    marks: tuple[SpeechMark, ...]


@dataclass(frozen=True, slots=True)
class UtteranceFinished:
    utterance_id: str


@dataclass(frozen=True, slots=True)
class SpeakingFailed:
    """``utterance_id`` is "" when nothing can be spoken any more."""

    failure: SpeechFailure
    utterance_id: str = ""


SynthesizerEvent: TypeAlias = AudioSpoken | SpeechAligned | UtteranceFinished | SpeakingFailed


@dataclass(slots=True)
class WireStats:
    """Counters of one wire.

    ``messages_malformed`` could not be read at all; ``messages_unknown`` are of no kind known here.
    ``audio_dropped_bytes`` came of utterances that were cancelled.
    """

    messages_malformed: int = 0
    messages_unknown: int = 0
    audio_dropped_bytes: int = 0
    warnings: int = 0


class TranscriberWire(Protocol):
    """Speech to text over one WebSocket."""

    binary_audio: bool
    """Whether audio goes in binary messages, else in text ones."""

    stats: WireStats

    def url(self) -> str: ...

    def request_headers(self) -> dict[str, str]: ...

    def connection_made(self, now: float) -> None: ...

    def audio_message(self, audio: bytes) -> bytes:
        """Return the message that carries ``audio``; it is sent, or dropped, by the shell."""

    def finish_turn(self, now: float) -> None: ...

    def receive_message(self, message: bytes, now: float) -> None: ...

    def goodbye(self) -> list[bytes]:
        """Return what is to be said before the connection is closed."""

    def messages_to_send(self) -> list[bytes]: ...

    def events_received(self) -> list[TranscriberEvent]: ...

    def next_timer(self) -> float | None: ...

    def handle_timer(self, now: float) -> None: ...


class SynthesizerWire(Protocol):
    """Text to speech over one WebSocket after another."""

    stats: WireStats

    def url(self) -> str: ...

    def request_headers(self) -> dict[str, str]: ...

    @property
    def idle(self) -> bool:
        """Whether nothing is being spoken, nor waits to be: a connection may end unnoticed."""

    def connection_made(self, now: float) -> None: ...

    def connection_lost(self, now: float) -> None:
        """Forget what was under way; the shell reports the failure."""

    def speak(self, utterance_id: str, text: str, more_follows: bool, now: float) -> None: ...

    def flush(self, utterance_id: str, now: float) -> None: ...

    def cancel(self, utterance_id: str, now: float) -> None: ...

    def receive_message(self, message: bytes, now: float) -> None: ...

    def receive_binary(self, message: bytes, now: float) -> None: ...

    def goodbye(self) -> list[bytes]: ...

    def messages_to_send(self) -> list[bytes]: ...

    def events_received(self) -> list[SynthesizerEvent]: ...

    def next_timer(self) -> float | None: ...

    def handle_timer(self, now: float) -> None: ...
