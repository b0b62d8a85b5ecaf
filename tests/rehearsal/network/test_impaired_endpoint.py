from __future__ import annotations

import asyncio
import os
from unittest.mock import Mock

import pytest

from telephony.base.ids import Ids
from telephony.base.interfaces import Address
from telephony.net.clock import monotonic
from telephony.net.port_pool import PortPool, PortPoolExhausted
from telephony.net.rtp_endpoint import RtpEndpoint
from telephony.rehearsal.network import ImpairedEndpoint, Network, shipped_profile
from tests.support.ports import port_pool

Arrived = asyncio.Queue[tuple[bytes, Address]]


def pool(pairs: int = 50) -> PortPool:
    return port_pool(pairs, Ids(os.urandom))


def impaired(ports: PortPool, arrived: Arrived, network: Network) -> ImpairedEndpoint:
    loop = asyncio.get_running_loop()

    def receive(data: bytes, source: Address, now: float) -> None:
        arrived.put_nowait((data, source))

    return ImpairedEndpoint(network, loop, ports, "127.0.0.1", receive, monotonic)


def plain(arrived: Arrived) -> RtpEndpoint:
    return RtpEndpoint(
        asyncio.get_running_loop(),
        ("127.0.0.1", 0),
        lambda data, source, now: arrived.put_nowait((data, source)),
    )


async def test_a_leg_talks_through_the_network_and_notices_nothing() -> None:
    ours: Arrived = asyncio.Queue()
    theirs: Arrived = asyncio.Queue()
    ports = pool()
    network = Network(shipped_profile("clean"))
    endpoint = impaired(ports, ours, network)
    peer = plain(theirs)
    endpoint.send(b"hello", peer.local)
    assert await theirs.get() == (b"hello", endpoint.local)
    peer.send(b"hi", endpoint.local)
    assert await ours.get() == (b"hi", peer.local)
    assert (endpoint.stats.sent, endpoint.stats.received) == (1, 1)
    assert (network.outbound.stats.left, network.inbound.stats.left) == (1, 1)
    endpoint.close()
    endpoint.close()
    peer.close()
    assert endpoint.closed
    assert ports.in_use == 0


async def test_a_stranger_is_known_for_one() -> None:
    ours: Arrived = asyncio.Queue()
    endpoint = impaired(pool(), ours, Network(shipped_profile("satellite")))
    senders = [plain(asyncio.Queue()) for _ in range(2)]
    for _ in range(3):
        for sender in senders:
            sender.send(b"%d" % sender.local[1], endpoint.local)
    came = [await ours.get() for _ in range(6)]
    assert sorted({source for _, source in came}) == sorted(sender.local for sender in senders)
    assert all(data == b"%d" % source[1] for data, source in came)
    for socket in (endpoint, *senders):
        socket.close()


async def test_what_lies_in_the_socket_is_read_when_asked_and_takes_its_way() -> None:
    ours: Arrived = asyncio.Queue()
    network = Network(shipped_profile("clean"))
    endpoint = impaired(pool(), ours, network)
    peer = RtpEndpoint(asyncio.get_running_loop(), ("127.0.0.1", 0), Mock())
    peer.send(b"x", endpoint.local)
    endpoint.read_pending(10)
    assert network.inbound.stats.received == 1
    assert ours.empty()
    assert await ours.get() == (b"x", peer.local)
    endpoint.close()
    peer.close()


async def test_without_a_port_there_is_no_endpoint() -> None:
    ports = pool(1)
    network = Network(shipped_profile("clean"))
    first = impaired(ports, asyncio.Queue(), network)
    with pytest.raises(PortPoolExhausted):
        impaired(ports, asyncio.Queue(), network)
    first.close()


async def test_rtcp_on_the_port_above_takes_the_network_too() -> None:
    """It has fates of its own: those of RTP are the same whatever RTCP sends."""
    ours: Arrived = asyncio.Queue()
    theirs: Arrived = asyncio.Queue()
    network = Network(shipped_profile("clean"))
    endpoint = impaired(pool(), asyncio.Queue(), network)
    above = endpoint.open_above(lambda data, source, now: ours.put_nowait((data, source)))
    assert above.local == (endpoint.local[0], endpoint.local[1] + 1)
    peer = plain(theirs)
    sent_at = monotonic()
    above.send(b"report", peer.local)
    assert await theirs.get() == (b"report", above.local)
    peer.send(b"back", above.local)
    assert await ours.get() == (b"back", peer.local)
    assert monotonic() - sent_at >= 0.008
    assert network.outbound.stats.received == network.inbound.stats.received == 0
    for opened in (above, endpoint, peer):
        opened.close()
