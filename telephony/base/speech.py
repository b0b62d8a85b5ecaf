"""What a cascade asks of speech services: one that transcribes, one that speaks.

A *service* is what an agent's file configures; it is opened once per call and then is a session:
a :class:`Transcriber` or a :class:`Synthesizer`. The methods of a session are plain calls that
never block and never raise for the state of the network; what comes of them, the listener is told,
in the event loop, and nothing any more once ``close()`` or ``cancel()`` was called.

Formats are an encoding and a sample rate in Hz, as :class:`telephony.audio.format.AudioFormat` has
them; one channel; ``l16`` is little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from telephony.base.interfaces import Encoding

WireFormat = tuple[Encoding, int]

TurnHint = Literal["likely", "ended", "resumed"]
"""What a service that finds turns by itself says of this one: the caller may be done (it takes
that back with ``resumed``), is done, or goes on after all."""


@dataclass(frozen=True, slots=True)
class Word:
    """Times count from the session's first audio."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """A piece of what the caller said.

    ``text`` of a final piece stays as it is, and the next piece comes after it; any other is a
    guess at what follows the last final piece, and replaces the guess before. A final piece may be
    empty. ``hint`` is None when the service says nothing of the turn's end. ``audio_ms`` is how
    much of the session's audio the piece takes into account, 0 when that is not known.
    """

    text: str
    is_final: bool
    hint: TurnHint | None = None
    audio_ms: float = 0.0
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechFailure:
    """A service complained.

    ``fatal``: this session is of no more use. ``retryable``: a new one may do better (false for a
    wrong key, an empty account, a refused configuration). ``message`` holds no secret.
    """

    code: str
    message: str
    fatal: bool = True
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class SpeechMark:
    """The first ``characters`` of an utterance's text are spoken at ``audio_ms`` of its audio."""

    characters: int
    audio_ms: float


class TranscriberListener(Protocol):
    """Who is told what the caller said. Every method returns at once."""

    def transcript_received(self, transcript: Transcript) -> None: ...

    def turn_flushed(self) -> None:
        """All that was sent before a ``finish_turn()`` is transcribed; once for each of them."""

    def transcriber_failed(self, failure: SpeechFailure) -> None: ...


class Transcriber(Protocol):
    """One caller's audio to text."""

    def send_audio(self, audio: bytes) -> None:
        """Take the caller's next audio, silence included, in the format the session was opened
        for. When the service is too slow the oldest audio that waits is dropped."""

    def finish_turn(self) -> None:
        """The caller's turn is over: report the rest as final pieces, then ``turn_flushed()``.

        Audio may go on at once; it belongs to the next turn.
        """

    async def close(self) -> None:
        """End the session. Idempotent."""


class TranscriberService(Protocol):
    """A configured speech recognition."""

    def accepted_format(self, line: WireFormat) -> WireFormat:
        """Return the format to send for a caller whose line carries ``line``: that one where the
        service takes it as it is."""

    async def open(self, audio_format: WireFormat, listener: TranscriberListener) -> Transcriber:
        """Begin a session; raises ModelUnavailable (``fatal`` when another try is of no use)."""


class SynthesizerListener(Protocol):
    """Who is told what was made of the text. Every method returns at once."""

    def audio_received(self, utterance_id: str, audio: bytes) -> None:
        """The utterance's next audio, in whole samples of the session's format."""

    def speech_aligned(self, utterance_id: str, marks: tuple[SpeechMark, ...]) -> None:
        """More of where the text is in the audio, in order.

        At least one mark at the end of each piece of text, after its audio. A service that knows
        better gives one for each word or character; they may come before the audio.
        """

    def utterance_finished(self, utterance_id: str) -> None:
        """All audio of the utterance was reported."""

    def synthesizer_failed(self, failure: SpeechFailure, utterance_id: str) -> None:
        """``utterance_id`` is what can't be spoken, or "" when nothing can be any more."""


class Synthesizer(Protocol):
    """Text to one voice. Utterances are spoken in the order of their first pieces."""

    def speak(self, utterance_id: str, text: str, more_follows: bool) -> None:
        """Add a piece to an utterance, a clause or a sentence.

        The utterance's text is the pieces put together as they are, spaces included; the last one
        says that none follows, and may be empty. An id is used once.
        """

    def flush(self, utterance_id: str) -> None:
        """Speak what was given so far although more follows, and that may take a while."""

    def cancel(self, utterance_id: str) -> None:
        """Make no more audio of this utterance; of one that is unknown or finished, nothing."""

    async def close(self) -> None:
        """End the session. Idempotent."""


class SynthesizerService(Protocol):
    """A configured voice."""

    def offered_format(self, line: WireFormat) -> WireFormat:
        """Return the format in which speech comes for a line that carries ``line``: that one
        where the service offers it."""

    async def open(self, audio_format: WireFormat, listener: SynthesizerListener) -> Synthesizer:
        """Begin a session; raises ModelUnavailable (``fatal`` when another try is of no use)."""
