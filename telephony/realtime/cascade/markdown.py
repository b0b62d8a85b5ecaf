"""Takes out of a piece of text what is written for the eye."""

from __future__ import annotations

import re
import unicodedata

_IMAGE_OR_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|?)+[ \t]*$", re.MULTILINE)
_LINE_HEAD = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•][ \t]+)+", re.MULTILINE)
_BEFORE_ITEM = re.compile(r"(?<=\w)[ \t]*\n\s*(?=(?:[-*+•]|#{1,6}|\d{1,2}[.)])[ \t])")
_CELLS = re.compile(r"[ \t]*\|[ \t]*")
_STARS = re.compile(r"(?<=\S)(?:\*+|`+|~~)|(?:\*+|`+|~~)(?=\S)")
_UNDERSCORES = re.compile(r"(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
_BLANKS = re.compile(r"\s+")
_FIRST_PICTURE = 0x2190


def spoken_text(text: str) -> str:
    """Return ``text`` as it is to be spoken: no markup, no pictures, single spaces.

    Links become their words; table cells and list items are separated by commas. A star between
    blanks stays.
    """
    text = _IMAGE_OR_LINK.sub(r"\1", text)
    for pattern in (_FENCE, _RULE, _TABLE_RULE):
        text = pattern.sub("", text)
    text = _LINE_HEAD.sub("", _BEFORE_ITEM.sub(",\n", text))
    if "|" in text:
        text = "\n".join(_row(line) for line in text.split("\n"))
    text = _UNDERSCORES.sub("", _STARS.sub("", text))
    if not text.isascii():
        text = "".join(character for character in text if not _is_picture(character))
    return _BLANKS.sub(" ", text).strip()


def _row(line: str) -> str:
    return _CELLS.sub(", ", line.strip().strip("|").strip())


def _is_picture(character: str) -> bool:
    """Whether this is an emoji, a dingbat or what joins them; letters' signs (°, ®) are none."""
    if ord(character) < _FIRST_PICTURE:
        return character in "\u200d\u20e3"
    if 0xFE00 <= ord(character) <= 0xFE0F or 0x1F3FB <= ord(character) <= 0x1F3FF:
        return True
    return unicodedata.category(character) == "So"
