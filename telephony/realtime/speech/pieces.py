"""Utterances in pieces, for voices that speak one piece at a time.

Which piece is next, which utterance the audio belongs to that comes now, and where in the audio
each piece ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.base.speech import SpeechFailure, SpeechMark
from telephony.realtime.speech.wires import (
    AudioSpoken,
    SpeakingFailed,
    SpeechAligned,
    SynthesizerEvent,
    UtteranceFinished,
)

_REMEMBERED = 64
"""Utterances that were cancelled, of which more text may still come."""


@dataclass(frozen=True, slots=True)
class Piece:
    utterance_id: str
    text: str


@dataclass(slots=True)
class _Utterance:
    utterance_id: str
    pieces: deque[str] = field(default_factory=deque)
    complete: bool = False
    characters: int = 0
    audio_bytes: int = 0


class SpokenPieces:
    """Utterances in the order of their first pieces; the next one waits for the end of the last.

    :meth:`next_piece`, :meth:`audio_received` while it is spoken, :meth:`piece_finished` or
    :meth:`piece_failed`; drain :meth:`events_received` after each.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._waiting: dict[str, _Utterance] = {}
        self._piece: Piece | None = None
        self._speaking: _Utterance | None = None
        self._events: list[SynthesizerEvent] = []
        self._cancelled: deque[str] = deque(maxlen=_REMEMBERED)
        self.audio_dropped_bytes = 0

    @property
    def idle(self) -> bool:
        return self._piece is None and not self._waiting

    @property
    def piece(self) -> Piece | None:
        """The piece that is being spoken."""
        return self._piece

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the rest of the piece that is being spoken."""
        return self._piece is not None and self._speaking is None

    def speak(self, utterance_id: str, text: str, more_follows: bool) -> None:
        """Add a piece; one of an utterance that was cancelled goes nowhere."""
        if utterance_id in self._cancelled:
            return
        utterance = self._waiting.get(utterance_id)
        if utterance is None:
            utterance = self._waiting[utterance_id] = _Utterance(utterance_id)
        if utterance.complete:
            raise LocalProtocolError(f"utterance {utterance_id} is complete already")
        if text:
            utterance.pieces.append(text)
        utterance.complete = not more_follows
        self._finish_what_is_done()

    def next_piece(self) -> Piece | None:
        """Return the piece to speak now; None while one is spoken or none waits.

        A piece without a letter or digit has no sound: it is passed over.
        """
        while self._piece is None and self._waiting:
            utterance = next(iter(self._waiting.values()))
            if not utterance.pieces:
                return None
            self._speaking = utterance
            self._piece = Piece(utterance.utterance_id, utterance.pieces.popleft())
            if is_speakable(self._piece.text):
                return self._piece
            self.piece_finished()
        return None

    def audio_received(self, audio: bytes) -> None:
        if self._speaking is None:
            self.audio_dropped_bytes += len(audio)
        elif audio:
            self._speaking.audio_bytes += len(audio)
            self._events.append(AudioSpoken(self._speaking.utterance_id, audio))

    def piece_finished(self) -> None:
        piece, utterance = self._piece, self._speaking
        self._piece = self._speaking = None
        if piece is None or utterance is None:
            return
        utterance.characters += len(piece.text)
        audio_ms = self._format.duration_ms(utterance.audio_bytes)
        mark = SpeechMark(utterance.characters, audio_ms)
        self._events.append(SpeechAligned(utterance.utterance_id, (mark,)))
        self._finish_what_is_done()

    def piece_failed(self, failure: SpeechFailure) -> None:
        """Give the utterance up; those after it go on unless the failure is fatal."""
        utterance, self._piece, self._speaking = self._speaking, None, None
        if failure.fatal:
            self._waiting.clear()
            self._events.append(SpeakingFailed(failure))
        elif utterance is not None:
            self._waiting.pop(utterance.utterance_id, None)
            self._events.append(SpeakingFailed(failure, utterance.utterance_id))

    def cancel(self, utterance_id: str) -> bool:
        """Forget an utterance; returns whether a piece of it is being spoken."""
        self._cancelled.append(utterance_id)
        self._waiting.pop(utterance_id, None)
        self._events = [e for e in self._events if getattr(e, "utterance_id", "") != utterance_id]
        spoken = self._speaking is not None and self._speaking.utterance_id == utterance_id
        if spoken:
            self._speaking = None
        self._finish_what_is_done()
        return spoken

    def clear(self) -> None:
        """Forget everything, the events too."""
        self._waiting.clear()
        self._piece = self._speaking = None
        self._events.clear()

    def events_received(self) -> list[SynthesizerEvent]:
        events, self._events = self._events, []
        return events

    def _finish_what_is_done(self) -> None:
        """Report the utterances at the front that have nothing left to say."""
        while self._waiting:
            utterance = next(iter(self._waiting.values()))
            if utterance.pieces or not utterance.complete or self._speaking is utterance:
                return
            del self._waiting[utterance.utterance_id]
            self._events.append(UtteranceFinished(utterance.utterance_id))


def is_speakable(text: str) -> bool:
    """Return whether a voice makes a sound of ``text``."""
    return any(character.isalnum() for character in text)


def one_line(text: str) -> str:
    """Return ``text`` on one line, for voices that read lines; control characters become spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
