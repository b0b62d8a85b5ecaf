"""Where the peer of a media line takes RTCP (RFC 3605, RFC 5761, RFC 3556)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

from telephony.sdp.description import Attribute, MediaDescription

RtcpMux = Literal["off", "accept", "offer"]
"""Whether RTCP may share the port of RTP: never, when the peer offers it, or by our offer too."""

_MUX = "rtcp-mux"
_PORT_MAX = 65535


@dataclass(frozen=True, slots=True)
class RtcpPeer:
    """``address`` is ``None`` for a peer that takes no RTCP, or cannot be reached now."""

    address: tuple[str, int] | None = None
    mux: bool = False


def rtcp_of(line: MediaDescription, remote: tuple[str, int] | None, mux: bool) -> RtcpPeer:
    """Return where RTCP of a line goes whose RTP goes to ``remote``.

    ``mux`` tells whether both sides agreed on one port. Else ``a=rtcp`` says which it is, by
    default the one above that of RTP. An address there that is none of the IP version of
    ``remote``, or is not unicast, is not followed.
    """
    if remote is None or _unwanted(line):
        return RtcpPeer(None, mux)
    if mux:
        return RtcpPeer(remote, mux)
    return RtcpPeer(_told(line.attribute("rtcp"), remote[0]) or _next_to(remote))


def wants_mux(line: MediaDescription) -> bool:
    return any(name == _MUX for name, _ in line.attributes)


def mux_attributes(mux: bool) -> list[Attribute]:
    return [(_MUX, None)] if mux else []


def _next_to(remote: tuple[str, int]) -> tuple[str, int] | None:
    return (remote[0], remote[1] + 1) if remote[1] < _PORT_MAX else None


def _told(value: str | None, host: str) -> tuple[str, int] | None:
    """Return what ``a=rtcp:port [IN IP4 address]`` says, if it makes sense."""
    port, *where = (value or "").split() or ("",)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= _PORT_MAX):
        return None
    if not where:
        return host, int(port)
    try:
        address = ipaddress.ip_address(where[-1])
    except ValueError:
        return None
    wrong = address.is_unspecified or address.is_multicast or where[-1] == "255.255.255.255"
    if wrong or address.version != ipaddress.ip_address(host).version:
        return None
    return str(address), int(port)


def _unwanted(line: MediaDescription) -> bool:
    """Tell whether the line gives RTCP no bandwidth: ``b=RS:0`` and ``b=RR:0`` (RFC 3556)."""
    bandwidths = {value.strip() for kind, value in line.lines if kind == "b"}
    return {"RS:0", "RR:0"} <= bandwidths
