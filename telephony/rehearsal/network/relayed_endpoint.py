"""An RTP endpoint whose packets take a rehearsal network, for :class:`MediaPlane`."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from functools import partial

from telephony.base.interfaces import Address, Clock
from telephony.net.port_pool import PortPool
from telephony.net.rtp_endpoint import Receive, RtpEndpointStats, open_endpoint
from telephony.rehearsal.network.network import Network
from telephony.rehearsal.network.relay import UdpRelay


class RelayedEndpoint:
    """The endpoint of a leg, with a relay in front of it that the leg knows nothing of.

    ``local`` is the relay's, so SDP names it; what is sent to an address goes there through the
    relay; and what comes seems to come from whom the relay got its newest datagram from.
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
        self._receive = receive
        self._endpoint = open_endpoint(loop, pool, host, self._received, clock)
        open_socket = partial(open_endpoint, loop, pool, host, clock=clock)
        try:
            self._relay = UdpRelay(loop, clock, open_socket, network, self._endpoint.local)
        except BaseException:
            self._endpoint.close()
            raise

    @property
    def local(self) -> Address:
        return self._relay.far

    @property
    def stats(self) -> RtpEndpointStats:
        return self._endpoint.stats

    @property
    def closed(self) -> bool:
        return self._endpoint.closed

    def send(self, data: bytes, address: Address) -> None:
        self._relay.send_to(address)
        self._endpoint.send(data, self._relay.near)

    def read_pending(self, limit: int) -> None:
        self._endpoint.read_pending(limit)

    def close(self) -> None:
        self._relay.close()
        self._endpoint.close()

    def _received(self, data: bytes, source: Address, now: float) -> None:
        self._receive(data, self._relay.far_source or source, now)
