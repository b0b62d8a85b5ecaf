from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from telephony.base.ids import Ids
from telephony.net.listen import PortInUse, bind_tcp
from telephony.net.sip_endpoint import SipEndpoint
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import (
    AckTimedOut,
    CallAnswered,
    CallFailed,
    Event,
    InviteReceived,
    LegConfirmed,
    LegEnded,
)
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.user_agent import UserAgent
from tests.support.eventually import eventually
from tests.support.fake_user_agent import FakeUserAgent

MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class Peer:
    """A fake user agent on an endpoint of its own."""

    def __init__(self) -> None:
        self.core = FakeUserAgent()
        self.told: list[Event] = []
        self.traced: list[tuple[str, bytes]] = []
        self.endpoint = SipEndpoint(
            self.core,
            asyncio.get_running_loop(),
            self.told.append,
            trace=lambda direction, data, flow, now: self.traced.append((direction, data)),
        )
        self.port = 0

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)


@pytest.fixture
async def peers() -> AsyncIterator[tuple[Peer, Peer]]:
    both = (Peer(), Peer())
    for peer in both:
        peer.port = await peer.endpoint.listen("127.0.0.1", 0)
    yield both
    for peer in both:
        await peer.endpoint.close()


async def test_a_message_is_answered_over_udp(peers: tuple[Peer, Peer]) -> None:
    a, b = peers
    b.core.react = lambda data, flow: b.core.outbox.append(Outgoing(b"answer", flow))
    a.core.outbox.append(Outgoing(b"question", a.endpoint.flow_to(b.address)))
    a.endpoint.flush()
    await a.core.until(lambda: a.core.received)
    assert a.core.received[0][0] == b"answer"
    assert a.core.received[0][1] == Flow("udp", b.address, a.address)
    assert a.traced == [("sent", b"question"), ("received", b"answer")]


async def test_a_message_is_answered_over_tcp(peers: tuple[Peer, Peer]) -> None:
    a, b = peers
    message = MESSAGE
    b.core.react = lambda data, flow: b.core.outbox.append(Outgoing(message, flow))
    flow = a.endpoint.flow_to(b.address, "tcp")
    assert flow == Flow("tcp", b.address, a.address)
    a.core.outbox.append(Outgoing(message, flow))
    a.endpoint.flush()
    await a.core.until(lambda: a.core.received)
    assert a.core.received[0][1] == flow
    assert a.endpoint.flow_to(b.address, "tcp") == flow


async def test_events_come_in_order_and_what_they_make_us_send_goes_out_between() -> None:
    peer = Peer()
    order: list[str] = []

    def on_event(event: Event) -> None:
        assert isinstance(event, AckTimedOut)
        order.append(f"event {event.leg_id}")
        peer.core.outbox.append(Outgoing(event.leg_id.encode(), Flow("tcp", ("x", 1), ("y", 2))))
        peer.endpoint.flush()

    endpoint = peer.endpoint = SipEndpoint(
        peer.core,
        asyncio.get_running_loop(),
        on_event,
        trace=lambda direction, data, flow, now: order.append(f"{direction} {data.decode()}"),
    )
    peer.core.events += [AckTimedOut("1"), AckTimedOut("2")]
    endpoint.flush()
    assert order == ["event 1", "sent 1", "event 2", "sent 2"]
    await endpoint.close()


async def test_a_listener_that_raises_does_not_lose_later_events() -> None:
    core = FakeUserAgent()
    told: list[Event] = []

    def on_event(event: Event) -> None:
        told.append(event)
        if len(told) == 1:
            raise ZeroDivisionError

    endpoint = SipEndpoint(core, asyncio.get_running_loop(), on_event)
    core.events += [AckTimedOut("1"), LegEnded("1", "error")]
    with pytest.raises(ZeroDivisionError):
        endpoint.flush()
    await asyncio.sleep(0)
    assert told == [AckTimedOut("1"), LegEnded("1", "error")]
    await endpoint.close()


async def test_the_timer_follows_the_core() -> None:
    peer = Peer()
    now = peer.endpoint.clock()
    peer.core.deadline = now + 3600
    peer.endpoint.flush()
    peer.core.deadline = deadline = now + 0.01
    peer.endpoint.flush()
    await peer.core.until(lambda: peer.core.timers)
    assert peer.core.timers[0] >= deadline
    assert peer.endpoint._timer is None
    await peer.endpoint.close()


