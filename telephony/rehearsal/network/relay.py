"""The network as a UDP relay, for two sides that are both somebody else's."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable

from telephony.base.interfaces import Address, Clock
from telephony.net.rtp_endpoint import MediaEndpoint, Receive
from telephony.rehearsal.network.lane import Lane
from telephony.rehearsal.network.network import Network

OpenSocket = Callable[[Receive], MediaEndpoint]


class UdpRelay:
    """Carries datagrams between two addresses, with a socket in front of each.

    What comes in at ``near`` leaves ``far`` for ``far_peer`` after the outbound path, and the
    other way round; whoever sends the SDP of a side writes the relay's address into it. It does
    not matter who sends: there is no telling strangers apart behind a relay.

    Raises:
        PortPoolExhausted, OSError: what ``open_socket`` raises.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        clock: Clock,
        open_socket: OpenSocket,
        network: Network,
        near_peer: Address,
        far_peer: Address,
    ) -> None:
        self._near_peer = near_peer
        self._far_peer = far_peer
        self._near = open_socket(self._from_near)
        try:
            self._far = open_socket(self._from_far)
        except BaseException:
            self._near.close()
            raise
        self._outbound = Lane(loop, clock, network.outbound, self._far.send)
        self._inbound = Lane(loop, clock, network.inbound, self._near.send)

    @property
    def near(self) -> Address:
        """Where ``near_peer`` sends to."""
        return self._near.local

    @property
    def far(self) -> Address:
        """Where ``far_peer`` sends to."""
        return self._far.local

    def close(self) -> None:
        """Close both sockets; what is under way is gone. Twice is harmless."""
        for part in (self._outbound, self._inbound, self._near, self._far):
            part.close()

    def _from_near(self, data: bytes, source: Address, now: float) -> None:
        self._outbound.carry(data, self._far_peer, now)

    def _from_far(self, data: bytes, source: Address, now: float) -> None:
        self._inbound.carry(data, self._near_peer, now)
