"""An RTP endpoint behind a rehearsal network, for :class:`MediaPlane`."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable

from telephony.base.interfaces import Address, Clock
from telephony.net.port_pool import PortPool
from telephony.net.rtp_endpoint import MediaEndpoint, Receive, RtpEndpointStats, open_endpoint
from telephony.rehearsal.network.lane import Lane
from telephony.rehearsal.network.network import Network


class ImpairedSocket:
    """What is sent over a socket and what comes takes the network, on our side of it.

    To both ends it is as if the network lay between them, whoever the peer is: each datagram
    keeps its source, so what a stranger sends is still known for a stranger's.
    """

    def __init__(
        self,
        network: Network,
        loop: AbstractEventLoop,
        open_socket: Callable[[Receive], MediaEndpoint],
        receive: Receive,
        clock: Clock,
    ) -> None:
        self._network = network
        self._loop = loop
        self._receive = receive
        self._clock = clock
        self._endpoint = open_socket(self._came)
        self._outbound = Lane(loop, clock, network.outbound, self._endpoint.send)
        self._inbound = Lane(loop, clock, network.inbound, self._arrived)

    @property
    def local(self) -> Address:
        return self._endpoint.local

    @property
    def stats(self) -> RtpEndpointStats:
        """Return the socket's counters: what the network lost on the way out was never sent."""
        return self._endpoint.stats

    @property
    def closed(self) -> bool:
        return self._endpoint.closed

    def send(self, data: bytes, address: Address) -> None:
        self._outbound.carry(data, address, self._clock())

    def read_pending(self, limit: int) -> None:
        """Take what lies in the socket; it still has its way through the network before it."""
        self._endpoint.read_pending(limit)

    def open_above(self, receive: Receive) -> ImpairedSocket:
        """Open the port above, behind the same kind of network; raises OSError."""
        network, open_socket = self._network.beside(), self._endpoint.open_above
        return ImpairedSocket(network, self._loop, open_socket, receive, self._clock)

    def close(self) -> None:
        self._outbound.close()
        self._inbound.close()
        self._endpoint.close()

    def _came(self, data: bytes, source: Address, now: float) -> None:
        self._inbound.carry(data, source, now)

    def _arrived(self, data: bytes, source: Address) -> None:
        self._receive(data, source, self._clock())


class ImpairedEndpoint(ImpairedSocket):
    """A leg's media behind a network, and its RTCP on the port above too.

    Raises:
        PortPoolExhausted, OSError: as :func:`open_endpoint`.
    """

    def __init__(
        self,
        network: Network,
        loop: AbstractEventLoop,
        pool: PortPool,
        host: str,
        receive: Receive,
        clock: Clock,
    ) -> None:
        def open_socket(came: Receive) -> MediaEndpoint:
            return open_endpoint(loop, pool, host, came, clock)

        super().__init__(network, loop, open_socket, receive, clock)
