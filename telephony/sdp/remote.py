"""Where the peer of a media line receives (RFC 8866 sections 5.7 and 5.14)."""

from __future__ import annotations

import ipaddress

from telephony.sdp.description import MediaDescription, SdpParseError, SessionDescription, parse
from telephony.sdp.refusal import (
    INCOMPATIBLE_ADDRESS,
    INCOMPATIBLE_PROTOCOL,
    MISCELLANEOUS,
    NotAcceptable,
)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def remote_of(
    description: SessionDescription, line: MediaDescription, local_address: str
) -> tuple[str, int] | None:
    """Return where the peer receives, as sockets write it; ``None`` for the unspecified address.

    Raises :class:`NotAcceptable` for what can't be reached from ``local_address``.
    """
    connection = description.connection_of(line)
    if connection is None:
        raise NotAcceptable(488, MISCELLANEOUS, "No c= line holds for the audio")
    address = _address(connection.address)
    if address is None:
        raise NotAcceptable(488, INCOMPATIBLE_ADDRESS, "The c= line needs an IP address")
    if address.is_unspecified:
        return None
    if address.version != ipaddress.ip_address(local_address).version:
        raise NotAcceptable(488, INCOMPATIBLE_PROTOCOL, "Incompatible IP version")
    if address.is_multicast or connection.address == "255.255.255.255":
        raise NotAcceptable(488, INCOMPATIBLE_ADDRESS, "The c= line needs a unicast address")
    return str(address), line.port


def offered_host(offer: bytes) -> str | None:
    """Return the address at which the first audio of an offer is received, if one can be told.

    The unspecified address is returned too: a call on hold has an IP version as well.
    """
    try:
        description = parse(offer)
    except SdpParseError:
        return None
    for line in description.media:
        connection = description.connection_of(line)
        if line.kind.lower() == "audio" and line.port and connection is not None:
            address = _address(connection.address)
            return None if address is None else str(address)
    return None


def _address(text: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