async def test_a_flow_that_can_not_be_sent_on_fails() -> None:
    peer = Peer()
    flow = Flow("udp", ("127.0.0.1", 9), ("127.0.0.1", 0))
    peer.core.outbox.append(Outgoing(b"no socket is open", flow))
    peer.endpoint.flush()
    assert peer.core.failed == [flow]
    peer.port = await peer.endpoint.listen("127.0.0.1", 0)
    peer.core.outbox.append(Outgoing(b"x" * 70_000, flow))
    peer.endpoint.flush()
    assert peer.core.failed == [flow, flow]
    await peer.endpoint.close()


async def test_a_lost_connection_fails_its_flow(peers: tuple[Peer, Peer]) -> None:
    a, b = peers
    flow = a.endpoint.flow_to(b.address, "tcp")
    a.core.outbox.append(Outgoing(MESSAGE, flow))
    a.endpoint.flush()
    await b.core.until(lambda: b.core.received)
    await b.endpoint.close()
    await a.core.until(lambda: a.core.failed)
    assert a.core.failed == [flow]
    assert b.core.failed == []


async def test_a_taken_port_leaves_nothing_open() -> None:
    peer = Peer()
    with bind_tcp(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            await peer.endpoint.listen("127.0.0.1", port)
    assert (caught.value.transport, caught.value.port) == ("TCP", port)
    assert peer.endpoint.udp is None
    assert await peer.endpoint.listen("127.0.0.1", port) == port
    await peer.endpoint.close()


async def test_port_0_is_one_that_tcp_has_free_too(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer()
    tried: list[int] = []
    listen = peer.endpoint.streams.listen

    async def listen_at_the_third_port(local: tuple[str, int]) -> tuple[str, int]:
        tried.append(local[1])
        if len(tried) < 3:
            raise PortInUse("TCP", *local)
        return await listen(local)

    monkeypatch.setattr(peer.endpoint.streams, "listen", listen_at_the_third_port)
    assert await peer.endpoint.listen("127.0.0.1", 0) == tried[2]
    assert len(tried) == 3
    await peer.endpoint.close()


async def test_a_wildcard_flow_names_the_address_towards_the_peer() -> None:
    peer = Peer()
    port = await peer.endpoint.listen("0.0.0.0", 0)
    expected = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", port))
    assert peer.endpoint.flow_to(("127.0.0.1", 5060)) == expected
    await peer.endpoint.close()


async def test_close_sends_what_is_left_and_stops_the_timer() -> None:
    peer = Peer()
    peer.port = await peer.endpoint.listen("127.0.0.1", 0)
    peer.core.deadline = peer.endpoint.clock() + 60
    peer.core.outbox.append(Outgoing(b"bye", Flow("udp", peer.address, peer.address)))
    await peer.endpoint.close()
    assert peer.traced == [("sent", b"bye")]
    peer.core.events.append(AckTimedOut("1"))
    peer.endpoint.flush()
    assert peer.told == []


class Phone:
    """A real user agent on an endpoint: answers what rings, remembers what happened."""

    def __init__(self, seed: int) -> None:
        self.core = UserAgent(UserAgentConfig(), Ids.seeded(seed))
        self.events: list[Event] = []
        self.endpoint = SipEndpoint(self.core, asyncio.get_running_loop(), self._on_event)

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, InviteReceived):
            self.core.answer(event.leg_id, b"v=0\r\n", self.endpoint.clock())

    def saw(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_two_user_agents_call_each_other(transport: Literal["udp", "tcp"]) -> None:
    caller, called = Phone(1), Phone(2)
    await caller.endpoint.listen("127.0.0.1", 0)
    port = await called.endpoint.listen("127.0.0.1", 0)
    flow = caller.endpoint.flow_to(("127.0.0.1", port), transport)
    leg_id = caller.core.invite(
        f"sip:bot@127.0.0.1:{port}", "sip:a@127.0.0.1", b"v=0\r\n", flow, caller.endpoint.clock()
    )
    caller.endpoint.flush()
    await eventually(lambda: caller.saw(CallAnswered) and called.saw(LegConfirmed))
    caller.core.bye(leg_id, caller.endpoint.clock())
    caller.endpoint.flush()
    await eventually(lambda: caller.saw(LegEnded) and called.saw(LegEnded))
    await caller.endpoint.close()
    await called.endpoint.close()


async def test_a_user_agent_whose_peer_is_not_there_fails_its_call() -> None:
    caller = Phone(1)
    await caller.endpoint.listen("127.0.0.1", 0)
    flow = caller.endpoint.flow_to(("127.0.0.1", 1), "tcp")
    caller.core.invite(
        "sip:bot@127.0.0.1:1", "sip:a@127.0.0.1", b"v=0\r\n", flow, caller.endpoint.clock()
    )
    caller.endpoint.flush()
    await eventually(lambda: caller.saw(CallFailed))
    await caller.endpoint.close()
