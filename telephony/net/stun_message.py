"""STUN Binding messages (RFC 8489): one request to write, its answers to read."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from telephony.net.listen import Address

TRANSACTION_ID_BYTES: Final = 12

_COOKIE: Final = 0x2112A442
_COOKIE_OCTETS: Final = _COOKIE.to_bytes(4)
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_BINDING_REQUEST: Final = 0x0001
_BINDING_SUCCESS: Final = 0x0101
_BINDING_ERROR: Final = 0x0111

_MAPPED_ADDRESS: Final = 0x0001
_ERROR_CODE: Final = 0x0009
_XOR_MAPPED_ADDRESS: Final = 0x0020
# Attributes below this number must be understood (section 14).
_OPTIONAL: Final = 0x8000
# What a server may put into an answer to a request without credentials, and we have no use for.
_HARMLESS: Final = frozenset((0x0006, 0x0008, 0x000A, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E))
_MAX_ATTRIBUTES: Final = 32
_FAMILIES: Final = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}


@dataclass(frozen=True, slots=True)
class BindingAnswer:
    """What a server said: our address as it sees it, or an error code (section 14.8)."""

    transaction_id: bytes
    mapped: Address | None
    error: int = 0


def is_stun(data: bytes) -> bool:
    """Tell STUN from SIP on one socket (section 5): SIP begins with a letter."""
    return len(data) >= 20 and data[0] < 4 and data[4:8] == _COOKIE_OCTETS


def binding_request(transaction_id: bytes) -> bytes:
    """Write a Binding request without attributes."""
    return _HEADER.pack(_BINDING_REQUEST, 0, _COOKIE, transaction_id)


def read_binding_answer(data: bytes) -> BindingAnswer | None:
    """Read a response to a Binding request; None for everything else, and for what is broken."""
    if not is_stun(data) or len(data) % 4:
        return None
    kind, length_bytes, _cookie, transaction_id = _HEADER.unpack_from(data)
    if length_bytes != len(data) - _HEADER.size or kind not in (_BINDING_SUCCESS, _BINDING_ERROR):
        return None
    attributes = dict[int, bytes]()
    for number, value in _attributes(data):
        known = number in (_MAPPED_ADDRESS, _XOR_MAPPED_ADDRESS, _ERROR_CODE)
        if not known and number < _OPTIONAL and number not in _HARMLESS:
            return None
        # Only the first of several counts (section 14).
        attributes.setdefault(number, value)
    if kind == _BINDING_ERROR:
        return _read_error(transaction_id, attributes.get(_ERROR_CODE, b""))
    return _read_success(transaction_id, attributes)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = _HEADER.size
    for _ in range(_MAX_ATTRIBUTES):
        if at + _ATTRIBUTE.size > len(data):
            return
        number, size_bytes = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        if at + size_bytes > len(data):
            return
        yield number, data[at : at + size_bytes]
        # Values are padded to whole words.
        at += (size_bytes + 3) & ~3


def _read_error(transaction_id: bytes, value: bytes) -> BindingAnswer | None:
    if len(value) < 4:
        return None
    code = (value[2] & 7) * 100 + value[3]
    return BindingAnswer(transaction_id, None, code) if 300 <= code <= 699 else None


def _read_success(transaction_id: bytes, attributes: dict[int, bytes]) -> BindingAnswer | None:
    if (masked := attributes.get(_XOR_MAPPED_ADDRESS)) is not None:
        mapped = _read_address(masked, _COOKIE_OCTETS + transaction_id)
    else:
        # Servers of RFC 3489 know only this one; some NATs rewrite it.
        mapped = _read_address(attributes.get(_MAPPED_ADDRESS, b""), bytes(16))
    return BindingAnswer(transaction_id, mapped) if mapped else None


def _read_address(value: bytes, mask: bytes) -> Address | None:
    if len(value) < 4 or value[1] not in _FAMILIES:
        return None
    family, size_bytes = _FAMILIES[value[1]]
    if len(value) != 4 + size_bytes:
        return None
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(mask[:2])
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    return (socket.inet_ntop(family, packed), port) if port else None
