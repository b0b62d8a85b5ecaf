"""Responses that keep no state: to broken requests, and under overload (RFC 3261 section 8.2.7)."""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

import sipmessage

from telephony.sip.flow import Address
from telephony.sip.message import list_values
from telephony.sip.status import reason_phrase
from telephony.sip.values import ViaValue, read_tag, read_via, stamp_via
from telephony.sip.writer import HeaderLines

_COPIED = ("From", "Call-ID", "CSeq")
# A response has more octets for each Via than the request, whose source may be forged.
_MAX_VIAS: Final = 100


def answerable_via(method: str, headers: sipmessage.Headers) -> ViaValue | None:
    """Return where a response would go; None when there can't be one.

    Without Via it has nowhere to go, without CSeq nobody could match it (section 17.1.3), and an
    ACK is never answered. A Via of a version that does not exist gets its 505.
    """
    if method == "ACK" or not headers.get("CSeq"):
        return None
    via_lines = list_values(headers, "Via")
    return read_via(via_lines[0], any_version=True) if via_lines else None


def write_stateless(
    status: int,
    via: ViaValue,
    headers: sipmessage.Headers,
    source: Address,
    secret: bytes,
    extra: HeaderLines = (),
) -> bytes:
    """Write a response to the request with ``headers``; every copy of it gets the same To tag.

    Headers that the request should have had and has not are missing in the response too.
    """
    vias = [stamp_via(via, *source), *list_values(headers, "Via")[1:_MAX_VIAS]]
    lines = [f"SIP/2.0 {status} {reason_phrase(status)}"]
    lines += [f"Via: {value}" for value in vias]
    lines += [f"{name}: {value}" for name in _COPIED if (value := headers.get(name))]
    if to_value := headers.get("To"):
        lines.append(f"To: {_tagged(to_value, via, headers, secret)}")
    lines += [f"{name}: {value}" for name, value in (*extra, ("Content-Length", "0"))]
    return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape")


def _tagged(to_value: str, via: ViaValue, headers: sipmessage.Headers, secret: bytes) -> str:
    if read_tag(to_value):
        return to_value
    text = f"{via.branch} {headers.get('Call-ID')} {headers['CSeq']}"
    octets = text.encode("utf-8", "surrogateescape")
    return f"{to_value};tag={blake2s(octets, digest_size=8, key=secret).hexdigest()}"
