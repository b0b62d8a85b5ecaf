"""Messages as pyVoIP's parser takes them without harm.

What a peer sent was read by our own parser. pyVoIP gets a message written anew from that, with the
few headers its calls look at, each in the one form that it knows: it cuts values at ``": "``, wants
names in one case, and fails on every URI but ``sip:`` and on most session descriptions.
"""

from __future__ import annotations

import re
from typing import Any, Final

from telephony.sip.flow import Address
from telephony.sip.message import IncomingRequest, IncomingResponse, contact_uri
from telephony.sip.values import read_address
from telephony.stacks.pyvoip.library import SIP

METHODS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO")
"""What this stack serves, in the order of its Allow header."""

ALLOW: Final = ("Allow", ", ".join(METHODS))

_UNKNOWN: Final = "sip:unknown@unknown.invalid"
_PLAIN_URI = re.compile(r"sip:(?:[A-Za-z0-9+._-]+@)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9.@+_-]")


class Message(SIP.SIPMessage):
    """A message for pyVoIP: ``lines`` are its start line and headers, it has no body.

    The session description is our media plane's: pyVoIP sees none.
    """

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\r\n".join((*lines, "Content-Length: 0", "", "")).encode("ascii"))
        self.body: dict[str, Any] = {"c": [], "m": []}
        # gen_register() asks for both; the answer to the challenge is written by us.
        self.authentication: dict[str, str] = {"realm": "", "nonce": ""}

    def parse(self, data: bytes) -> None:
        # pyVoIP reads requests of four methods only.
        self.SIPCompatibleMethods = list(METHODS)
        super().parse(data)


def request_message(request: IncomingRequest) -> Message:
    """Return what pyVoIP is to see of a request."""
    return Message(
        [
            f"{request.method} {_UNKNOWN} SIP/2.0",
            _via(request.flow.remote, request.via.branch),
            f"From: <{_uri(request.from_value)}>;tag={plain(request.from_tag)}",
            f"To: <{_uri(request.to_value)}>{_tag(request.to_tag)}",
            f"Call-ID: {plain(request.call_id)}",
            f"CSeq: {request.cseq} {request.method}",
            f"Contact: <{_contact(contact_uri(request.headers))}>",
        ]
    )


def response_message(response: IncomingResponse, local: Address) -> Message:
    """Return what pyVoIP is to see of a response to a request that left from ``local``."""
    return Message(
        [
            f"SIP/2.0 {_known_status(response.status)} -",
            _via(local, response.branch),
            f"From: <{_UNKNOWN}>;tag={plain(response.from_tag)}",
            f"To: <{_uri(response.to_value)}>{_tag(response.to_tag)}",
            f"Call-ID: {plain(response.call_id)}",
            f"CSeq: {response.cseq} {response.method}",
            f"Contact: <{_contact(contact_uri(response.headers))}>",
        ]
    )


def plain(text: str) -> str:
    """Return ``text`` without any character that means something to pyVoIP's parser."""
    return _NOT_PLAIN.sub("_", text) or "_"


def _via(address: Address, branch: str) -> str:
    return f"Via: SIP/2.0/UDP {address[0]}:{address[1]};branch={plain(branch)}"


def _tag(tag: str) -> str:
    return f";tag={plain(tag)}" if tag else ""


def _uri(value: str) -> str:
    address = read_address(value)
    return _contact(address.uri if address is not None else None)


def _contact(uri: str | None) -> str:
    return uri if uri is not None and _PLAIN_URI.fullmatch(uri) else _UNKNOWN


def _known_status(status: int) -> int:
    """Return a status that pyVoIP has a name for: that of the class, if need be (8.1.3.2)."""
    try:
        return int(SIP.SIPStatus(status))
    except ValueError:
        return 183 if status < 200 else status // 100 * 100
