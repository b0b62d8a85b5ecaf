"""Messages that PJSIP hands over as text, read by our own parser."""

from __future__ import annotations

from urllib.parse import quote

import sipmessage

from telephony.sip.framing import SipParseError, parse_message
from telephony.sip.message import HeaderView
from telephony.sip.values import read_tag


def headers_of(message: bytes) -> HeaderView:
    """Return the headers of a message; none of one that is not well-formed."""
    try:
        return HeaderView(parse_message(message).headers)
    except SipParseError:
        return HeaderView(sipmessage.Headers())


def header_of(message: bytes, name: str) -> str:
    """Return the first value of a header, "" without one."""
    return headers_of(message).get(name) or ""


def replacing_uri(target: str, answer: HeaderView) -> str:
    """Return ``target`` with the dialog that ``answer`` made as Replaces (RFC 3891 section 3).

    ``answer`` is the 2xx to an INVITE of ours; the tags are named as its peer sees them. "" when
    the answer does not say them.
    """
    call_id = answer.get("Call-ID") or ""
    ours, theirs = read_tag(answer.get("From") or ""), read_tag(answer.get("To") or "")
    if not (call_id and ours and theirs):
        return ""
    replaces = f"{call_id};to-tag={theirs};from-tag={ours}"
    return f"{target.partition('?')[0]}?Replaces={quote(replaces, safe='')}"
