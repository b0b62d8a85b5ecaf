"""What every message of pyVoIP needs before it can leave: where from, where to, in which dialog."""

from __future__ import annotations

from telephony.sip.config import UserAgentConfig
from telephony.sip.routing import contact_value
from telephony.sip.transaction import ServerTransaction
from telephony.sip.values import stamp_via
from telephony.sip.writer import HeaderLines, RequestParts
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.message import ALLOW


def complete_response(
    draft: Draft,
    transaction: ServerTransaction,
    config: UserAgentConfig,
    headers: HeaderLines = (),
    *,
    in_dialog: bool = False,
) -> bytes:
    """Return the octets of a response; ``in_dialog`` makes or refreshes a dialog (12.1.1)."""
    request = transaction.request
    # pyVoIP writes every Via as one of UDP and leaves out what it does not know of it.
    vias = (stamp_via(request.via, *request.flow.remote), *request.via_lines[1:])
    draft.set("Via", *vias)
    # pyVoIP saw these rewritten; they go back octet for octet (section 8.2.6.2).
    draft.set("From", request.from_value)
    tagged = f"{request.to_value};tag={transaction.local_tag}"
    trying = draft.start_line.startswith("SIP/2.0 100 ")
    draft.set("To", request.to_value if request.to_tag or trying else tagged)
    draft.set("Call-ID", request.call_id)
    draft.set("CSeq", f"{request.cseq} {request.method}")
    if trying and (stamp := request.headers.get("Timestamp")):
        draft.set("Timestamp", stamp)
    # pyVoIP gives the peer's own Contact back, and copies no Record-Route.
    ours = in_dialog and not trying
    contact = [contact_value(config, transaction.flow, False)] if ours else []
    draft.set("Contact", *contact)
    draft.set("Record-Route", *(request.headers.getlist("Record-Route") if ours else ()))
    # pyVoIP warns of nothing in particular.
    draft.set("Warning")
    draft.set("User-Agent")
    draft.set("Server", config.product)
    if draft.get("Allow") is not None:
        draft.set(*ALLOW)
    for name, value in headers:
        draft.add(name, value)
    return draft.encode()


def complete_request(
    draft: Draft,
    parts: RequestParts,
    config: UserAgentConfig,
    headers: HeaderLines = (),
    contact: str = "",
) -> bytes:
    """Return the octets of a request; ``contact`` "" leaves ours out."""
    # pyVoIP's Request-URI is its server's, its Via that of the message it answers, and it knows
    # no Route.
    draft.start_line = f"{parts.method} {parts.uri} SIP/2.0"
    draft.set("Via", parts.via)
    draft.set("Route", *parts.routes)
    draft.set("From", parts.from_value)
    draft.set("To", parts.to_value)
    draft.set("Call-ID", parts.call_id)
    draft.set("CSeq", f"{parts.cseq} {parts.method}")
    draft.set("Contact", *([contact] if contact else []))
    draft.set("User-Agent", config.product)
    # Written by us (RFC 7616): pyVoIP's is MD5 without qop, of a URI that is not the request's.
    draft.set("Authorization")
    draft.set("Allow-Events")
    if draft.get("Allow") is not None:
        draft.set(*ALLOW)
    for name, value in headers:
        draft.add(name, value)
    return draft.encode()
