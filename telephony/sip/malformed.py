"""Answers to requests that could not be read to the end."""

from __future__ import annotations

from collections.abc import Callable

from telephony.sip.flow import Flow, Outgoing
from telephony.sip.framing import SipParseError
from telephony.sip.message import list_values
from telephony.sip.routing import response_flow
from telephony.sip.values import read_tag, read_via
from telephony.sip.writer import response_head, write_response

_MANDATORY = ("From", "To", "Call-ID", "CSeq")


def write_refusal(
    error: SipParseError, flow: Flow, symmetric: bool, derive_tag: Callable[[str], str]
) -> Outgoing | None:
    """Return the response to a broken request, None when there can't be one.

    Without Via it has nowhere to go, and without CSeq, From, To or Call-ID nobody could match it;
    an ACK is never answered, nor is a response. ``derive_tag`` makes the To tag from the request.
    """
    headers = error.headers
    if headers is None or error.method == "ACK":
        return None
    via_lines = list_values(headers, "Via")
    via = read_via(via_lines[0]) if via_lines else None
    if via is None or any(not headers.get(name) for name in _MANDATORY):
        return None
    to_value = headers["To"]
    if not read_tag(to_value):
        to_value += f";tag={derive_tag(via.branch + headers['Call-ID'] + headers['CSeq'])}"
    head = response_head(via, via_lines[1:], flow.remote, headers)
    detail = (("Warning", f'399 telephony "{error.reason}"'),)
    data = write_response(error.status, head, to_value, detail)
    return Outgoing(data, response_flow(via, flow, symmetric))
