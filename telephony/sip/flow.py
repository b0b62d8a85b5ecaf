"""Where bytes came from and where bytes go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Transport = Literal["udp", "tcp", "tls"]
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """A transport with both its ends: a UDP socket and a peer, or one stream connection.

    Addresses are numeric, IPv6 without brackets. A response that arrives or leaves on a stream
    names the flow of that connection, so equal flows mean the same connection.

    ``peer_names`` are the names in the verified certificate of a TLS peer, in lower case;
    ``server_name`` is the name that the certificate of a server we connect to must have.
    """

    transport: Transport
    remote: Address
    local: Address
    peer_names: tuple[str, ...] = field(default=(), compare=False)
    server_name: str = field(default="", compare=False)

    @property
    def reliable(self) -> bool:
        return self.transport != "udp"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One whole message that the shell writes to ``flow``."""

    data: bytes
    flow: Flow
