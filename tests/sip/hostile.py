"""Messages of any size made to cost more than they should."""

from __future__ import annotations

from collections.abc import Callable

from telephony.sip.config import MessageLimits, UserAgentConfig
from tests.sip.wire import HandPeer

Build = Callable[[int], bytes]
"""Makes a message of about so many octets."""

_HEADERS = {
    "Via": "SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bKx",
    "Max-Forwards": "70",
    "From": "<sip:a@192.0.2.20>;tag=x",
    "To": "<sip:b@192.0.2.10>",
    "Call-ID": "hostile",
    "CSeq": "1 INVITE",
    "Contact": "<sip:a@192.0.2.20>",
}


def message(
    changes: dict[str, str] | None = None,
    *,
    uri: str = "sip:b@192.0.2.10",
    extra: str = "",
    body: bytes = b"",
) -> bytes:
    """Return an INVITE with some of its headers changed and ``extra`` lines."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in (_HEADERS | (changes or {})).items())
    text = f"INVITE {uri} SIP/2.0\r\n{fields}{extra}Content-Length: {len(body)}\r\n\r\n"
    return text.encode() + body


def _fill(piece: str, size_bytes: int) -> str:
    return piece * (size_bytes // len(piece))


def _in_header(name: str, before: str, piece: str, after: str = "") -> Build:
    return lambda size: message({name: before + _fill(piece, size) + after})


def _in_lines(name: str, before: str, piece: str, after: str = "") -> Build:
    """Spread over lines of 8,000 octets, which is below the limit for one."""

    def build(size: int) -> bytes:
        line = f"{name}: {before}{_fill(piece, min(size, 8000))}{after}\r\n"
        return message(extra=line * max(1, size // 8000))

    return build


def _multipart(piece: bytes) -> Build:
    extra = "Content-Type: multipart/mixed;boundary=b\r\n"
    return lambda size: message(extra=extra, body=piece * (size // len(piece)))


def _nested(size: int) -> bytes:
    opening = b"--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n"
    extra = "Content-Type: multipart/mixed;boundary=b\r\n"
    return message(extra=extra, body=opening * (size // len(opening)))


HOSTILE: dict[str, Build] = {
    "folding": lambda size: message(extra="X: y\r\n" + _fill(" \r\n", size)),
    "folding with text": lambda size: message(extra="X: y\r\n" + _fill("\t z\r\n", size)),
    "one endless line": lambda size: message(extra=f"X: {_fill('y', size)}\r\n"),
    "blanks before a colon": lambda size: message(extra=f"X{_fill(' ', size)}: y\r\n"),
    "short headers": lambda size: message(extra=_fill("X: y\r\n", size)),
    "lines without a colon": lambda size: message(extra=_fill("no\r\n", size)),
    "blanks in the request line": lambda size: message(uri=_fill("x ", size)),
    "long request URI": lambda size: message(uri="sip:" + _fill("a", size) + "@b"),
    "digits of a telephone": lambda size: message(uri="tel:" + _fill("1-", size)),
    "parameters in the URI": lambda size: message(uri="sip:a@b" + _fill(";a=b", size)),
    "ats in the URI": lambda size: message(uri="sip:" + _fill("@", size)),
    "vias": _in_lines("Via", "SIP/2.0/UDP h", ",SIP/2.0/UDP h"),
    "commas in Via": _in_header("Via", "SIP/2.0/UDP h", ","),
    "semicolons in Via": _in_header("Via", "SIP/2.0/UDP h", ";"),
    "blanks in Via": _in_header("Via", "SIP/2.0/UDP h", " ", "!"),
    "host in Via": _in_header("Via", "SIP/2.0/UDP ", "h-", "!"),
    "rports": _in_header("Via", "SIP/2.0/UDP h;branch=z9hG4bKx", ";rport  "),
    "blanks after rport": _in_header("Via", "SIP/2.0/UDP h;rport=", " ", "x y"),
    "receiveds": _in_header("Via", "SIP/2.0/UDP h;branch=z9hG4bKx;rport", ";received=  "),
    "quotes in From": _in_header("From", "", '"', "<sip:a@b>;tag=x"),
    "backslashes in From": _in_header("From", '"', "\\", "<sip:a@b>;tag=x"),
    "blanks after a name": _in_header("From", '"a"', " ", "!<sip:a@b>;tag=x"),
    "brackets in From": _in_header("From", "", "<", "<sip:a@b>;tag=x"),
    "semicolons in From": _in_header("From", "<sip:a@b>", "; ", "tag=x"),
    "tags in From": _in_header("From", "<sip:a@b>", ";tag   ", ";tag=x"),
    "digits in CSeq": _in_header("CSeq", "", "1", " INVITE"),
    "blanks in CSeq": _in_header("CSeq", "1", " ", ""),
    "contacts": _in_header("Contact", "<sip:a@b>", ",<sip:a@b>"),
    "quotes in Contact": _in_header("Contact", "", '"\\"', "<sip:a@b>"),
    "record routes": _in_lines("Record-Route", "<sip:p;lr>", ",<sip:p;lr>"),
    "extensions": _in_lines("Require", "x", ",x"),
    "accepted": _in_lines("Accept", "x/y", ",x/y"),
    "replaced": _in_lines("Replaces", "x", ";to-tag=y;from-tag=z"),
    "events": _in_lines("Supported", "x", ", x"),
    "lengths": lambda size: message(extra=_fill("l: 0\r\n", size)),
    "parts": _multipart(b"--b\r\n\r\nx\r\n"),
    "half boundaries": _multipart(b"\r\n--b \t"),
    "headers in a part": _multipart(b"--b\r\nX: y\r\n "),
    "nested parts": _nested,
    "zero octets": lambda size: message({"Subject": "x"}, extra="X: " + _fill("\0", size) + "\r\n"),
}


# So that what the limits keep out is read, too.
_NO_LIMITS = MessageLimits(
    max_message_bytes=1_000_000,
    max_header_bytes=1_000_000,
    max_body_bytes=1_000_000,
    max_line_bytes=1_000_000,
    max_header_count=1_000_000,
    max_hop_count=1_000_000,
)


def deliver(data: bytes, *, limited: bool = True) -> HandPeer:
    """Hand ``data`` to a new user agent as a datagram."""
    peer = HandPeer(UserAgentConfig() if limited else UserAgentConfig(limits=_NO_LIMITS))
    peer.send(data)
    return peer
