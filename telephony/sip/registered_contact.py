"""What a registrar granted: our Contact among those in its answer (RFC 3261 section 10.2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from telephony.sip.uri_match import same_uri
from telephony.sip.values import read_address, read_number, read_parameters, read_uri, split_list

_MAX_DELTA_S = 2**32 - 1
_DIGITS = re.compile(r"\s*([0-9]{1,10})")


class _Headers(Protocol):
    def get_all(self, name: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class GrantedExpires:
    """Seconds until the binding ends, and whether our Contact was in the list at all."""

    expires_s: int
    ours_listed: bool


def granted_expires(headers: _Headers, contact: str, requested_s: int) -> GrantedExpires:
    """Read a 2xx to a REGISTER that carried ``contact`` (a Contact value or its URI).

    The time is the ``expires`` of our Contact, else the Expires header, else what was asked for.
    Border controllers and NAT gateways change Contacts on the way, so a list without ours is
    taken for ours under another name: then the shortest time of the list counts.
    """
    default_s = read_delta_seconds(headers, "Expires")
    if default_s is None:
        default_s = requested_s
    ours = _uri_of(contact)
    times: list[int] = []
    for value in (item for line in headers.get_all("Contact") for item in split_list(line)):
        expires_s = _expires_of(value, default_s)
        if _is_same_contact(_uri_of(value), ours):
            return GrantedExpires(expires_s, True)
        if _uri_of(value):
            times.append(expires_s)
    return GrantedExpires(min(times, default=default_s), False)


def read_delta_seconds(headers: _Headers, name: str) -> int | None:
    """Return the seconds at the head of a header (comments may follow); None when unreadable."""
    for value in headers.get_all(name)[:1]:
        match = _DIGITS.match(value)
        if match is not None:
            return min(int(match.group(1)), _MAX_DELTA_S)
    return None


def _uri_of(value: str) -> str:
    address = read_address(value)
    if address is None:
        return ""
    return address.uri if read_uri(address.uri) is not None else ""


def _expires_of(value: str, default_s: int) -> int:
    """Return the ``expires`` parameter of a Contact, ``default_s`` when it is not a number."""
    _, bracket, after = value.rpartition(">")
    text = after if bracket else value.partition(";")[2]
    expires_s = read_number(read_parameters(text).get("expires"), _MAX_DELTA_S)
    return default_s if expires_s is None else expires_s


def _is_same_contact(one: str, other: str) -> bool:
    if not one or not other or not same_uri(one, other):
        return False
    return _transport_of(one) == _transport_of(other)


def _transport_of(uri: str) -> str:
    return (read_parameters(uri.partition("?")[0]).get("transport") or "udp").lower()
