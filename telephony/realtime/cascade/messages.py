"""What the core of a cascade and the shell around it say to each other.

Commands go to the shell through ``messages_to_send()``, reports come back through
``receive_message()``. A generation is one request to the language model, an utterance what one
item of the conversation says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from telephony.base.speech import SpeechFailure, SpeechMark, Transcript
from telephony.realtime.wire import JsonObject


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """Give the caller's audio to the transcriber; empty when there is none to be given now.

    With ``news`` the core has something to say because of it: report :class:`AudioHeard`, but not
    before the loop's next turn.
    """

    audio: bytes = field(repr=False)
    news: bool = False


# Commands


@dataclass(frozen=True, slots=True)
class FinishTurn:
    """Let the transcriber give its last word on all audio so far."""


@dataclass(frozen=True, slots=True)
class Generate:
    """Send ``body`` to the language model and report what it streams.

    The shell lets others see nothing of it: it holds what the caller said.
    """

    generation_id: str
    body: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class CancelGeneration:
    """Close the stream; nothing more is reported of it."""

    generation_id: str


@dataclass(frozen=True, slots=True)
class Speak:
    utterance_id: str
    text: str = field(repr=False)
    more_follows: bool


@dataclass(frozen=True, slots=True)
class FlushSpeech:
    """More of the utterance follows, but not soon."""

    utterance_id: str


@dataclass(frozen=True, slots=True)
class CancelSpeech:
    utterance_id: str


Command: TypeAlias = FinishTurn | Generate | CancelGeneration | Speak | FlushSpeech | CancelSpeech


# Reports


@dataclass(frozen=True, slots=True)
class AudioHeard:
    """The answer to ``AppendAudio.news``."""


@dataclass(frozen=True, slots=True)
class TranscriptReceived:
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class TurnFlushed:
    """The answer to :class:`FinishTurn`."""


@dataclass(frozen=True, slots=True)
class TranscriberFailed:
    failure: SpeechFailure


@dataclass(frozen=True, slots=True)
class ModelDelta:
    """One event of the language model's stream, as its JSON says."""

    generation_id: str
    event: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class GenerationFailed:
    """The stream ended without its last event, or never began.

    ``status`` is that of HTTP, 0 when there was no answer or it broke off; ``code`` the API's
    type of error. ``retry_after_s`` is the server's wish.
    """

    generation_id: str
    status: int
    code: str
    message: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechAudio:
    utterance_id: str
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpeechAligned:
    utterance_id: str
    marks: tuple[SpeechMark, ...]


@dataclass(frozen=True, slots=True)
class SpeechFinished:
    utterance_id: str


@dataclass(frozen=True, slots=True)
class SynthesizerFailed:
    failure: SpeechFailure
    utterance_id: str = ""


Report: TypeAlias = (
    AudioHeard
    | TranscriptReceived
    | TurnFlushed
    | TranscriberFailed
    | ModelDelta
    | GenerationFailed
    | SpeechAudio
    | SpeechAligned
    | SpeechFinished
    | SynthesizerFailed
)
