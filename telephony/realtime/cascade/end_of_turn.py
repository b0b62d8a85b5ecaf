"""When the caller's turn is over: silence, weighed by what was said and what the service thinks."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.base.speech import TurnHint

_COMPLETE = ".?!。？！؟۔।"
_UNFINISHED_MARKS = ",;:…-–—，、；：،"
_ENGLISH = "and or but so because if the a an to of for with in on at my is um uh er erm hmm well"
_OTHERS = (
    "und oder aber weil wenn der die das ein eine zu mit äh ähm"
    " y o pero porque et ou mais parce que euh"
)
_UNFINISHED_WORDS = frozenset(f"{_ENGLISH} {_OTHERS}".split())


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Silence in ms from which on a turn may be over (None: not before it is), and is."""

    likely_ms: int | None
    ended_ms: int


@dataclass(frozen=True, slots=True)
class EndOfTurnPolicy:
    """Silence in ms after which a turn is over.

    ``complete_ms`` for words that read like a whole sentence, ``unfinished_ms`` for those that ask
    for more (a comma, "and", "um"), ``silence_ms`` for others, and while there are none.
    ``likely_ms`` is when the answer may be prepared. With ``trust_hints`` the word of a service
    that finds turns by itself ends one at once, and keeps one open until ``unfinished_ms``.
    """

    likely_ms: int = 240
    complete_ms: int = 400
    silence_ms: int = 600
    unfinished_ms: int = 1000
    trust_hints: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.likely_ms <= self.complete_ms <= self.silence_ms <= self.unfinished_ms:
            raise ValueError(
                "likely_ms, complete_ms, silence_ms and unfinished_ms must be above 0 and must"
                " not fall in this order"
            )

    def thresholds(self, text: str, hint: TurnHint | None) -> Thresholds:
        """Judge a turn of which ``text`` is known, guesses included."""
        hint = hint if self.trust_hints else None
        if hint == "ended":
            return Thresholds(None, 0)
        ended_ms = self._needed_ms(text, hint)
        likely = hint == "likely" or (hint is None and ends_whole(text))
        return Thresholds(self.likely_ms if likely and text else None, ended_ms)

    def _needed_ms(self, text: str, hint: TurnHint | None) -> int:
        if hint == "resumed" or ends_open(text):
            return self.unfinished_ms
        return self.complete_ms if ends_whole(text) else self.silence_ms


def ends_whole(text: str) -> bool:
    """Whether the text ends as a sentence does."""
    return text.rstrip("\"'”’») ")[-1:] in tuple(_COMPLETE) and not text.endswith("...")


def ends_open(text: str) -> bool:
    """Whether the text ends where nobody stops."""
    text = text.rstrip()
    if not text:
        return False
    if text[-1] in _UNFINISHED_MARKS or text.endswith("..."):
        return True
    return text.rsplit(maxsplit=1)[-1].lower() in _UNFINISHED_WORDS
