"""What is known of a call whose SIP ends at the provider: the INVITE's headers, as we are told.

Anybody can send an INVITE to the provider, so the headers are no better than whoever may call
there; ``trust_identity`` says which of them name the caller, as it does for a trunk.
"""

from __future__ import annotations

from collections.abc import Sequence

from sipmessage import Headers

from telephony.base.interfaces import LegFacts
from telephony.realtime.hosted.incoming import IncomingCall
from telephony.sip.caller_id import asserted_identity
from telephony.sip.diversion import diverted_from
from telephony.sip.message import HeaderView
from telephony.sip.telephone import number_of
from telephony.sip.values import read_address
from telephony.stacks.numbers import NumberPlan
from telephony.stacks.trunk import IdentitySource

TRANSPORT = "hosted"
"""Stands in the facts where others have how SIP came to us."""

_COMPACT = {"f": "From", "t": "To", "i": "Call-ID"}


def facts_of_hosted(
    call: IncomingCall, trunk: str, plan: NumberPlan, trust_identity: Sequence[IdentitySource]
) -> LegFacts:
    """Return the facts that the dialplan matches; nothing in the headers raises."""
    headers = Headers()
    for name, value in call.headers:
        headers.add(_COMPACT.get(name.lower(), name), value)
    view = HeaderView(headers)
    caller = asserted_identity(view, trust_identity)
    diversion = diverted_from(view)
    diverted = diversion.number if diversion is not None else ""
    return LegFacts(
        sip_call_id=view.get("Call-ID", call.call_id),
        called=plan.to_e164(_number(view.get("To", ""))),
        caller="" if caller.withheld else plan.to_e164(caller.number),
        caller_name="" if caller.withheld else caller.display,
        source_ip="",
        transport=TRANSPORT,
        trunk=trunk,
        headers=view,
        diverted_from=plan.to_e164(diverted) if diverted else "",
    )


def _number(value: str) -> str:
    address = read_address(value)
    return number_of(address.uri) if address is not None else ""
