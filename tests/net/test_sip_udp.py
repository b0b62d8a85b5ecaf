from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from telephony.net.listen import Address, PortInUse
from telephony.net.sip_udp import SipUdp
from telephony.net.undelivered import Undelivered
from telephony.sip.flow import Flow
from tests.support.eventually import eventually

NewLoop = Callable[[], asyncio.AbstractEventLoop]


class Inbox:
    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self._arrived = asyncio.Event()

    def __call__(self, data: bytes, flow: Flow) -> None:
        self.received.append((data, flow))
        self._arrived.set()

    async def wait(self, count: int) -> list[tuple[bytes, Flow]]:
        while len(self.received) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.received


def open_udp(host: str = "127.0.0.1", inbox: Inbox | None = None) -> SipUdp:
    return SipUdp(asyncio.get_running_loop(), (host, 0), inbox or Inbox())


async def test_a_datagram_is_a_message_with_its_flow() -> None:
    inbox = Inbox()
    a, b = open_udp(inbox=inbox), open_udp()
    assert b.send(b"hello", Flow("udp", a.local, b.local))
    assert await inbox.wait(1) == [(b"hello", Flow("udp", b.local, a.local))]
    a.close()
    b.close()
    b.close()


@pytest.mark.parametrize(("wildcard", "loopback"), [("0.0.0.0", "127.0.0.2"), ("::", "::1")])
async def test_on_a_wildcard_the_flow_names_the_address_written_to(
    wildcard: str, loopback: str
) -> None:
    asked, answered = Inbox(), Inbox()
    try:
        a = open_udp(wildcard, asked)
        b = open_udp("127.0.0.1" if wildcard == "0.0.0.0" else "::1", answered)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    b.send(b"ping", Flow("udp", (loopback, a.local[1]), b.local))
    flow = (await asked.wait(1))[0][1]
    assert flow == Flow("udp", b.local, (loopback, a.local[1]))
    a.send(b"pong", flow)
    assert (await answered.wait(1))[0][1].remote == (loopback, a.local[1])
    a.close()
    b.close()


async def test_many_datagrams_in_one_wake_up_keep_their_order() -> None:
    inbox = Inbox()
    a, b = open_udp(inbox=inbox), open_udp()
    for n in range(100):
        b.send(str(n).encode(), Flow("udp", a.local, b.local))
    received = await inbox.wait(100)
    assert [int(data) for data, _ in received] == list(range(100))
    a.close()
    b.close()


async def test_closing_in_the_middle_of_a_batch() -> None:
    a: SipUdp
    seen: list[bytes] = []

    def close_on_first(data: bytes, flow: Flow) -> None:
        seen.append(data)
        a.close()

    a = SipUdp(asyncio.get_running_loop(), ("127.0.0.1", 0), close_on_first)
    b = open_udp()
    for _ in range(3):
        b.send(b"x", Flow("udp", a.local, b.local))
    await eventually(lambda: seen)
    assert seen == [b"x"]
    b.close()


async def test_what_can_not_be_sent_is_said_and_counted() -> None:
    a = open_udp()
    assert not a.send(b"x" * 70_000, Flow("udp", ("127.0.0.1", 9), a.local))
    assert not a.send(b"x", Flow("udp", ("127.0.0.1", 99999), a.local))
    assert not a.send(b"x", Flow("udp", ("255.255.255.255", 9), a.local))
    assert a.stats.send_errors == 3
    a.close()


async def test_a_taken_port() -> None:
    a = open_udp()
    with pytest.raises(PortInUse):
        SipUdp(asyncio.get_running_loop(), a.local, Inbox())
    a.close()


def closed_port(host: str = "127.0.0.1") -> Address:
    a = open_udp(host)
    a.close()
    return a.local


LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("new_loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_datagram_that_nobody_takes_comes_back(new_loop: NewLoop, host: str) -> None:
    """And the socket goes on listening: libuv stops watching one that is in error."""

    async def lose_and_listen() -> None:
        inbox, lost = Inbox(), list[Undelivered]()
        loop = asyncio.get_running_loop()
        try:
            a = SipUdp(loop, (host, 0), inbox, on_undelivered=lost.append)
        except OSError:
            pytest.skip("no IPv6 on this machine")
        here = "127.0.0.1" if host == "0.0.0.0" else host
        gone = closed_port(here)
        b = open_udp(here)
        for text in (b"one", b"two"):
            a.send(text, Flow("udp", gone, a.local))
            await eventually(lambda text=text: lost and lost[-1].head == text)
        assert lost == [Undelivered(gone, text, "connection refused") for text in (b"one", b"two")]
        assert (a.stats.undelivered, a.stats.receive_errors, a.stats.sent) == (2, 0, 2)
        b.send(b"hello", Flow("udp", (here, a.local[1]), b.local))
        assert (await inbox.wait(1))[0][0] == b"hello"
        a.close()
        b.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(lose_and_listen())


@pytest.mark.parametrize("new_loop", LOOPS, ids=["asyncio", "uvloop"])
def test_an_error_that_a_send_meets_leaves_no_deaf_socket(new_loop: NewLoop) -> None:
    """The loop sees an error and a datagram together, and something sends before they are read."""

    async def send_between() -> None:
        inbox, lost = Inbox(), list[Undelivered]()
        loop = asyncio.get_running_loop()
        a = SipUdp(loop, ("127.0.0.1", 0), inbox, on_undelivered=lost.append)
        b = open_udp()
        first, wakes = socket.socketpair()

        def send() -> None:
            loop.remove_reader(first)
            assert a.send(b"reply", Flow("udp", b.local, a.local))

        loop.add_reader(first, send)
        gone, sent = closed_port(), (b"watched by now", b"with the error", b"after it")
        for count, text in enumerate(sent, 1):
            if count == 2:
                # The loop looks once more, so that what is ready first is seen first.
                await asyncio.sleep(0)
                wakes.send(b"x")
                a.send(b"lost", Flow("udp", gone, a.local))
            b.send(text, Flow("udp", a.local, b.local))
            await inbox.wait(count)
        assert tuple(data for data, _ in inbox.received) == sent
        assert len(lost) == 1
        for each in (a, b, first, wakes):
            each.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(send_between(), 5))


async def test_sending_on_a_closed_socket() -> None:
    a, b = open_udp(), open_udp()
    a.close()
    assert not a.send(b"x", Flow("udp", b.local, a.local))
    b.close()


async def test_the_error_of_one_datagram_does_not_cost_the_next() -> None:
    inbox, lost = Inbox(), list[Undelivered]()
    a = SipUdp(asyncio.get_running_loop(), ("127.0.0.1", 0), Inbox(), on_undelivered=lost.append)
    b = open_udp(inbox=inbox)
    gone = closed_port()
    for n in range(20):
        assert a.send(b"lost", Flow("udp", gone, a.local))
        assert a.send(str(n).encode(), Flow("udp", b.local, a.local))
    received = await inbox.wait(20)
    assert [int(data) for data, _ in received] == list(range(20))
    await eventually(lambda: len(lost) == 20)
    assert a.stats.send_errors == 0
    a.close()
    b.close()


async def test_closing_when_a_datagram_comes_back() -> None:
    a: SipUdp
    lost: list[Undelivered] = []

    def close(undelivered: Undelivered) -> None:
        lost.append(undelivered)
        a.close()

    a = SipUdp(asyncio.get_running_loop(), ("127.0.0.1", 0), Inbox(), on_undelivered=close)
    a.send(b"x", Flow("udp", closed_port(), a.local))
    await eventually(lambda: lost)
    a.close()
