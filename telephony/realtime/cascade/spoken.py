"""What one item says: its text as the voice got it, its audio, and where one is in the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from telephony.audio.format import AudioFormat
from telephony.base.speech import SpeechMark

_CHARACTERS_PER_S = 15.0
"""How fast a voice speaks that has not told of any mark yet."""


class SpokenItem:
    """Grows with each piece of text and of audio; says what was heard until some millisecond.

    Between two marks of the voice the words are spread evenly over the audio; behind the last one
    the voice is thought to go on as fast as before.
    """

    __slots__ = ("_characters", "_ends_ms", "finished", "item_id", "received_bytes", "text")

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        self.text = ""
        self.received_bytes = 0
        self.finished = False
        """All audio has come."""
        self._characters = [0]
        self._ends_ms = [0.0]

    def received_ms(self, audio_format: AudioFormat) -> float:
        return audio_format.duration_ms(self.received_bytes)

    def add_marks(self, marks: Iterable[SpeechMark]) -> None:
        """Take what the voice says of where it is; what runs backwards is passed over."""
        for mark in marks:
            later = mark.audio_ms >= self._ends_ms[-1]
            if later and self._characters[-1] < mark.characters <= len(self.text):
                self._characters.append(mark.characters)
                self._ends_ms.append(mark.audio_ms)

    def text_until(self, audio_ms: float, received_ms: float) -> str:
        """Return the whole words that were spoken in the first ``audio_ms``."""
        if audio_ms <= 0:
            return ""
        if self.finished and audio_ms >= received_ms:
            return self.text
        return _whole_words(self.text, int(self._characters_at(audio_ms, received_ms)))

    def _characters_at(self, audio_ms: float, received_ms: float) -> float:
        # A mark within half a millisecond is reached: both sides round.
        after = bisect_right(self._ends_ms, audio_ms + 0.5)
        begin, begin_ms = self._characters[after - 1], self._ends_ms[after - 1]
        if after < len(self._ends_ms):
            end, end_ms = self._characters[after], self._ends_ms[after]
        elif self.finished and received_ms > begin_ms:
            end, end_ms = len(self.text), received_ms
        else:
            pace = begin / begin_ms if begin_ms else _CHARACTERS_PER_S / 1000
            return min(begin + (audio_ms - begin_ms) * pace, len(self.text))
        if end_ms <= begin_ms:
            return end
        share = min(1.0, max(0.0, (audio_ms - begin_ms) / (end_ms - begin_ms)))
        return begin + (end - begin) * share


def _whole_words(text: str, end: int) -> str:
    """Return ``text`` up to ``end``, without a word that is cut there; in scripts without blanks
    any character is one."""
    if 0 < end < len(text) and text[end].isascii() and not text[end].isspace():
        end = max(text.rfind(" ", 0, end), 0)
    return text[:end].rstrip()
