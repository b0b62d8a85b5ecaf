"""Dialogs (RFC 3261 section 12): tags, sequence numbers, route set and remote target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.sip.flow import Flow
from telephony.sip.message import (
    DialogKey,
    IncomingRequest,
    IncomingResponse,
    contact_uri,
    list_values,
)
from telephony.sip.routing import next_hop_flow
from telephony.sip.values import read_address, read_uri, uri_scheme

if TYPE_CHECKING:
    from telephony.sip.authentication import Authentication


@dataclass(slots=True)
class Dialog:
    """One peer-to-peer relation. ``local_value`` and ``remote_value`` are From/To with their tags.

    ``route_set`` are the Record-Route values as received, nearest hop first. ``flow`` is where the
    peer was last heard; ``connected`` is False once that was a connection which is gone.
    ``remote_cseq`` is None until the peer sent a request. ``authentication`` answers the challenges
    to our requests. ``remote_sdp`` is what an early dialog agreed on, None when nothing was said.
    ``over``: the call has ended, nothing but a BYE is worth another try.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local_value: str
    remote_value: str
    remote_target: str
    route_set: tuple[str, ...]
    local_cseq: int
    remote_cseq: int | None
    flow: Flow
    secure: bool
    connected: bool = True
    authentication: Authentication | None = None
    remote_sdp: bytes | None = None
    over: bool = False

    @classmethod
    def for_uas(cls, request: IncomingRequest, local_tag: str, target: str) -> Dialog:
        """Section 12.1.1; ``target`` is the URI of the request's Contact."""
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_tag,
            local_value=f"{request.to_value};tag={local_tag}",
            remote_value=request.from_value,
            remote_target=target,
            route_set=tuple(request.values("Record-Route")),
            local_cseq=0,
            remote_cseq=request.cseq,
            flow=request.flow,
            secure=uri_scheme(request.uri) == "sips",
        )

    @classmethod
    def for_uac(
        cls, response: IncomingResponse, local_value: str, request_uri: str, flow: Flow
    ) -> Dialog:
        """Section 12.1.2. Without a usable Contact the target stays the Request-URI."""
        return cls(
            call_id=response.call_id,
            local_tag=response.from_tag,
            remote_tag=response.to_tag,
            local_value=local_value,
            remote_value=response.to_value,
            remote_target=contact_uri(response.headers) or request_uri,
            route_set=tuple(reversed(list_values(response.headers, "Record-Route"))),
            local_cseq=response.cseq,
            remote_cseq=None,
            flow=flow,
            secure=uri_scheme(request_uri) == "sips",
        )

    def confirm(self, response: IncomingResponse) -> None:
        """Turn an early dialog into one by its 2xx, which says the route anew (13.2.2.4)."""
        self.route_set = tuple(reversed(list_values(response.headers, "Record-Route")))
        self.refresh_target(contact_uri(response.headers))

    @property
    def key(self) -> DialogKey:
        return self.call_id, self.local_tag, self.remote_tag

    def next_cseq(self) -> int:
        self.local_cseq += 1
        return self.local_cseq

    def accept_cseq(self, cseq: int) -> bool:
        """Return False for a request that is older than one already seen (section 12.2.2)."""
        if self.remote_cseq is not None and cseq < self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def heard_over(self, flow: Flow) -> None:
        """Take a flow for that of the peer: a message of this dialog came over it."""
        self.flow = flow
        self.connected = True

    def refresh_target(self, target: str | None) -> None:
        """Take over the Contact of a re-INVITE or of its 2xx (section 12.2)."""
        if target is not None:
            self.remote_target = target

    def request_path(self, symmetric: bool) -> tuple[str, tuple[str, ...], Flow]:
        """Return Request-URI, Route values and flow of a request (section 12.2.1.1)."""
        uri, routes = request_route(self.remote_target, self.route_set)
        if not self.route_set:
            return uri, routes, self._flow_to(uri, False, symmetric)
        first = read_address(self.route_set[0])
        hop = first.uri if first else self.remote_target
        return uri, routes, self._flow_to(hop, True, symmetric)

    def _flow_to(self, hop: str, is_route: bool, symmetric: bool) -> Flow:
        return next_hop_flow(
            hop, self.flow, is_route=is_route, symmetric=symmetric, connected=self.connected
        )


def request_route(target: str, route_set: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return Request-URI and Route values for a request to ``target`` (section 12.2.1.1)."""
    first = read_address(route_set[0]) if route_set else None
    if first is None or _is_loose(first.uri):
        return target, tuple(route_set)
    return first.uri, (*route_set[1:], f"<{target}>")


def _is_loose(hop: str) -> bool:
    """False only for a strict router (RFC 2543), which is not marked with ``lr``."""
    uri = read_uri(hop)
    return uri is None or any(name.lower() == "lr" for name in uri.parameters)
