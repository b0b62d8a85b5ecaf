"""Patterns for numbers and names: exact, wildcard, regex; and which pattern covers which.

Numbers are compared without visual separators (``-``, ``.``, ``(``, ``)`` and spaces; RFC 3966
section 5.1.1) and without parameters (``;phone-context=...``), when what remains is a number:
an optional ``+``, then digits, ``*`` and ``#``. Any other user part, such as ``alice`` or
``sales-team``, is compared as it is. The ``+`` counts: ``+15550100`` is not ``15550100``.

In a number ``X`` stands for one digit and a ``*`` at the end for any rest, also an empty one. A
``*`` elsewhere is the star key, which only codes that begin with ``*`` or ``#`` may hold. In other
text only the ``*`` at the end is special. ``~`` starts a regex, searched in the normalised value;
anchor it with ``^`` and ``$``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from telephony.dialplan.regexes import MAX_VALUE_CHARACTERS, compile_regex

_SEPARATORS = {ord(char): None for char in "-.() "}
_NUMBER = re.compile(r"\+?[0-9*#]+")
_NUMBER_PATTERN = re.compile(r"\+?[0-9*#X]*")
# What people write who know another dialplan language, or a lower-case x.
_FOREIGN = re.compile(r"_.*|\+?[0-9xXNZ*#.!]*[xNZ.!][0-9xXNZ*#.!]*|\+.*[^0-9*#X].*")
_STAR_CODE = re.compile(r"[*#][0-9*#X]*")
_HAS_DIGIT = re.compile(r"[0-9X]")
_MATCHES_ANYTHING = frozenset({"", "^", "$", ".*", "^.*", ".*$", "^.*$"})


def normalise_number(number: str) -> str:
    """Return the number as it is compared; text that is no number comes back unchanged."""
    bare = number.partition(";")[0].translate(_SEPARATORS)
    return bare if _NUMBER.fullmatch(bare) else number


@dataclass(frozen=True, slots=True)
class Exact:
    """Matches one value."""

    text: str
    value: str

    def matches(self, value: str) -> bool:
        return value == self.value


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Matches ``stem`` (in which X is a digit, if ``digits``), then any rest if ``open_end``."""

    text: str
    stem: str
    digits: bool
    open_end: bool
    compiled: re.Pattern[str] | None

    def matches(self, value: str) -> bool:
        if self.compiled is None:
            return value.startswith(self.stem)
        return self.compiled.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Regex:
    """Matches what the expression finds in a value of bounded length."""

    text: str
    compiled: re.Pattern[str]

    def matches(self, value: str) -> bool:
        return len(value) <= MAX_VALUE_CHARACTERS and self.compiled.search(value) is not None


Pattern = Exact | Wildcard | Regex


def number_pattern(text: str) -> Pattern:
    """Compile a condition on a number; ValueError carries message and remedy."""
    if text.startswith("~"):
        return _regex(text)
    if text.startswith("^") or text.endswith("$"):
        raise ValueError(_regex_without_tilde(text))
    bare = text.translate(_SEPARATORS)
    # A final dot is Asterisk's "any rest", not a separator.
    foreign = bare + "." * text.endswith(".")
    if _HAS_DIGIT.search(bare) and _FOREIGN.fullmatch(foreign):
        raise ValueError(_not_a_pattern(foreign))
    if "*" in bare[:-1] and not _STAR_CODE.fullmatch(bare):
        raise ValueError(_star_inside(bare if _NUMBER_PATTERN.fullmatch(bare) else text))
    if _NUMBER_PATTERN.fullmatch(bare):
        if not bare:
            raise ValueError(_EMPTY)
        if "X" in bare or bare.endswith("*"):
            return _wildcard(text, bare, digits=True)
        return Exact(text, bare)
    return text_pattern(text)


