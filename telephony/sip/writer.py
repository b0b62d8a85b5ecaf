"""Messages to octets.

Written as text and not through the library's objects: those re-escape what they read, and what a
peer gave us goes back octet for octet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sipmessage

from telephony.base.errors import LocalProtocolError
from telephony.sip.flow import Address
from telephony.sip.status import reason_phrase
from telephony.sip.values import ViaValue, read_address, read_uri, stamp_via

HeaderLines = Sequence[tuple[str, str]]
SDP_TYPE = "application/sdp"

_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_LINE_BREAKS = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class RequestParts:
    """A request before it is written; ``cseq`` carries no method, ``via`` is one value."""

    method: str
    uri: str
    via: str
    routes: Sequence[str]
    from_value: str
    to_value: str
    call_id: str
    cseq: int


def write_request(
    parts: RequestParts, headers: HeaderLines = (), content_type: str = "", body: bytes = b""
) -> bytes:
    head = (
        f"{parts.method} {parts.uri} SIP/2.0\r\nVia: {parts.via}\r\n"
        f"{_lines('Route', parts.routes)}Max-Forwards: 70\r\nFrom: {parts.from_value}\r\n"
        f"To: {parts.to_value}\r\nCall-ID: {parts.call_id}\r\n"
        f"CSeq: {parts.cseq} {parts.method}\r\n{_header_lines(headers)}"
    )
    return _finish(head, content_type, body)


def response_head(
    via: ViaValue, more_vias: Sequence[str], source: Address, headers: sipmessage.Headers
) -> str:
    """Return what every response to a request has in common (section 8.2.6.2), To excepted.

    ``headers`` are the request's; From, Call-ID and CSeq must be among them.
    """
    return (
        f"{_lines('Via', (stamp_via(via, *source), *more_vias))}From: {headers['From']}\r\n"
        f"Call-ID: {headers['Call-ID']}\r\nCSeq: {headers['CSeq']}\r\n"
    )


def write_response(
    status: int,
    head: str,
    to_value: str,
    headers: HeaderLines = (),
    body: bytes = b"",
    reason: str = "",
    content_type: str = SDP_TYPE,
) -> bytes:
    """Write a response; ``head`` comes from ``response_head``, ``to_value`` has its tag."""
    text = (
        f"SIP/2.0 {status} {reason or reason_phrase(status)}\r\n{head}To: {to_value}\r\n"
        f"{_header_lines(headers)}"
    )
    return _finish(text, content_type if body else "", body)


def check_headers(headers: HeaderLines, reason: str = "") -> None:
    """Raise LocalProtocolError for a header or phrase that would break the message apart."""
    if _LINE_BREAKS.search(reason):
        raise LocalProtocolError("a reason phrase can't contain a line break")
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or _LINE_BREAKS.search(value):
            raise LocalProtocolError(f"not a header: {name!r}: {value!r}")


def check_addresses(request_uri: str, *addresses: str) -> None:
    """Raise LocalProtocolError for addresses that would not make a valid request."""
    if read_uri(request_uri) is None:
        raise LocalProtocolError(f"not a SIP URI: {request_uri!r}")
    for text in addresses:
        address = read_address(text)
        if address is None or read_uri(address.uri) is None or _LINE_BREAKS.search(text):
            raise LocalProtocolError(f"not a SIP address: {text!r}")


def check_routes(routes: Sequence[str]) -> None:
    """Raise LocalProtocolError unless each of ``routes`` is one Route value (section 20.34)."""
    for route in routes:
        check_addresses("sip:route", route)
        if "<" not in route:
            raise LocalProtocolError(f"not a name-addr: {route!r}")


def name_addr(address: str) -> str:
    """Return a URI in angle brackets, a name-addr as it is."""
    return address if "<" in address else f"<{address}>"


def _lines(name: str, values: Iterable[str]) -> str:
    return "".join([f"{name}: {value}\r\n" for value in values])


def _header_lines(headers: HeaderLines) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def _finish(head: str, content_type: str, body: bytes) -> bytes:
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    text = f"{head}{kind}Content-Length: {len(body)}\r\n\r\n"
    return text.encode("utf-8", "surrogateescape") + body
