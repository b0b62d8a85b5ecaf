"""How the peers of the stack are treated: whom they are taken for, what they may ask of us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import sipmessage

from telephony.base.interfaces import LegFacts
from telephony.sip import events as sip
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.sip.values import bracketed_host, read_uri
from telephony.stacks.call_plan import MediaPolicy

ReadFacts = Callable[[sip.InviteReceived], LegFacts]
ReferUri = Callable[[LegFacts, str, str], str]


class CallScreen(Protocol):
    """Looks at a call before anyone hears of it, and may need time for that (certificates)."""

    def concerns(self, facts: LegFacts) -> bool:
        """Tell whether :meth:`check` is to be asked at all."""

    async def check(self, event: sip.InviteReceived, facts: LegFacts) -> LegFacts:
        """Return what is known of the call now; raises CannotAnswer for one to refuse."""


def facts_of(event: sip.InviteReceived) -> LegFacts:
    """Return what an INVITE says of itself, numbers as the peer wrote them."""
    flow: Flow = event.flow
    return LegFacts(
        sip_call_id=event.call_id,
        called=user_of(event.request_uri),
        caller=user_of(event.from_uri),
        caller_name=event.from_display,
        source_ip=flow.remote[0],
        transport=flow.transport,
        trunk=event.peer,
        headers=event.headers,
    )


def nobody_refers(facts: LegFacts, target_uri: str) -> bool:
    """Decline every REFER: whoever may send one may spend our money."""
    return False


def at_the_peers_host(facts: LegFacts, target: str, peer_uri: str) -> str:
    """Return ``target`` as a URI: a number is one at the host that the peer is reached at."""
    if ":" in target:
        return target
    peer = read_uri(peer_uri)
    host = bracketed_host(peer.host) if peer is not None and peer.host else facts.source_ip
    port = f":{peer.port}" if peer is not None and peer.port else ""
    return f"sip:{target}@{host}{port}"


@dataclass(frozen=True, slots=True)
class PeerPolicy:
    """How the stack treats the peers of trunks.

    ``media`` and ``credentials``, for peers that challenge what we send in their calls, are by
    trunk name; ``may_refer(facts, target_uri)`` tells whether a peer may ask us to
    call somebody; ``refer_uri(facts, target, peer_uri)`` turns the number of a transfer into a URI
    that the peer can call; ``screen`` looks at calls before they are reported.
    """

    media: Mapping[str, MediaPolicy] = field(default_factory=dict)
    strangers: MediaPolicy = field(default_factory=MediaPolicy)
    credentials: Mapping[str, Credentials] = field(default_factory=dict)
    read_facts: ReadFacts = facts_of
    may_refer: Callable[[LegFacts, str], bool] = nobody_refers
    refer_uri: ReferUri = at_the_peers_host
    screen: CallScreen | None = None

    def media_of(self, trunk: str) -> MediaPolicy:
        return self.media.get(trunk, self.strangers)


def user_of(uri: str) -> str:
    """Return the user part of a SIP or tel URI, without its parameters."""
    try:
        user = sipmessage.URI.parse(uri).user
    except ValueError:
        return ""
    # RFC 3966 parameters of a telephone-subscriber in a SIP URI are not the number.
    return (user or "").split(";", 1)[0]
