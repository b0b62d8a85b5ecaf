"""Values such as ``token;name=value;name="quoted; value";uri=<sip:a;b>``, taken apart.

Semicolons inside quotes and angle brackets separate nothing. One pass over the text, whatever it
holds.
"""

from __future__ import annotations

import re
from itertools import islice

from telephony.sip.message import HeaderView
from telephony.sip.values import split_list

_MARK = re.compile(r'[";<>]|\\.', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def list_items(headers: HeaderView, name: str, max_items: int, max_chars: int) -> list[str]:
    """Return the elements of every header ``name``, at most ``max_items`` of them.

    A line of more than ``max_chars`` is left out: what is read here is never worth that much.
    """
    lines = (value for value in headers.get_all(name) if len(value) <= max_chars)
    return list(islice((item for line in lines for item in split_list(line)), max_items))


def split_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the first ``;`` and the parameters after it.

    Names are in lower case; quotes are taken off, angle brackets are not. The first of two
    parameters with one name counts; one without a value has "".
    """
    head, *parts = _split(value)
    parameters: dict[str, str] = {}
    for part in parts:
        name, _, text = part.partition("=")
        if name := name.strip().lower():
            parameters.setdefault(name, unquoted(text.strip()))
    return head.strip(), parameters


def unquoted(text: str) -> str:
    """Return ``text`` without the quotes around it and the escapes inside them."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])


def quoted(text: str) -> str:
    """Return ``text`` as a quoted-string; control characters, which none may hold, are dropped."""
    clean = "".join(char for char in text if char.isprintable())
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _split(value: str) -> list[str]:
    parts: list[str] = []
    start, in_quotes, in_brackets = 0, False, False
    for match in _MARK.finditer(value):
        mark = match.group()
        if mark == '"':
            in_quotes = not in_quotes and not in_brackets
        elif in_quotes:
            continue
        elif mark in "<>":
            in_brackets = mark == "<"
        elif mark == ";" and not in_brackets:
            parts.append(value[start : match.start()])
            start = match.end()
    parts.append(value[start:])
    return parts
