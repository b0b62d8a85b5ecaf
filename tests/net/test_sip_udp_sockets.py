from __future__ import annotations

import asyncio

import pytest

from telephony.net.sip_udp_sockets import SipUdpSockets
from telephony.sip.flow import Flow
from tests.support.eventually import eventually


class Received(list[tuple[bytes, Flow]]):
    def take(self, data: bytes, flow: Flow) -> None:
        self.append((data, flow))


def open_sockets(*hosts: str, received: Received | None = None) -> SipUdpSockets:
    sockets = SipUdpSockets(asyncio.get_running_loop(), (received or Received()).take)
    for host in hosts:
        sockets.open((host, 0))
    return sockets


async def test_a_flow_leaves_from_the_socket_of_its_local_address() -> None:
    received = Received()
    near = open_sockets("127.0.0.1", "127.0.0.2", "0.0.0.0")
    far = SipUdpSockets(asyncio.get_running_loop(), received.take)
    target = far.open(("127.0.0.1", 0)).local
    wildcard = near.bound[2][1]
    locals_ = [*near.bound[:2], ("127.0.0.3", wildcard)]
    for _ in range(2):
        for local in locals_:
            assert near.send(b"x", Flow("udp", target, local))
    await eventually(lambda: len(received) == 6)
    assert [flow.remote for _, flow in received] == locals_ * 2
    assert near.stats.sent == 6
    assert near.first is not None
    assert near.first.stats is near.stats
    near.close_all()
    far.close_all()


async def test_an_address_that_is_gone_leaves_from_another_of_its_family() -> None:
    near = open_sockets("127.0.0.1")
    assert near.send(b"x", Flow("udp", ("127.0.0.1", 9), ("192.0.2.1", 5060)))
    assert not near.send(b"x", Flow("udp", ("::1", 9), ("::1", 5060)))
    near.close_all()


async def test_closing_one_socket_forgets_it() -> None:
    near = open_sockets("127.0.0.1", "127.0.0.2")
    first, second = near.bound
    assert near.send(b"x", Flow("udp", ("127.0.0.1", 9), first))
    assert near.first is not None
    near.close(near.first)
    assert near.bound == [second]
    assert near.local_towards(("127.0.0.1", 9)) == second
    assert near.towards(("127.0.0.1", 9)) is near.first
    near.close_all()


async def test_nothing_open() -> None:
    near = open_sockets()
    assert near.first is None
    with pytest.raises(OSError, match="no UDP socket"):
        near.local_towards(("127.0.0.1", 9))
    assert not near.send(b"x", Flow("udp", ("127.0.0.1", 9), ("127.0.0.1", 1)))
