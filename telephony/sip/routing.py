"""Where messages go. Names are not resolved here: see ``next_hop_flow``."""

from __future__ import annotations

from dataclasses import replace

from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Flow
from telephony.sip.location import DEFAULT_PORTS
from telephony.sip.values import (
    ViaValue,
    bare_host,
    bracketed_host,
    is_numeric,
    is_private,
    read_uri,
)


def response_flow(via: ViaValue, flow: Flow, symmetric: bool) -> Flow:
    """Return the flow for responses to a request that came over ``flow`` (section 18.2.2).

    A stream gets them back; over UDP they go to the source address, and to its port when the peer
    asked with ``rport`` (RFC 3581), else to the port of the Via. A Via that names another numeric
    address was written behind a NAT, so ``symmetric`` answers the source port as well.
    ``maddr`` is ignored: it would let anyone aim our responses at a third party.
    """
    if flow.reliable or via.rport:
        return flow
    host = bare_host(via.host)
    if symmetric and host != flow.remote[0] and is_numeric(host):
        return flow
    return Flow(flow.transport, (flow.remote[0], via.port or DEFAULT_PORTS["udp"]), flow.local)


def next_hop_flow(
    hop_uri: str, flow: Flow, *, is_route: bool, symmetric: bool, connected: bool = True
) -> Flow:
    """Return the flow for a request whose next hop is ``hop_uri``.

    ``flow`` is where the peer was last heard. It is used when the hop is a host name (the cores do
    not resolve), when it asks for another transport or IP version, and on streams, whose connection
    is reused while it is ``connected``; after that a new one is opened to the hop (section 18.1.1),
    over TLS to a peer that proves to be the one it was. What came over TLS never leaves without it.
    With ``symmetric`` it also replaces a Contact that names another address, and a Route that
    names a private address while the peer is heard from a public one.
    """
    uri = read_uri(hop_uri)
    if (flow.reliable and connected) or uri is None or uri.scheme not in ("sip", "sips"):
        return flow
    host, source = bare_host(uri.host), flow.remote[0]
    # Who called over a stream and names no transport can be called back over one.
    transport = (uri.parameters.get("transport") or flow.transport).lower()
    if uri.scheme == "sips" and transport == "tcp":
        transport = "tls"
    if not is_numeric(host) or transport != flow.transport or is_ipv6(host) != is_ipv6(source):
        return flow
    if uri.scheme == "sips" and transport != "tls":
        return flow
    if symmetric and host != source:
        unreachable = is_private(host) and not is_private(source)
        if unreachable or not is_route:
            return flow
    return replace(flow, remote=(host, uri.port or DEFAULT_PORTS[flow.transport]))


def local_host_port(config: UserAgentConfig, flow: Flow) -> str:
    """Return what peers should call us on the transport of ``flow``, as ``host:port``.

    What is advertised for one IP version is of no use to peers of the other. A connection of ours
    where we take none of its kind has the default port, which is as good as none.
    """
    host, port = config.advertised.get(flow.transport, flow.local)
    if is_numeric(host) and is_ipv6(host) != is_ipv6(flow.local[0]):
        host, port = flow.local
    # The interface of a link-local address means nothing to anyone else (RFC 4007 section 11.2).
    shown = bracketed_host(host.partition("%")[0])
    return f"{shown}:{port or DEFAULT_PORTS[flow.transport]}"


def contact_value(config: UserAgentConfig, flow: Flow, secure: bool) -> str:
    """Return our Contact; ``secure`` when the request came to a SIPS URI (section 12.1.1)."""
    user = f"{config.contact_user}@" if config.contact_user else ""
    scheme = "sips" if secure else "sip"
    plain = secure or not flow.reliable
    transport = "" if plain else f";transport={flow.transport}"
    return f"<{scheme}:{user}{local_host_port(config, flow)}{transport}>"


def via_value(config: UserAgentConfig, flow: Flow, branch: str) -> str:
    sent_by = local_host_port(config, flow)
    return f"SIP/2.0/{flow.transport.upper()} {sent_by};branch={branch};rport"


def is_ipv6(host: str) -> bool:
    """Tell the family of a numeric address."""
    return ":" in host