def text_pattern(text: str) -> Pattern:
    """Compile a condition on a trunk or header value; ValueError carries message and remedy."""
    if text.startswith("~"):
        return _regex(text)
    if not text:
        raise ValueError(_EMPTY)
    if text.endswith("*"):
        return _wildcard(text, text, digits=False)
    return Exact(text, text)


_EMPTY = 'an empty text matches nothing useful\nfix: remove the condition, or write "~^$"'


def _regex(text: str) -> Pattern:
    if text[1:] in _MATCHES_ANYTHING:
        return Wildcard(text, "", False, True, None)
    return Regex(text, compile_regex(text[1:]))


def _not_a_pattern(bare: str) -> str:
    wanted = bare.removeprefix("_").replace("x", "X").rstrip(".!")
    wanted += "*" if bare.endswith((".", "!")) else ""
    fix = "write X for a digit and * at the end for any rest, or a regex: ~^...$"
    if _NUMBER_PATTERN.fullmatch(wanted):
        fix = f'did you mean "{wanted}"?'
    return f"{bare} is neither a number nor a pattern of digits, X and a final *\nfix: {fix}"


def _regex_without_tilde(text: str) -> str:
    start, end = "^" * text.startswith("^"), "$" * text.endswith("$")
    inside = text.removeprefix("^").removesuffix("$")
    if _NUMBER_PATTERN.fullmatch(inside):
        inside = _as_regex(inside)
    elif inside.startswith("+"):
        inside = f"\\{inside}"
    return f"a regex begins with ~\nfix: did you mean '~{start}{inside}{end}'?"


def _star_inside(pattern: str) -> str:
    single = re.sub(r"\*+", "*", pattern)
    wanted = f'"{single}"'
    if "*" in single[:-1]:
        wanted = f"'~^{_as_regex(single.removesuffix('*'))}{'$' * (not single.endswith('*'))}'"
    return f"only a * at the end stands for any rest\nfix: did you mean {wanted}?"


def _as_regex(pattern: str) -> str:
    if _NUMBER_PATTERN.fullmatch(pattern):
        return re.escape(pattern).replace("X", "[0-9]").replace(r"\*", ".*")
    return re.escape(pattern).replace(r"\*", ".*")


def _wildcard(text: str, bare: str, *, digits: bool) -> Wildcard:
    open_end = bare.endswith("*")
    stem = bare.removesuffix("*")
    if not (digits and "X" in stem):
        return Wildcard(text, stem, digits, open_end, None)
    source = re.escape(stem).replace("X", "[0-9]") + (".*" if open_end else "")
    return Wildcard(text, stem, digits, open_end, re.compile(source, re.DOTALL))


def is_anything(pattern: Pattern) -> bool:
    """True when the pattern matches every value, the empty one included."""
    return isinstance(pattern, Wildcard) and pattern.open_end and not pattern.stem


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """True when every value that ``narrow`` matches is surely matched by ``wide`` too."""
    if is_anything(wide):
        return True
    if isinstance(narrow, Exact):
        return wide.matches(narrow.value)
    if isinstance(narrow, Regex) or isinstance(wide, Regex):
        return wide.text == narrow.text
    return isinstance(wide, Wildcard) and _covers_wildcard(wide, narrow)


def _covers_wildcard(wide: Wildcard, narrow: Wildcard) -> bool:
    if wide.compiled is None and wide.digits == narrow.digits:
        return narrow.stem.startswith(wide.stem)
    if len(narrow.stem) < len(wide.stem) or (narrow.open_end and not wide.open_end):
        return False
    if len(narrow.stem) > len(wide.stem) and not wide.open_end:
        return False
    return all(
        _covers_char(a, wide.digits, b, narrow.digits)
        for a, b in zip(wide.stem, narrow.stem, strict=False)
    )


def _covers_char(wide: str, wide_digits: bool, narrow: str, narrow_digits: bool) -> bool:
    any_digit = narrow == "X" and narrow_digits
    if wide == "X" and wide_digits:
        return any_digit or narrow in "0123456789"
    return wide == narrow and not any_digit
