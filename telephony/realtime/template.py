"""Text with places for values: ``You speak with {{caller_name}}.``

A place is a name between two pairs of braces; blanks around the name don't count. Nothing is
ever evaluated: a value is put in as text, and braces in a value are text too. ``\\{{`` stands for
two braces. What else two opening braces are followed by is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_VALUE_CHARACTERS = 1000
"""Longer values are cut."""

_MARK = re.compile(r"\\\{\{|\{\{(?:[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\})?")
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


class BadTemplate(ValueError):  # noqa: N818 - reads as the fact it states
    """``offset`` is the character at which the mistake begins, from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class TemplateName:
    """A name that a template uses; ``offset`` is where its braces open, from 0."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was read: pieces of text, and names in between."""

    parts: tuple[str | TemplateName, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a text; raises BadTemplate for braces that hold no name."""
        parts: list[str | TemplateName] = []
        end = 0
        for mark in _MARK.finditer(text):
            parts.append(text[end : mark.start()])
            end = mark.end()
            if mark[0].startswith("\\"):
                parts.append("{{")
            elif mark[1] is None:
                raise BadTemplate("{{ is not followed by a name and }}", mark.start())
            else:
                parts.append(TemplateName(mark[1], mark.start()))
        parts.append(text[end:])
        return cls(tuple(part for part in parts if part != ""))

    @property
    def names(self) -> Iterator[TemplateName]:
        """Yield the names in order, those that come twice twice."""
        return (part for part in self.parts if isinstance(part, TemplateName))

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with :func:`plain_text` of the values; one that is missing is ""."""
        return "".join(
            part if isinstance(part, str) else plain_text(values.get(part.name, ""))
            for part in self.parts
        )


def plain_text(value: str) -> str:
    """Return a value on one line: without control and invisible formatting characters, bounded.

    A caller chooses the name that the display shows; it is not to look like instructions of ours.
    """
    text = _NOT_TEXT.sub(" ", _SURROGATE.sub("\ufffd", value[: 4 * MAX_VALUE_CHARACTERS])).strip()
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS].rstrip() + "…"
