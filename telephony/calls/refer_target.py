"""What a peer is asked to call (Refer-To), and what a peer may ask us to call."""

from __future__ import annotations

from telephony.base.interfaces import LegFacts
from telephony.dialplan.targets import is_uri


def refer_uri_at_peer(facts: LegFacts, target: str) -> str:
    """Return the URI of a Refer-To: numbers are the peer's own to route."""
    if is_uri(target):
        return target
    host = f"[{facts.source_ip}]" if ":" in facts.source_ip else facts.source_ip
    return f"sip:{target}@{host}"


def nobody_refers(facts: LegFacts, target_uri: str) -> str:
    """Decline every REFER: who may send one may spend our money."""
    return ""
