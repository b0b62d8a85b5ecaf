"""Where bytes came from and where bytes go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transport = Literal["udp", "tcp", "tls"]
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """A transport with both its ends: a UDP socket and a peer, or one stream connection.

    Addresses are numeric, IPv6 without brackets. A response that arrives or leaves on a stream
    names the flow of that connection, so equal flows mean the same connection.
    """

    transport: Transport
    remote: Address
    local: Address

    @property
    def reliable(self) -> bool:
        return self.transport != "udp"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One whole message that the shell writes to ``flow``."""

    data: bytes
    flow: Flow
