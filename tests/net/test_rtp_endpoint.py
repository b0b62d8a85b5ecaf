from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from telephony.base.ids import Ids
from telephony.net.port_pool import PortPool, PortPoolExhausted
from telephony.net.rtp_endpoint import Address, RtpEndpoint, open_endpoint
from tests.support.ports import free_ports

Received = list[tuple[bytes, Address, float]]


class Inbox:
    """Collects what an endpoint hands over, and wakes up the test."""

    def __init__(self) -> None:
        self.received: Received = []
        self._arrived = asyncio.Event()

    def __call__(self, data: bytes, source: Address, now: float) -> None:
        self.received.append((data, source, now))
        self._arrived.set()

    async def wait(self, count: int) -> Received:
        while len(self.received) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.received


def endpoint(
    receive: Callable[[bytes, Address, float], None], host: str = "127.0.0.1"
) -> RtpEndpoint:
    return RtpEndpoint(asyncio.get_running_loop(), (host, 0), receive, lambda: 42.0)


def ignore(data: bytes, source: Address, now: float) -> None:
    pass


async def test_datagrams_arrive_with_source_and_one_stamp() -> None:
    inbox = Inbox()
    a, b = endpoint(inbox), endpoint(ignore)
    for n in range(3):
        b.send(bytes([n]), a.local)
    received = await inbox.wait(3)
    assert received == [(bytes([n]), b.local, 42.0) for n in range(3)]
    assert (a.stats.received, b.stats.sent) == (3, 3)
    a.close()
    b.close()


async def test_ipv6_sources_are_plain_pairs() -> None:
    inbox = Inbox()
    try:
        a, b = endpoint(inbox, "::1"), endpoint(ignore, "::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    b.send(b"x", a.local)
    assert (await inbox.wait(1))[0][1] == b.local
    assert len(b.local) == 2
    a.close()
    b.close()


async def test_the_kernel_is_asked_for_expedited_forwarding() -> None:
    a = endpoint(ignore)
    assert a._socket.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0xB8
    a.close()


async def test_an_unreachable_peer_is_counted_and_never_raises() -> None:
    a = endpoint(ignore)
    gone = endpoint(ignore)
    gone.close()
    for _ in range(20):
        a.send(b"x", gone.local)
        await asyncio.sleep(0)
    a.send(b"x", ("not an address", 1))
    a.send(b"x", ("255.255.255.255", 9))
    assert a.stats.send_errors >= 2
    a.close()


async def test_a_full_buffer_drops_the_packet() -> None:
    a = endpoint(ignore)

    def would_block(data: bytes, address: Address) -> int:
        raise BlockingIOError

    a._sendto = would_block
    a.send(b"x", ("127.0.0.1", 9))
    assert (a.stats.sent, a.stats.send_blocked) == (0, 1)
    a.close()


async def test_an_icmp_error_on_reading_is_counted() -> None:
    a = endpoint(ignore)

    def refused(size: int) -> tuple[bytes, Address]:
        raise ConnectionRefusedError

    a._recvfrom = refused
    a._readable()
    assert a.stats.receive_errors == 1
    a.close()


async def test_close_twice_and_send_after_close() -> None:
    a = endpoint(ignore)
    a.close()
    a.close()
    assert a.closed
    a.send(b"x", ("127.0.0.1", 9))
    assert a.stats.send_errors == 1


async def test_a_port_goes_back_to_its_pool_when_closed() -> None:
    port = free_ports(2)
    pool = PortPool(port, port + 1, Ids.seeded(1), quarantine_s=0)
    loop = asyncio.get_running_loop()
    first = open_endpoint(loop, pool, "127.0.0.1", ignore)
    assert first.local == ("127.0.0.1", port)
    with pytest.raises(PortPoolExhausted):
        open_endpoint(loop, pool, "127.0.0.1", ignore)
    first.close()
    assert pool.in_use == 0
    open_endpoint(loop, pool, "127.0.0.1", ignore).close()


async def test_a_port_of_another_process_is_passed_over() -> None:
    port = free_ports(2)
    pool = PortPool(port, port + 1, Ids.seeded(1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.bind(("127.0.0.1", port))
        with pytest.raises(PortPoolExhausted, match="other processes"):
            open_endpoint(asyncio.get_running_loop(), pool, "127.0.0.1", ignore)
    assert pool.stats.foreign == 1


async def test_an_address_that_is_not_ours_keeps_the_pool_whole() -> None:
    pool = PortPool(40000, 40009, Ids.seeded(1))
    with pytest.raises(OSError, match="assign"):
        open_endpoint(asyncio.get_running_loop(), pool, "192.0.2.1", ignore)
    assert pool.in_use == 0


async def test_what_came_during_a_stall_is_read_before_its_time_is_made_up_for() -> None:
    loop = asyncio.get_running_loop()
    received: list[bytes] = []
    endpoint = RtpEndpoint(loop, ("127.0.0.1", 0), lambda data, source, now: received.append(data))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for number in range(5):
            peer.sendto(bytes([number]), endpoint.local)
        endpoint.read_pending(3)
        assert received == [b"\0", b"\1", b"\2"]
        endpoint.read_pending(50)
        assert len(received) == 5
    endpoint.close()
    endpoint.read_pending(1)
