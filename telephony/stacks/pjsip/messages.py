"""Messages that PJSIP hands over as text, read by our own parser."""

from __future__ import annotations

import sipmessage

from telephony.sip.framing import SipParseError, parse_message
from telephony.sip.message import HeaderView


def headers_of(message: bytes) -> HeaderView:
    """Return the headers of a message; none of one that is not well-formed."""
    try:
        return HeaderView(parse_message(message).headers)
    except SipParseError:
        return HeaderView(sipmessage.Headers())


def header_of(message: bytes, name: str) -> str:
    """Return the first value of a header, "" without one."""
    return headers_of(message).get(name) or ""
