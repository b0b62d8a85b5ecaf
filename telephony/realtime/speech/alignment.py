"""Where the text of an utterance is in its audio, told character by character."""

from __future__ import annotations

from collections.abc import Sequence

from telephony.base.speech import SpeechMark

_LOOK_AHEAD = 24
"""How many characters of the text may lack in what the service says it spoke."""


class CharacterAlignment:
    """Follows a service that repeats the text it speaks, characters with their times.

    What it repeats differs in spaces, and where it reads a number out; a character that is not the
    next of the text is looked for a little further on and else passed over.
    """

    __slots__ = ("_position", "_text")

    def __init__(self) -> None:
        self._text = ""
        self._position = 0

    def add_text(self, text: str) -> None:
        self._text += text

    def follow(
        self, characters: Sequence[str], end_times_ms: Sequence[float]
    ) -> tuple[SpeechMark, ...]:
        """Return a mark at the end of each word of what was spoken now; times as given."""
        marks: list[SpeechMark] = []
        time_ms, begun = 0.0, self._position
        for character, end_ms in zip(characters, end_times_ms, strict=False):
            if character.isspace():
                if self._position > begun:
                    marks.append(SpeechMark(self._position, time_ms))
                    begun = self._position
                continue
            if self._advance(character):
                time_ms = end_ms
        if self._position > begun:
            marks.append(SpeechMark(self._position, time_ms))
        return tuple(marks)

    def finish(self, audio_ms: float) -> tuple[SpeechMark, ...]:
        """Return the mark at the end of the utterance."""
        self._position = len(self._text)
        return (SpeechMark(self._position, audio_ms),)

    def _advance(self, character: str) -> bool:
        at = self._text.find(character, self._position, self._position + _LOOK_AHEAD)
        if at < 0:
            return False
        # What lies between was not spoken as it is written, unless it is space.
        self._position = at + len(character)
        return True
