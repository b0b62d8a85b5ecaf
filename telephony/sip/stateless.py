"""Responses that keep no state: to broken requests, and under overload (RFC 3261 section 8.2.7)."""

from __future__ import annotations

from hashlib import blake2s

import sipmessage

from telephony.sip.flow import Address
from telephony.sip.message import list_values
from telephony.sip.values import ViaValue, read_tag, read_via
from telephony.sip.writer import HeaderLines, response_head, write_response

_MANDATORY = ("From", "To", "Call-ID", "CSeq")


def answerable_via(method: str, headers: sipmessage.Headers) -> ViaValue | None:
    """Return where a response would go; None when there can't be one.

    Without Via it has nowhere to go, without the other mandatory headers nobody could match it,
    and an ACK is never answered.
    """
    if method == "ACK" or any(not headers.get(name) for name in _MANDATORY):
        return None
    via_lines = list_values(headers, "Via")
    return read_via(via_lines[0]) if via_lines else None


def write_stateless(
    status: int,
    via: ViaValue,
    headers: sipmessage.Headers,
    source: Address,
    secret: bytes,
    extra: HeaderLines = (),
) -> bytes:
    """Write a response to the request with ``headers``; every copy of it gets the same To tag."""
    to_value = headers["To"]
    if not read_tag(to_value):
        text = f"{via.branch} {headers['Call-ID']} {headers['CSeq']}"
        octets = text.encode("utf-8", "surrogateescape")
        to_value += f";tag={blake2s(octets, digest_size=8, key=secret).hexdigest()}"
    head = response_head(via, list_values(headers, "Via")[1:], source, headers)
    return write_response(status, head, to_value, extra)
