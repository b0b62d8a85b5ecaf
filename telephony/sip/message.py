"""What the machines need from a message, read once.

``read_request`` and ``read_response`` turn a parsed message into an ``IncomingRequest`` or
``IncomingResponse``, or raise SipParseError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import sipmessage

from telephony.sip.config import MessageLimits
from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, SipParseError
from telephony.sip.status import KNOWN_METHODS
from telephony.sip.values import (
    ViaValue,
    looks_like_via,
    printable,
    read_address,
    read_number,
    read_tag,
    read_uri,
    read_via,
    split_list,
)

_MAGIC_COOKIE: Final = "z9hg4bk"
_MAX_CSEQ: Final = 2**31 - 1
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([^ \t]+)")
_SINGLE: Final = ("From", "To", "Call-ID", "CSeq")
_HOPS: Final = ("Via", "Route", "Record-Route")
_DEFAULT_LIMITS: Final = MessageLimits()

ServerKey = tuple[str, ...]
DialogKey = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""


class HeaderView(Mapping[str, str]):
    """Headers of a message for reading: names match in any case, values are valid Unicode."""

    __slots__ = ("_headers",)

    def __init__(self, headers: sipmessage.Headers) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        """Return the first value of ``name``."""
        value = self._headers.get(name)
        if value is None:
            raise KeyError(name)
        return printable(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers.keys())

    def __len__(self) -> int:
        return len(self._headers.keys())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._headers.get(name) is not None

    def get_all(self, name: str) -> list[str]:
        """Return every value of ``name`` in order, lists in one line not split."""
        return [printable(value) for value in self._headers.getlist(name)]


@dataclass(slots=True)
class IncomingRequest:
    """A request with its mandatory headers. ``via_lines`` are all Via values, topmost first.

    ``peer`` is the name under which admission knows the sender, "" for a stranger.
    """

    method: str
    uri: str
    via: ViaValue
    via_lines: list[str]
    from_value: str
    from_tag: str
    to_value: str
    to_tag: str
    call_id: str
    cseq: int
    headers: sipmessage.Headers
    body: bytes
    flow: Flow
    peer: str = ""

    @property
    def dialog_key(self) -> DialogKey:
        return self.call_id, self.to_tag, self.from_tag

    @property
    def merge_key(self) -> ServerKey:
        """Equal for copies of one request that came along different paths (section 8.2.2.2)."""
        return self.call_id, self.from_tag, str(self.cseq), self.method

    @property
    def has_cookie(self) -> bool:
        """Whether the branch is unique as RFC 3261 wants it; the bare cookie identifies nothing."""
        branch = self.via.branch
        return len(branch) > len(_MAGIC_COOKIE) and branch[:7].lower() == _MAGIC_COOKIE

    def transaction_key(self, method: str) -> ServerKey:
        """Return the key of section 17.2.3 for ``method``; without the cookie that of RFC 2543."""
        via = self.via
        if self.has_cookie:
            return via.branch, via.sent_by, method
        return via.sent_by, via.branch, self.call_id, self.from_tag, str(self.cseq), method

    def values(self, name: str) -> list[str]:
        """Return the elements of every header ``name``, comma lists split."""
        return list_values(self.headers, name)


@dataclass(slots=True)
class IncomingResponse:
    """A response with what matches it to its transaction and dialog."""

    status: int
    reason: str
    branch: str
    method: str
    cseq: int
    call_id: str
    from_tag: str
    to_tag: str
    to_value: str
    headers: sipmessage.Headers
    body: bytes


def list_values(headers: sipmessage.Headers, name: str) -> list[str]:
    return [item for value in headers.getlist(name) for item in split_list(value)]


def contact_uri(headers: sipmessage.Headers) -> str | None:
    """Return the URI of the first Contact without its headers part; None when there is none."""
    for value in list_values(headers, "Contact")[:1]:
        address = read_address(value)
        if address is not None and read_uri(address.uri) is not None:
            return address.uri.partition("?")[0]
    return None


def remote_target(request: IncomingRequest) -> str | None:
    """Return where the requests of the dialog that ``request`` makes go; None when it is not said.

    Contact is mandatory (section 8.1.1.8). RFC 2543 meant From where there was none.
    """
    if request.has_cookie or request.headers.get("Contact") is not None:
        return contact_uri(request.headers)
    address = read_address(request.from_value)
    return address.uri if address is not None and read_uri(address.uri) is not None else None


def read_request(
    message: RawRequest, flow: Flow, limits: MessageLimits = _DEFAULT_LIMITS
) -> IncomingRequest:
    try:
        _check_hops(message.headers, limits)
        return _read_request(message, flow)
    except SipParseError as error:
        error.method, error.headers = message.method, message.headers
        raise


def _read_request(message: RawRequest, flow: Flow) -> IncomingRequest:
    headers = message.headers
    via_lines, via = _read_vias(headers)
    from_value, to_value, call_id, cseq_value = _mandatory(headers)
    cseq, cseq_method = _read_cseq(cseq_value)
    if cseq_method != message.method:
        # RFC 4475 section 3.1.2.18 prefers 501 where the method is unknown as well.
        status = 400 if message.method in KNOWN_METHODS else 501
        raise SipParseError("cseq-method-mismatch", status)
    hops = headers.get("Max-Forwards")
    if hops is not None and read_number(hops, 255) is None:
        raise SipParseError("bad-max-forwards")
    if read_address(from_value) is None or read_address(to_value) is None:
        raise SipParseError("bad-address")
    return IncomingRequest(
        method=message.method,
        uri=message.raw_uri,
        via=via,
        via_lines=via_lines,
        from_value=from_value,
        from_tag=read_tag(from_value),
        to_value=to_value,
        to_tag=read_tag(to_value),
        call_id=call_id,
        cseq=cseq,
        headers=headers,
        body=message.body,
        flow=flow,
    )


def read_response(
    message: sipmessage.Response, limits: MessageLimits = _DEFAULT_LIMITS
) -> IncomingResponse:
    headers = message.headers
    _check_hops(headers, limits)
    via_lines, via = _read_vias(headers)
    if len(via_lines) != 1:  # section 8.1.3.3: meant for someone behind us
        raise SipParseError("misrouted-response")
    from_value, to_value, call_id, cseq_value = _mandatory(headers)
    cseq, method = _read_cseq(cseq_value)
    return IncomingResponse(
        status=message.code,
        reason=message.phrase,
        branch=via.branch,
        method=method,
        cseq=cseq,
        call_id=call_id,
        from_tag=read_tag(from_value),
        to_tag=read_tag(to_value),
        to_value=to_value,
        headers=headers,
        body=message.body,
    )


def _read_vias(headers: sipmessage.Headers) -> tuple[list[str], ViaValue]:
    via_lines = list_values(headers, "Via")
    via = read_via(via_lines[0]) if via_lines else None
    if via is None:
        raise SipParseError("bad-via" if via_lines else "no-via")
    if not all(looks_like_via(value) for value in via_lines):
        raise SipParseError("bad-via")
    return via_lines, via


def _check_hops(headers: sipmessage.Headers, limits: MessageLimits) -> None:
    """Bound what is copied into every response (Via, Record-Route) and later request (Route)."""
    for name in _HOPS:
        values = headers.getlist(name)
        if sum(value.count(",") + 1 for value in values) > limits.max_hop_count:
            raise SipParseError("too-many-hops", 513)


def _mandatory(headers: sipmessage.Headers) -> tuple[str, str, str, str]:
    found: list[str] = []
    for name in _SINGLE:
        values = headers.getlist(name)
        if not values or not values[0]:
            raise SipParseError(f"no-{name.lower()}")
        if any(value != values[0] for value in values):
            raise SipParseError(f"repeated-{name.lower()}")
        found.append(values[0])
    return found[0], found[1], found[2], found[3]


def _read_cseq(value: str) -> tuple[int, str]:
    match = _CSEQ.fullmatch(value)
    if match is None or int(match.group(1)) > _MAX_CSEQ:
        raise SipParseError("bad-cseq")
    return int(match.group(1)), match.group(2)
