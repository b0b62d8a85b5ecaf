from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from telephony.base.interfaces import Address
from telephony.net.clock import monotonic
from telephony.net.rtp_endpoint import Receive, RtpEndpoint
from telephony.rehearsal.network import Network, UdpRelay, shipped_profile


async def test_datagrams_go_to_the_other_side_and_back() -> None:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[str, bytes, Address]] = asyncio.Queue()

    def inbox(who: str, data: bytes, source: Address, now: float) -> None:
        arrived.put_nowait((who, data, source))

    def open_socket(receive: Receive) -> RtpEndpoint:
        return RtpEndpoint(loop, ("127.0.0.1", 0), receive, monotonic)

    near, far = (open_socket(partial(inbox, who)) for who in ("near", "far"))
    network = Network(shipped_profile("clean"))
    relay = UdpRelay(loop, monotonic, open_socket, network, near.local, far.local)
    near.send(b"hello", relay.near)
    assert await arrived.get() == ("far", b"hello", relay.far)
    far.send(b"hi", relay.far)
    assert await arrived.get() == ("near", b"hi", relay.near)
    assert (network.outbound.stats.left, network.inbound.stats.left) == (1, 1)
    relay.close()
    relay.close()
    near.close()
    far.close()


async def test_each_way_has_its_own_losses() -> None:
    loop = asyncio.get_running_loop()
    arrived: list[bytes] = []
    last = asyncio.Event()

    def inbox(data: bytes, source: Address, now: float) -> None:
        arrived.append(data)
        if data == b"last":
            last.set()

    def open_socket(receive: Receive) -> RtpEndpoint:
        return RtpEndpoint(loop, ("127.0.0.1", 0), receive, monotonic)

    ends = [open_socket(inbox) for _ in range(2)]
    clean = shipped_profile("clean")
    all_lost = clean.model_copy(update={"loss_percent": 100.0})
    network = Network(all_lost, 0, clean)
    relay = UdpRelay(loop, monotonic, open_socket, network, ends[0].local, ends[1].local)
    ends[0].send(b"lost", relay.near)
    while not network.outbound.stats.received:  # noqa: ASYNC110 - a loss is no event
        await asyncio.sleep(0)
    ends[1].send(b"last", relay.far)
    await last.wait()
    assert arrived == [b"last"]
    assert network.outbound.stats.lost == 1
    for part in (relay, *ends):
        part.close()


def test_a_second_socket_that_fails_closes_the_first() -> None:
    opened: list[Any] = []

    class Socket:
        closed = False

        def close(self) -> None:
            self.closed = True

    def open_socket(receive: Receive) -> Any:
        if opened:
            raise OSError("no more sockets")
        opened.append(Socket())
        return opened[0]

    loop: Any = None
    somewhere = ("192.0.2.1", 4000)
    with pytest.raises(OSError, match="no more"):
        UdpRelay(
            loop,
            monotonic,
            open_socket,
            Network(shipped_profile("clean")),
            somewhere,
            somewhere,
        )
    assert opened[0].closed
