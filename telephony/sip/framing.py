"""Octets to messages: datagrams, and streams cut by Content-Length (RFC 3261 sections 7 and 18.3).

``sipmessage`` decodes UTF-8 strictly, does not unfold lines, reads status codes with a bare
``int()`` and wants "SIP/2.0" in capitals, so the text is read here and put into its objects.
Octets that are not UTF-8 become surrogates, and are octets again when written.
"""

from __future__ import annotations

import re
from typing import Final

import sipmessage
from sipmessage.message import COMPACT_FORMS

from telephony.sip.config import MessageLimits
from telephony.sip.values import MAX_URI_CHARS, read_uri, uri_scheme

_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_VERSION = re.compile(r"SIP/([0-9]{1,3}\.[0-9]{1,3})", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_STATUS = re.compile(r"[1-6][0-9][0-9]")
_FOLD = re.compile(rb"\r\n[ \t]+")
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*)", re.IGNORECASE)
_BREAKS = re.compile(r"[\r\n]")
_BLANKS: Final = " \t"
_MAX_STREAM_LENGTH_DIGITS: Final = 9
_PING: Final = b"\r\n\r\n"
_PINGS = re.compile(rb"(?:\r\n\r\n)++")
# Nobody has more pings under way; a flood of them is not worth as many answers.
_MAX_PONGS: Final = 8
_KEEPALIVE_OCTETS: Final = b"\r\n\0 "
_DEFAULT_LIMITS: Final = MessageLimits()


