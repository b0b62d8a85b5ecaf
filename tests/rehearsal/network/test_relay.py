from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from telephony.base.interfaces import Address
from telephony.net.clock import monotonic
from telephony.net.rtp_endpoint import Receive, RtpEndpoint, RtpEndpointStats
from telephony.rehearsal.network import Network, Profile, UdpRelay, relay, shipped_profile
from tests.support.fake_loop import FakeLoop

US: Address = ("192.0.2.1", 4000)
PEER: Address = ("192.0.2.2", 5000)


class FakeSocket:
    """Remembers what it is to send, and when."""

    def __init__(self, loop: FakeLoop, port: int, receive: Receive) -> None:
        self.local: Address = ("127.0.0.1", port)
        self.stats = RtpEndpointStats()
        self.closed = False
        self.receive = receive
        self.sent: list[tuple[float, bytes, Address]] = []
        self._loop = loop

    def send(self, data: bytes, address: Address) -> None:
        self.sent.append((round(self._loop.now - 1000.0, 6), data, address))

    def read_pending(self, limit: int) -> None:
        """Nothing lies in a fake socket."""

    def close(self) -> None:
        self.closed = True


class Scene:
    """A relay whose sockets and time the test plays."""

    def __init__(self, network: Network) -> None:
        self.loop = FakeLoop()
        self.sockets: list[FakeSocket] = []
        loop: Any = self.loop
        self.relay = UdpRelay(loop, self.loop.clock, self._open, network, US)
        self.near, self.far = self.sockets

    def _open(self, receive: Receive) -> FakeSocket:
        self.sockets.append(FakeSocket(self.loop, 30000 + 2 * len(self.sockets), receive))
        return self.sockets[-1]

    def say(self, data: bytes, at_s: float) -> None:
        self.loop.run_until(1000.0 + at_s)
        self.near.receive(data, US, self.loop.now)

    def peer_says(self, data: bytes, at_s: float) -> None:
        self.loop.run_until(1000.0 + at_s)
        self.far.receive(data, PEER, self.loop.now)


def network(mean_ms: float, **features: Any) -> Network:
    delay = {"shape": "constant", "mean_ms": mean_ms}
    return Network(Profile.model_validate({"about": "", "delay": delay, **features}))


def test_each_way_leaves_the_other_socket_after_its_delay() -> None:
    scene = Scene(network(30))
    scene.relay.send_to(PEER)
    scene.say(b"hello", 0.0)
    scene.peer_says(b"hi", 0.010)
    scene.loop.run_until(1001.0)
    assert scene.far.sent == [(0.03, b"hello", PEER)]
    assert scene.near.sent == [(0.04, b"hi", US)]
    assert scene.relay.far_source == PEER
    assert (scene.relay.near, scene.relay.far) == (scene.near.local, scene.far.local)


def test_a_stall_is_followed_by_a_burst_in_order() -> None:
    stalls = {"every_s": 1, "lasting_ms": 300}
    scene = Scene(network(10, stalls=stalls))
    scene.relay.send_to(PEER)
    for number in range(100):
        scene.say(b"%d" % number, number * 0.02)
    scene.loop.run_until(1003.0)
    assert [data for _, data, _ in scene.far.sent] == [b"%d" % number for number in range(100)]
    times = [at for at, _, _ in scene.far.sent]
    assert max(times.count(at) for at in times) >= 14


def test_a_held_back_packet_is_overtaken() -> None:
    scene = Scene(network(10, reorder={"percent": 100, "later_by_ms": 50}))
    scene.relay.send_to(PEER)
    scene.say(b"held", 0.0)
    scene.peer_says(b"held too", 0.0)
    scene.loop.run_until(1001.0)
    assert scene.far.sent == [(0.06, b"held", PEER)]


def test_a_timer_that_is_early_by_less_than_a_millisecond_is_good_enough() -> None:
    scene = Scene(network(10))
    scene.loop.granularity_s = 0.001
    scene.relay.send_to(PEER)
    scene.say(b"x", 0.0007)
    scene.loop.run_until(1001.0)
    assert [data for _, data, _ in scene.far.sent] == [b"x"]


def test_what_nobody_is_known_for_is_counted() -> None:
    scene = Scene(network(10))
    scene.say(b"to whom?", 0.0)
    scene.loop.run_until(1001.0)
    assert scene.far.sent == []
    assert scene.relay.stats.unaddressed == 1


def test_what_is_under_way_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MAX_UNDER_WAY", 5)
    scene = Scene(network(1000))
    scene.relay.send_to(PEER)
    for number in range(8):
        scene.say(b"%d" % number, number * 0.02)
    scene.loop.run_until(1003.0)
    assert len(scene.far.sent) == 5
    assert scene.relay.stats.overflowed == 3


def test_closing_forgets_what_is_under_way() -> None:
    scene = Scene(network(100))
    scene.relay.send_to(PEER)
    scene.say(b"x", 0.0)
    scene.relay.close()
    scene.relay.close()
    scene.loop.run_until(1001.0)
    assert scene.far.sent == []
    assert scene.near.closed
    assert scene.far.closed
    assert scene.loop.pending == 0


def test_a_second_socket_that_fails_closes_the_first() -> None:
    loop: Any = FakeLoop()
    opened: list[FakeSocket] = []

    def open_socket(receive: Receive) -> FakeSocket:
        if opened:
            raise OSError("no more sockets")
        opened.append(FakeSocket(loop, 30000, receive))
        return opened[0]

    with pytest.raises(OSError, match="no more"):
        UdpRelay(loop, loop.clock, open_socket, network(0))
    assert opened[0].closed


async def test_datagrams_over_real_sockets() -> None:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[str, bytes, Address]] = asyncio.Queue()

    def inbox(who: str, data: bytes, source: Address, now: float) -> None:
        arrived.put_nowait((who, data, source))

    us, peer = (
        RtpEndpoint(loop, ("127.0.0.1", 0), partial(inbox, who), monotonic)
        for who in ("us", "peer")
    )
    between = UdpRelay(
        loop,
        monotonic,
        lambda receive: RtpEndpoint(loop, ("127.0.0.1", 0), receive, monotonic),
        Network(shipped_profile("clean")),
        us.local,
    )
    between.send_to(peer.local)
    us.send(b"hello", between.near)
    assert await arrived.get() == ("peer", b"hello", between.far)
    peer.send(b"hi", between.far)
    assert await arrived.get() == ("us", b"hi", between.near)
    assert between.far_source == peer.local
    for endpoint in (us, peer, between):
        endpoint.close()
