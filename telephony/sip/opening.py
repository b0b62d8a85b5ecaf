"""Requests outside of dialogs: what ours say of themselves, and what an INVITE of a peer says."""

from __future__ import annotations

from collections.abc import Sequence

from telephony.sip.dialog import request_route
from telephony.sip.events import InviteReceived
from telephony.sip.message import HeaderView, IncomingRequest
from telephony.sip.values import printable, read_address
from telephony.sip.writer import RequestParts, name_addr


def opening_parts(
    method: str,
    target: str,
    routes: Sequence[str],
    *,
    from_uri: str,
    from_tag: str,
    to_uri: str,
    call_id: str,
    cseq: int = 1,
) -> RequestParts:
    """Return the parts of a request to ``target`` (RFC 3261 section 8.1.1); the Via is missing."""
    uri, route_values = request_route(target, routes)
    return RequestParts(
        method=method,
        uri=uri,
        via="",
        routes=route_values,
        from_value=f"{name_addr(from_uri)};tag={from_tag}",
        to_value=name_addr(to_uri),
        call_id=call_id,
        cseq=cseq,
    )


def invite_received(
    request: IncomingRequest, leg_id: str, sdp: bytes | None, replaces_leg_id: str = ""
) -> InviteReceived:
    """Return the event of an INVITE; what is shown of it is printable."""
    caller, called = read_address(request.from_value), read_address(request.to_value)
    return InviteReceived(
        leg_id=leg_id,
        request_uri=printable(request.uri),
        from_uri=printable(caller.uri) if caller else "",
        from_display=printable(caller.display) if caller else "",
        to_uri=printable(called.uri) if called else "",
        call_id=printable(request.call_id),
        headers=HeaderView(request.headers),
        sdp=sdp,
        flow=request.flow,
        peer=request.peer,
        replaces_leg_id=replaces_leg_id,
    )
