"""Cuts the text of a language model, as it comes, into pieces that are spoken one by one.

The first piece is short, so that speech begins early: it may end with a clause. Later ones end
with a sentence, as a voice needs to see a whole one to read it well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from telephony.realtime.cascade.markdown import spoken_text

_ENDS = ".?!…"
_WIDE_ENDS = "。？！｡؟۔।॥።"
"""Ends of sentences in scripts that do not all put a blank after them."""
_CLAUSE_ENDS = ",;:"
_WIDE_CLAUSE_ENDS = "，、；：،؛—"
_CLOSING = "\"'”’»)]}」』"
_NEWLINE = "\n"

_ENGLISH = (
    "dr mr mrs ms prof st jr sr vs etc approx dept est inc ltd co corp no nos fig gen gov lt col"
    " sgt rev hon mt ave blvd rd apt ext tel e.g i.e a.m p.m u.s u.k ph.d"
)
_GERMAN = "z.b d.h u.a z.t bzw usw ggf ca nr str evtl inkl zzgl abs bspw sog hr fr mio mrd"
_ROMANCE = "mme mlle av bd p.ex sra srta ud uds pág núm sig sig.ra dott avv ing"
_DUTCH = "bv dhr mevr"
_ABBREVIATIONS = frozenset(" ".join((_ENGLISH, _GERMAN, _ROMANCE, _DUTCH)).split())
_WORD_BEFORE = re.compile(r"[^\s(\[{\"'“‘«„]+$")
_ORDINAL = re.compile(r"(?:^|[^\d.,])\d{1,2}$")
_BETWEEN_DIGITS = re.compile(r"\d[)/-]?\s+[(+]?\d")


@dataclass(frozen=True, slots=True)
class ChunkSizes:
    """In characters. A first piece may end with a clause of ``first_min``; a later one has at
    least ``later_min``, if the text has; none is longer than ``most``."""

    first_min: int = 20
    later_min: int = 12
    most: int = 200


_DEFAULT_SIZES = ChunkSizes()


class SentenceChunker:
    """One response's text. :meth:`push` what comes, :meth:`flush` at its end."""

    __slots__ = ("_begun", "_scanned", "_sizes", "_text")

    def __init__(self, sizes: ChunkSizes = _DEFAULT_SIZES) -> None:
        self._sizes = sizes
        self._text = ""
        self._scanned = 0
        self._begun = False

    @property
    def pending(self) -> bool:
        """Whether text waits for the rest of its piece."""
        return bool(self._text.strip())

    def push(self, text: str) -> list[str]:
        """Return the pieces that are complete now, without blanks at their ends."""
        self._text += text
        pieces: list[str] = []
        while (end := self._next_end()) is not None:
            self._cut(end, pieces)
        return pieces

    def flush(self) -> list[str]:
        """Return what is left, in as many pieces as it takes."""
        pieces: list[str] = []
        while self._text.strip():
            longer = len(self._text) > self._sizes.most
            self._cut(self._forced_end() if longer else len(self._text), pieces)
        self._text = ""
        self._scanned = 0
        return pieces

    def _cut(self, end: int, pieces: list[str]) -> None:
        piece = spoken_text(self._text[:end])
        self._text = self._text[end:]
        self._scanned = 0
        # A piece of nothing but markup or dashes has no sound.
        if any(character.isalnum() for character in piece):
            pieces.append(piece)
            self._begun = True

    def _next_end(self) -> int | None:
        """Return where the next piece ends, or None while that can't be told."""
        text = self._text
        for at in range(self._scanned, len(text)):
            end = self._end_at(at)
            if end is not None:
                return end
        # What a mark at the very end means, the next character tells.
        self._scanned = max(0, len(text) - len(_CLOSING))
        if len(text) > self._sizes.most:
            return self._forced_end()
        return None

    def _end_at(self, at: int) -> int | None:
        """Return the end of a piece whose last mark is at ``at``, if one may end there."""
        text = self._text
        mark = text[at]
        if mark == _NEWLINE:
            return at + 1 if self._long_enough(at, sentence=True) else None
        sentence = mark in _ENDS or mark in _WIDE_ENDS
        clause = not self._begun and (mark in _CLAUSE_ENDS or mark in _WIDE_CLAUSE_ENDS)
        if not sentence and not clause:
            return None
        end = at + 1
        while end < len(text) and (text[end] in _CLOSING or text[end] in "*_`"):
            end += 1
        if mark not in _WIDE_ENDS and mark not in _WIDE_CLAUSE_ENDS:
            if end >= len(text) or not text[end].isspace():
                return None
        elif end < len(text) and (text[end] in _WIDE_ENDS or text[end] in _ENDS):
            return None
        if mark == "." and not _ends_sentence(text[:at]):
            return None
        if not self._long_enough(end, sentence=sentence) or _in_link(text[:end]):
            return None
        return end

    def _long_enough(self, end: int, *, sentence: bool) -> bool:
        length = len(self._text[:end].strip())
        if not self._begun:
            return length >= (2 if sentence else self._sizes.first_min)
        return length >= self._sizes.later_min

    def _forced_end(self) -> int:
        """Return where text that goes on for too long is cut: after a clause, else a word."""
        text = self._text[: self._sizes.most]
        for marks in (_ENDS + _CLAUSE_ENDS + _WIDE_ENDS + _WIDE_CLAUSE_ENDS, ""):
            for at in range(len(text) - 1, self._sizes.most // 3, -1):
                if not text[at].isspace():
                    if marks and text[at] in _WIDE_ENDS + _WIDE_CLAUSE_ENDS:
                        return at + 1
                    continue
                if marks and text[at - 1] not in marks:
                    continue
                if _BETWEEN_DIGITS.search(self._text[at - 2 : at + 3]) or _in_link(text[:at]):
                    continue
                return at
        return len(text)


def _ends_sentence(before: str) -> bool:
    """Whether a full stop after ``before`` ends a sentence; when in doubt it does not.

    None after an abbreviation, an initial, or a number of one or two digits, which may be an
    ordinal.
    """
    found = _WORD_BEFORE.search(before)
    word = found.group().lower().lstrip("*_") if found else ""
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "i"):
        return False
    return not _ORDINAL.search(before[-4:])


def _in_link(text: str) -> bool:
    """Whether ``text`` ends inside of ``[words](address)``."""
    opened = text.rfind("[")
    if opened < 0:
        return False
    closed = text.find("]", opened)
    if closed < 0:
        return True
    return text[closed + 1 : closed + 2] == "(" and ")" not in text[closed:]
