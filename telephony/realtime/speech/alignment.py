"""Where the text of an utterance is in its audio, told character by character."""

from __future__ import annotations

from collections.abc import Sequence

from telephony.base.speech import SpeechMark

_LOOK_AHEAD = 24
"""How far ahead, in characters, a word is looked for."""


class CharacterAlignment:
    """Follows a service that repeats the text it speaks, characters with their times.

    What it repeats may differ in spaces and marks, and where it reads a number out: a word that is
    not the next of the text is looked for a little further on, and else passed over.
    """

    __slots__ = ("_at_word", "_lost", "_position", "_text")

    def __init__(self) -> None:
        self._text = ""
        self._position = 0
        self._at_word = True
        self._lost = False

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
                self._at_word, self._lost = True, False
                if self._position > begun:
                    marks.append(SpeechMark(self._position, time_ms))
                    begun = self._position
            elif not self._lost and self._advance(character):
                time_ms = end_ms
        if self._position > begun:
            marks.append(SpeechMark(self._position, time_ms))
        return tuple(marks)

    def finish(self, audio_ms: float) -> tuple[SpeechMark, ...]:
        """Return the mark at the end of the utterance."""
        self._position = len(self._text)
        return (SpeechMark(self._position, audio_ms),)

    def _advance(self, character: str) -> bool:
        """Go on to this character if it is the next one, or begins one of the next words."""
        at_word, self._at_word = self._at_word, False
        at = self._next_of_kind(character.isalnum())
        if not self._text.startswith(character, at):
            at = self._word_beginning_with(character) if at_word else -1
        if at < 0:
            # A mark that is not in the text is no reason to give the word up.
            self._lost = character.isalnum()
            return False
        self._position = at + len(character)
        return True

    def _next_of_kind(self, alphanumeric: bool) -> int:
        """Return the place after the spaces, and after the marks when a letter comes."""
        at = self._position
        while at < len(self._text) and (
            self._text[at].isspace() or (alphanumeric and not self._text[at].isalnum())
        ):
            at += 1
        return at

    def _word_beginning_with(self, character: str) -> int:
        end = min(len(self._text), self._position + _LOOK_AHEAD)
        for at in range(self._position, end):
            begins = at == 0 or self._text[at - 1].isspace()
            if begins and self._text.startswith(character, at):
                return at
        return -1
