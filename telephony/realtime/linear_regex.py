"""Regular expressions that are searched in linear time, whatever they are and whatever was said.

Python's ``re`` tries one way after the other: ``.*.*x`` takes milliseconds for every word of a
sentence, in which no call is heard. RE2 takes time in proportion to the text. It is given Python's
syntax, read by Python's own parser, with Python's meaning:

* ``\\w``, ``\\d``, ``\\s`` and ``\\b`` know the letters of every script; RE2's own know ASCII. Its
  ``\\b`` can't be taught that, so the boundaries of words are marks in the text (:func:`marked`),
  which every character may have before it, and ``\\b`` has to have.
* Possessive repetitions and atomic groups may give back what they took.

What needs more than linear time is refused: references to groups, and conditions on what is before
or after.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import re2

MAX_PATTERN_CHARACTERS = 200
_MAX_MEMORY_BYTES = 4 << 20

MARK = "\ue000"
"""Stands at boundaries of words: a character of the private use area, which nobody says."""
_MARKS = 3 * MARK
"""So many ``\\b`` of different groups may stand together in a pattern."""

_BOUNDARY = re.compile(r"\b")
_ONE_I = frozenset(map(ord, "Iiİı"))
"""Python takes these for one letter in two cases; RE2 does not."""
# Between two characters these commute; only in this order do they find the marks.
_ORDER = {op.AT_BEGINNING: 0, op.AT_BEGINNING_STRING: 0, op.AT_BOUNDARY: 1}
_UNSUPPORTED = {
    op.ASSERT: ("a condition on what follows or goes before", "write it as a rule of its own"),
    op.ASSERT_NOT: ("a condition on what may not follow", "write what may follow, as in [^a-z]"),
    op.GROUPREF: ("a reference to a group", "write out what the group stands for"),
    op.GROUPREF_EXISTS: ("a condition on a group", "write the two cases with |"),
}
_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def marked(text: str) -> str:
    """Return a text with marks wherever a word begins or ends."""
    return _BOUNDARY.sub(_MARKS, text)


class Window:
    """A part of a text to search in, and the character before it, if there is one.

    What RE2 can't be given, halves of surrogate pairs and the mark itself, becomes "?". Patterns
    are many and the marks the same for all: they are made when the first one asks.
    """

    __slots__ = ("_marked", "start", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.start = min(start, 1)
        text = text[start - self.start : end]
        if not text.isascii():
            text = text.replace(MARK, "?").encode("utf-8", "replace").decode()
        self.text = text
        self._marked: str | None = None

    @property
    def marked(self) -> str:
        if self._marked is None:
            self._marked = marked(self.text)
        return self._marked

    @property
    def marked_start(self) -> int:
        """Where the window begins in :attr:`marked`: behind the character before it."""
        if not self.start:
            return 0
        return 1 + (len(_MARKS) if self.marked.startswith(MARK) else 0)


class LinearRegex:
    """A pattern without regard to case, of which a dot is any character.

    ``on_words``: it is searched in a text that is :func:`marked`.
    """

    __slots__ = ("_search", "on_words", "pattern")

    def __init__(self, pattern: str) -> None:
        """Read a pattern; ValueError says what is wrong with it, and the remedy."""
        if len(pattern) > MAX_PATTERN_CHARACTERS:
            raise ValueError(f"the regex is longer than {MAX_PATTERN_CHARACTERS} characters")
        tree = _parse(pattern)
        self.pattern = pattern
        self.on_words = op.AT_BOUNDARY in _places(tree)
        writer = _Writer(self.on_words, multiline=bool(tree.state.flags & re.MULTILINE))
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MAX_MEMORY_BYTES
        try:
            self._search = re2.compile(f"(?is){writer.sequence(tree)}", options).search
        except re2.error as error:
            problem = f"the regex can't be used: {_told(error)}\nfix: repeat less in it"
            raise ValueError(problem) from None

    def found_in(self, window: Window) -> bool:
        """Tell whether it is found there."""
        if self.on_words:
            return self._search(window.marked, window.marked_start) is not None
        return self._search(window.text, window.start) is not None


def _parse(pattern: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = parser.parse(pattern, re.IGNORECASE | re.DOTALL)
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1} of the regex"
        raise ValueError(f"{error.msg}{place}") from None
    except (OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"the regex can't be used: {error}") from None
    if tree.state.flags & re.ASCII:
        raise ValueError("(?a) is not supported: people speak in letters of every script")
    return tree


def _told(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _places(tree: Iterable[Any]) -> set[Any]:
    """Return every kind of place (``^``, ``\\b``) that a pattern asks for."""
    found = set()
    for kind, value in tree:
        if kind is op.AT:
            found.add(value)
        elif kind is op.BRANCH:
            found.update(*(_places(branch) for branch in value[1]))
        elif kind is op.SUBPATTERN:
            found |= _places(value[3])
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            found |= _places(value[2])
        elif kind is op.ATOMIC_GROUP:
            found |= _places(value)
    return found


class _Writer:
    """Writes a parsed pattern in RE2's syntax."""

    def __init__(self, on_words: bool, *, multiline: bool) -> None:
        self._on_words = on_words
        self._ignores_case = True
        self._lines = "(?m:{})" if multiline else "(?:{})"

    def sequence(self, tree: Iterable[Any]) -> str:
        return "".join(self._node(kind, value) for kind, value in _in_order(tree))

    def _node(self, kind: Any, value: Any) -> str:
        if kind is op.LITERAL:
            return self._class([(op.LITERAL, value)])
        if kind is op.NOT_LITERAL:
            return self._class([(op.NEGATE, None), (op.LITERAL, value)])
        if kind is op.ANY:
            return self._character(f"[^{_code(ord(MARK))}]")
        if kind is op.IN:
            return self._class(value)
        if kind is op.BRANCH:
            return f"(?:{'|'.join(self.sequence(branch) for branch in value[1])})"
        if kind is op.SUBPATTERN:
            return self._group(value)
        if kind is op.ATOMIC_GROUP:
            return f"(?:{self.sequence(value)})"
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            low, high, inner = value
            most = "" if high is op.MAXREPEAT else high
            return f"(?:{self.sequence(inner)}){{{low},{most}}}"
        if kind is op.AT:
            return self._place(value)
        raise _unsupported(*_UNSUPPORTED.get(kind, (str(kind).lower(), "write it otherwise")))

    def _group(self, value: Any) -> str:
        _, added, removed, inner = value
        if added & ~(re.IGNORECASE | re.DOTALL | re.VERBOSE) or removed & re.DOTALL:
            raise _unsupported("a flag of a group", "use (?i:...) and (?-i:...) only")
        before = self._ignores_case
        self._ignores_case = bool((before or added & re.IGNORECASE) and not removed & re.IGNORECASE)
        flag = "i" if self._ignores_case else "-i"
        written = f"(?{flag}:{self.sequence(inner)})"
        self._ignores_case = before
        return written

    def _place(self, value: Any) -> str:
        if value is op.AT_BOUNDARY:
            return _code(ord(MARK))
        if value is op.AT_BEGINNING:
            return self._lines.format("^")
        if value is op.AT_BEGINNING_STRING:
            return r"\A"
        if value is op.AT_NON_BOUNDARY:
            raise _unsupported(r"\B", r"write \w where a word has to go on")
        mark = f"{_code(ord(MARK))}*" if self._on_words else ""
        if value is op.AT_END_STRING:
            return rf"(?:{mark}\z)"
        # Before a line break at the very end, too.
        return rf"(?:{mark}(?:{self._lines.format('$')}|\n\z))"

    def _class(self, members: Iterable[Any]) -> str:
        negated, parts = False, list[str]()
        for kind, value in members:
            if kind is op.NEGATE:
                negated = True
            elif kind is op.LITERAL:
                parts += self._range(value, value)
            elif kind is op.RANGE:
                parts += self._range(*value)
            else:
                parts.append(_all_of(_CATEGORIES[value]))
        if negated:
            return self._character(f"[^{''.join(parts)}{_code(ord(MARK))}]")
        return self._character(f"[{''.join(parts)}]")

    def _range(self, first: int, last: int) -> Iterator[str]:
        yield f"{_code(first)}-{_code(last)}"
        if self._ignores_case and any(first <= letter <= last for letter in _ONE_I):
            yield from map(_code, _ONE_I)

    def _character(self, text: str) -> str:
        return f"(?:{_code(ord(MARK))}*{text})" if self._on_words else text


def _in_order(tree: Iterable[Any]) -> Iterator[Any]:
    """Yield the parts of a sequence; of places that stand together ends last, and one ``\\b``."""
    for is_place, parts in groupby(tree, lambda part: part[0] is op.AT):
        if is_place:
            yield from sorted(dict.fromkeys(parts), key=lambda part: _ORDER.get(part[1], 2))
        else:
            yield from parts


def _unsupported(what: str, fix: str) -> ValueError:
    return ValueError(f"{what} is not supported in a regex here\nfix: {fix}")


def _code(character: int) -> str:
    return f"\\x{{{character:x}}}"


@lru_cache
def _all_of(category: str) -> str:
    """Return every character of a category but the mark, as the inside of a class."""
    stretch = re.compile(f"{category}+")
    parts = []
    # Without the surrogates, which are no characters, and the mark after them.
    for first, last in ((0, 0xD7FF), (ord(MARK) + 1, sys.maxunicode)):
        characters = "".join(map(chr, range(first, last + 1)))
        parts += [
            f"{_code(first + found.start())}-{_code(first + found.end() - 1)}"
            for found in stretch.finditer(characters)
        ]
    return "".join(parts)
