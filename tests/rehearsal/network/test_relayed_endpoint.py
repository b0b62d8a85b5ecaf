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
from telephony.rehearsal.network import Network, RelayedEndpoint, shipped_profile

Arrived = asyncio.Queue[tuple[bytes, Address]]


def pool(low: int, high: int) -> PortPool:
    return PortPool(low, high, Ids(os.urandom), 0.0)


def relayed(ports: PortPool, arrived: Arrived, network: Network | None = None) -> RelayedEndpoint:
    loop = asyncio.get_running_loop()
    network = network or Network(shipped_profile("clean"))

    def receive(data: bytes, source: Address, now: float) -> None:
        arrived.put_nowait((data, source))

    return RelayedEndpoint(network, loop, ports, "127.0.0.1", receive, monotonic)


async def test_a_leg_talks_through_the_relay_and_notices_nothing() -> None:
    ours: Arrived = asyncio.Queue()
    theirs: Arrived = asyncio.Queue()
    ports = pool(38200, 38299)
    network = Network(shipped_profile("clean"))
    endpoint = relayed(ports, ours, network)
    peer = RtpEndpoint(
        asyncio.get_running_loop(),
        ("127.0.0.1", 0),
        lambda data, source, now: theirs.put_nowait((data, source)),
    )
    endpoint.send(b"hello", peer.local)
    assert await theirs.get() == (b"hello", endpoint.local)
    peer.send(b"hi", endpoint.local)
    assert await ours.get() == (b"hi", peer.local)
    assert (endpoint.stats.sent, endpoint.stats.received) == (1, 1)
    assert (network.outbound.stats.left, network.inbound.stats.left) == (1, 1)
    assert ports.in_use == 3
    endpoint.close()
    endpoint.close()
    peer.close()
    assert endpoint.closed
    assert ports.in_use == 0


async def test_pending_datagrams_are_read_when_asked() -> None:
    ours: Arrived = asyncio.Queue()
    endpoint = relayed(pool(38300, 38399), ours)
    stranger = RtpEndpoint(asyncio.get_running_loop(), ("127.0.0.1", 0), Mock())
    stranger.send(b"not through the relay", endpoint._endpoint.local)
    endpoint.read_pending(10)
    assert ours.get_nowait() == (b"not through the relay", stranger.local)
    endpoint.close()
    stranger.close()


async def test_without_ports_for_the_relay_nothing_stays_open() -> None:
    ports = pool(38400, 38403)
    with pytest.raises(PortPoolExhausted):
        relayed(ports, asyncio.Queue())
    assert ports.in_use == 0
