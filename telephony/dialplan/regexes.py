"""Regular expressions that cannot run away.

Python's ``re`` backtracks. A pattern is refused when a repeated group repeats or branches inside
(``(a+)+``, ``(a|b)*``), when it refers back to a group, or when an estimate of the ways to try it
goes beyond MAX_WAYS: each of ``*``, ``+``, ``{m,n}`` counts as MAX_VALUE_CHARACTERS, each ``?`` as
two, each group as its number of branches, and the possessive forms (``*+``, ``++``, ``?+``) as
one. A value longer than MAX_VALUE_CHARACTERS never matches.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

MAX_PATTERN_CHARACTERS = 200
MAX_VALUE_CHARACTERS = 128
# Two open repetitions and a few branches: at worst some 15 ms for one value.
MAX_WAYS = 4 * MAX_VALUE_CHARACTERS**2

_BRACES = re.compile(r"\{(\d*)(,?)(\d*)\}")
_GROUP_OPENING = re.compile(r"\((?:\?(?:P<\w+>|i?:|=|!|<=|<!|>))?")
_INLINE_FLAG = re.compile(r"\(\?i\)")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)


@dataclass(slots=True)
class _Group:
    repeats: bool = False
    branches: int = 1
    branches_inside: bool = False


def compile_regex(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern; ValueError says what is wrong and at which character."""
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise ValueError(f"the regex is longer than {MAX_PATTERN_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(pattern, re.ASCII | re.DOTALL)
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1} of the regex"
        raise ValueError(f"{error.msg}{place}") from None
    except (OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"the regex can't be used: {error}") from None
    _Inspection(pattern).run()
    return compiled


class _Inspection:
    """Walks a pattern that compiles and multiplies up the ways in which it may be tried."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._open = [_Group()]
        self._atom = _Group()
        self._ways = 1

    def run(self) -> None:
        while self._at < len(self._pattern):
            self._step()
        if self._ways * self._open[0].branches > MAX_WAYS:
            raise ValueError(
                "the regex has too many repetitions and branches to be tried on every call\n"
                "fix: use fewer of * + ? |, or possessive repetitions such as [0-9]++"
            )

    def _step(self) -> None:
        char = self._pattern[self._at]
        if char == "\\":
            self._escape()
        elif char == "[" and (found := _CLASS.match(self._pattern, self._at)):
            self._simple(found.end())
        elif char == "(":
            self._open_group()
        elif char == ")":
            self._close_group()
        elif char in "*+?" or (char == "{" and _BRACES.match(self._pattern, self._at)):
            self._quantifier(char)
        else:
            self._open[-1].branches += char == "|"
            self._simple(self._at + 1)

    def _simple(self, end: int) -> None:
        self._atom = _Group()
        self._at = end

    def _escape(self) -> None:
        if self._pattern[self._at + 1] in "123456789":
            raise ValueError(f"back-reference at character {self._at + 1} of the regex")
        self._simple(self._at + 2)

    def _open_group(self) -> None:
        if flag := _INLINE_FLAG.match(self._pattern, self._at):
            self._simple(flag.end())
            return
        opening = _GROUP_OPENING.match(self._pattern, self._at)
        assert opening is not None
        if opening.group() == "(" and self._pattern.startswith("(?", self._at):
            raise ValueError(f"this kind of group is not supported (character {self._at + 1})")
        self._open.append(_Group())
        self._at = opening.end()

    def _close_group(self) -> None:
        group = self._open.pop()
        group.branches_inside |= group.branches > 1
        self._ways *= group.branches
        self._open[-1].repeats |= group.repeats
        self._open[-1].branches_inside |= group.branches_inside
        self._atom = group
        self._at += 1

    def _quantifier(self, char: str) -> None:
        start = self._at
        braces = _BRACES.match(self._pattern, start) if char == "{" else None
        self._at = braces.end() if braces else start + 1
        after = self._pattern[self._at : self._at + 1]
        self._at += after in ("?", "+") and after != ""
        if char != "?" and (self._atom.repeats or self._atom.branches_inside):
            raise ValueError(
                f"the repetition at character {start + 1} of the regex repeats a group that "
                "itself repeats or branches, which can take for ever"
            )
        if braces is not None and not braces.group(2):
            return  # {n} tries one way only
        self._open[-1].repeats = True
        if after != "+":
            self._ways *= 2 if char == "?" else MAX_VALUE_CHARACTERS
