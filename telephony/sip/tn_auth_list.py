"""The TNAuthList extension of STIR certificates (RFC 8226 section 9): for whom a key may speak.

DER is read by hand: strictly, without recursion, and only what the extension can hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

TN_AUTH_LIST_OID: Final = "1.3.6.1.5.5.7.1.26"

_SEQUENCE: Final = 0x30
_IA5_STRING: Final = 0x16
_INTEGER: Final = 0x02
# CHOICE in a module with explicit tags.
_PROVIDER_CODE: Final = 0xA0
_RANGE: Final = 0xA1
_ONE: Final = 0xA2

_NUMBER = re.compile(r"[0-9#*]{1,15}")
_RANGE_START = re.compile(r"[0-9]{1,15}")
_CODE = re.compile(r"[!-~]{1,32}")
_MAX_COUNT: Final = 10**15

Items = list[tuple[int, bytes]]


class TnAuthListError(ValueError):
    """The extension is not what RFC 8226 says."""


@dataclass(frozen=True, slots=True)
class TnAuthList:
    """Who a certificate was issued to: providers, numbers, and blocks of (first, count)."""

    provider_codes: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()
    ranges: tuple[tuple[str, int], ...] = ()

    def covers(self, number: str) -> bool:
        """True when the key may speak for ``number`` (digits with country code, no ``+``).

        Which numbers belong to a provider is not in the certificate: with a provider code every
        number is covered.
        """
        if self.provider_codes or number in self.numbers:
            return True
        if not number.isascii() or not number.isdecimal():
            return False
        return any(
            len(first) == len(number) and 0 <= int(number) - int(first) < count
            for first, count in self.ranges
        )


def parse_tn_auth_list(der: bytes) -> TnAuthList:
    """Read the value of the extension; raises TnAuthListError."""
    codes: list[str] = []
    numbers: set[str] = set()
    ranges: list[tuple[str, int]] = []
    for tag, content in _items(_only(der, _SEQUENCE)):
        if tag == _PROVIDER_CODE:
            codes.append(_text(_only(content, _IA5_STRING), _CODE))
        elif tag == _ONE:
            numbers.add(_text(_only(content, _IA5_STRING), _NUMBER))
        elif tag == _RANGE:
            ranges.append(_range(_only(content, _SEQUENCE)))
        else:
            raise TnAuthListError(f"unknown entry {tag:#x}")
    if not (codes or numbers or ranges):
        raise TnAuthListError("no entries")
    return TnAuthList(tuple(codes), frozenset(numbers), tuple(ranges))


def _range(content: bytes) -> tuple[str, int]:
    items = _items(content)
    if [tag for tag, _ in items] != [_IA5_STRING, _INTEGER]:
        raise TnAuthListError("bad range")
    start, number = items[0][1], items[1][1]
    count = int.from_bytes(number, signed=True) if len(number) <= 8 else 0
    if not 2 <= count <= _MAX_COUNT:
        raise TnAuthListError("bad count")
    return _text(start, _RANGE_START), count


def _text(content: bytes, allowed: re.Pattern[str]) -> str:
    text = content.decode("ascii", "replace")
    if allowed.fullmatch(text) is None:
        raise TnAuthListError("bad characters")
    return text


def _only(data: bytes, tag: int) -> bytes:
    """Return the content of the one element that ``data`` is."""
    match _items(data):
        case [(found, content)] if found == tag:
            return content
    raise TnAuthListError(f"expected {tag:#x}")


def _items(data: bytes) -> Items:
    """Split ``data`` into its elements: tag and content of each."""
    items: Items = []
    at = 0
    while at < len(data):
        tag, length, start = _head(data, at)
        at = start + length
        if at > len(data):
            raise TnAuthListError("cut short")
        items.append((tag, data[start:at]))
    return items


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, content length and start of the content of the element at ``at``."""
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        raise TnAuthListError("bad tag")
    length = data[at + 1]
    if length < 0x80:
        return data[at], length, at + 2
    size = length - 0x80
    end = at + 2 + size
    if not 1 <= size <= 3 or end > len(data):
        raise TnAuthListError("bad length")
    return data[at], int.from_bytes(data[at + 2 : end]), end