class SipParseError(ValueError):
    """The octets are not a message that can be used.

    ``reason`` is a short constant name for counters. ``status`` is the answer RFC 3261 asks for
    when ``method`` and ``headers`` (of a request, as far as they could be read) allow one.
    """

    def __init__(
        self,
        reason: str,
        status: int = 400,
        method: str = "",
        headers: sipmessage.Headers | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.method = method
        self.headers = headers


class RawRequest(sipmessage.Request):
    """A request that remembers its Request-URI as written."""

    def __init__(self, method: str, uri: sipmessage.URI, raw_uri: str, body: bytes) -> None:
        super().__init__(method, uri, body)
        self.raw_uri = raw_uri


def is_keepalive(data: bytes) -> bool:
    """True for the CRLFs, spaces and zeros that clients send to keep a NAT binding open."""
    return not data.strip(_KEEPALIVE_OCTETS)


def parse_message(
    data: bytes, limits: MessageLimits = _DEFAULT_LIMITS
) -> RawRequest | sipmessage.Response:
    """Parse one whole message; header names are expanded, folded lines joined.

    Raises SipParseError, nothing else. The body has the length Content-Length says; without that
    header it is the rest of ``data``.
    """
    head, end, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    lines = _unfold(head[: limits.max_header_bytes])
    headers, problem = _read_headers(lines[1:], limits)
    message = _read_start_line(lines[0], headers)
    try:
        if len(head) > limits.max_header_bytes or len(data) > limits.max_message_bytes:
            raise SipParseError("too-large", 513)
        if not end:
            raise SipParseError("no-end-of-headers")
        if problem is not None:
            raise problem
        message.body = _read_body(headers, body, limits)
    except SipParseError as error:
        if isinstance(message, RawRequest):
            error.method, error.headers = message.method, headers
        raise
    message.headers = headers
    return message


def _unfold(head: bytes) -> list[str]:
    """Split into lines, joining those that begin with white space (section 7.3.1)."""
    lines: list[str] = []
    folded: dict[int, list[str]] = {}
    for line in head.decode("utf-8", "surrogateescape").split("\r\n"):
        if line[:1] in (" ", "\t") and lines:
            folded.setdefault(len(lines) - 1, []).append(line.strip(_BLANKS))
        else:
            lines.append(line)
    for index, parts in folded.items():
        lines[index] = " ".join((lines[index].rstrip(_BLANKS), *parts))
    return lines


def _read_headers(
    lines: list[str], limits: MessageLimits
) -> tuple[sipmessage.Headers, SipParseError | None]:
    """Return what could be read and the first mistake, so that the mistake can be answered."""
    headers = sipmessage.Headers()
    problem: SipParseError | None = None
    if len(lines) > limits.max_header_count:
        problem = SipParseError("too-many-headers", 513)
    for line in lines[: limits.max_header_count]:
        name, colon, value = line.partition(":")
        name = name.rstrip(_BLANKS)
        if not colon or not _TOKEN.fullmatch(name) or _BREAKS.search(value):
            problem = problem or SipParseError("bad-header-line")
        elif len(line) > limits.max_line_bytes:
            problem = problem or SipParseError("line-too-long", 513)
        else:
            headers.add(COMPACT_FORMS.get(name.lower(), name), value.strip(_BLANKS))
    return headers, problem


def _read_start_line(line: str, headers: sipmessage.Headers) -> RawRequest | sipmessage.Response:
    if _BREAKS.search(line):
        raise SipParseError("bad-start-line")
    if version := _VERSION.match(line):
        return _read_status_line(line, version)
    parts = line.split()
    if len(parts) < 3 or not _TOKEN.fullmatch(parts[0]):
        raise SipParseError("bad-start-line")
    method, raw_uri = parts[0], parts[1]
    version = _VERSION.fullmatch(parts[-1])
    if version is None:
        raise SipParseError("bad-start-line")
    if version.group(1) != "2.0":
        raise SipParseError("bad-version", 505, method, headers)
    if len(parts) > 3:
        raise SipParseError("bad-request-uri", 400, method, headers)
    uri = read_uri(raw_uri)
    if uri is None:
        raise SipParseError("bad-request-uri", _uri_status(raw_uri), method, headers)
    if "?" in raw_uri.rpartition("@")[2]:  # RFC 3261 table 1: headers are not for Request-URIs
        raise SipParseError("headers-in-request-uri", 400, method, headers)
    return RawRequest(method, uri, raw_uri, b"")


def _uri_status(raw_uri: str) -> int:
    """Return 414 for one above any bound, 416 for a scheme we do not serve, else 400."""
    if len(raw_uri) > MAX_URI_CHARS:
        return 414
    scheme = uri_scheme(raw_uri)
    known = scheme in ("sip", "sips", "tel")
    return 416 if _SCHEME.fullmatch(scheme) and not known else 400


def _read_status_line(line: str, version: re.Match[str]) -> sipmessage.Response:
    parts = line.split(" ", 2)
    if version.group(1) != "2.0" or version.end() != len(parts[0]):
        raise SipParseError("bad-version")
    if len(parts) < 2 or not _STATUS.fullmatch(parts[1]):
        raise SipParseError("bad-status-line")
    return sipmessage.Response(int(parts[1]), parts[2] if len(parts) > 2 else "")


def _read_body(headers: sipmessage.Headers, body: bytes, limits: MessageLimits) -> bytes:
    values = set(headers.getlist("Content-Length"))
    if len(values) > 1:
        raise SipParseError("content-length-conflict")
    length = len(body)
    if values:
        value = values.pop()
        if not (value.isascii() and value.isdigit()):
            raise SipParseError("bad-content-length")
        if len(value) > _MAX_STREAM_LENGTH_DIGITS:
            raise SipParseError("too-large", 513)
        length = int(value)
    if length > limits.max_body_bytes:
        raise SipParseError("too-large", 513)
    if length > len(body):
        raise SipParseError("short-body")
    return body[:length]


class StreamFramer:
    """Cuts one stream connection into messages.

    After ``receive``, write ``bytes_to_send()`` to the connection: the pong to a double CRLF
    (RFC 5626 section 4.4.1). When ``broken`` is not None the stream can't be cut any further:
    hand over the messages already returned, send what they provoke, close the connection. A
    message whose length is refused is returned as its headers alone, to be answered.
    """

    __slots__ = (
        "_buffer",
        "_limits",
        "_message_bytes",
        "_pong_expected",
        "_pongs",
        "_scanned",
        "broken",
    )

    def __init__(self, limits: MessageLimits = _DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0
        self._message_bytes = 0
        self._pongs = 0
        self._pong_expected = False
        self.broken: str | None = None

    def expect_pong(self) -> None:
        """Take the next lone CRLF between messages for the answer to a ping of ours.

        Two pongs would otherwise pass for a ping of the peer.
        """
        self._pong_expected = True

    def receive(self, data: bytes) -> list[bytes]:
        """Take the next octets; return the messages that are now whole."""
        messages: list[bytes] = []
        if self.broken is not None:
            return messages
        self._buffer += data
        while (message := self._next_message()) is not None:
            messages.append(message)
        return messages

    def bytes_to_send(self) -> bytes:
        pongs, self._pongs = self._pongs, 0
        return b"\r\n" * pongs

    def _next_message(self) -> bytes | None:
        if self.broken is not None:
            self._buffer.clear()
            return None
        if not self._message_bytes and not self._find_end():
            return None
        if len(self._buffer) < self._message_bytes:
            return None
        message = bytes(self._buffer[: self._message_bytes])
        del self._buffer[: self._message_bytes]
        self._message_bytes = self._scanned = 0
        return message

    def _find_end(self) -> bool:
        """Look for the blank line; when it is there, set the size of the whole message."""
        if not self._scanned:
            self._skip_keepalives()
        end = self._buffer.find(b"\r\n\r\n", self._scanned)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - 3)
            if len(self._buffer) > self._limits.max_header_bytes:
                self.broken = "headers-too-large"
            return False
        if end > self._limits.max_header_bytes:
            self.broken = "headers-too-large"
            return False
        self._message_bytes = end + 4 + self._body_length(bytes(self._buffer[: end + 2]))
        return True

    def _skip_keepalives(self) -> None:
        buffer = self._buffer
        if pings := _PINGS.match(buffer):
            self._pongs = min(self._pongs + pings.end() // len(_PING), _MAX_PONGS)
            del buffer[: pings.end()]
        if self._pong_expected and buffer.startswith(b"\r\n"):
            self._pong_expected = False
            del buffer[:2]
        # A lone CRLF is either a pong, half a ping, or noise before a start line (section 7.5).
        if buffer.startswith(b"\r\n") and len(buffer) > 3:
            del buffer[:2]

    def _body_length(self, head: bytes) -> int:
        """Return the size that parse_message() will expect, 0 when the stream is given up."""
        found = _LENGTH.findall(_FOLD.sub(b" ", head))
        if not found:
            return 0
        value = found[0].strip(b" \t")
        if any(other.strip(b" \t") != value for other in found):
            self.broken = "content-length-conflict"
            return 0
        if not value.isdigit() or len(value) > _MAX_STREAM_LENGTH_DIGITS:
            self.broken = "bad-content-length"
            return 0
        length = int(value)
        if length > self._limits.max_body_bytes:
            self.broken = "too-large"
            return 0
        return length
