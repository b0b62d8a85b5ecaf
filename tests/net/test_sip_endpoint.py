from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from telephony.base.ids import Ids
from telephony.net.listen import PortInUse, bind_tcp
from telephony.net.sip_endpoint import SipEndpoint
from telephony.net.tls import TlsContexts
from telephony.sip.config import TimerConfig, UserAgentConfig
from telephony.sip.events import (
    AckTimedOut,
    CallAnswered,
    CallFailed,
    Event,
    InviteReceived,
    LegConfirmed,
    LegEnded,
)
from telephony.sip.flow import Flow, Outgoing, Transport
from telephony.sip.user_agent import UserAgent
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.fake_guard import FakeGuard
from tests.support.fake_user_agent import FakeUserAgent

MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


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


async def test_who_needs_a_connection_hears_that_it_is_lost(peers: tuple[Peer, Peer]) -> None:
    a, b = peers
    heard: list[Flow] = []
    a.endpoint.flow_listeners.append(heard.append)
    flow = a.endpoint.flow_to(b.address, "tcp")
    a.core.outbox.append(Outgoing(MESSAGE, flow))
    a.endpoint.flush()
    await b.core.until(lambda: b.core.received)
    await b.endpoint.close()
    await a.core.until(lambda: a.core.failed)
    await eventually(lambda: heard)
    assert heard == [flow]


async def test_why_a_connection_failed_is_told_and_remembered(peers: tuple[Peer, Peer]) -> None:
    a, _ = peers
    heard: list[tuple[Flow, str]] = []
    a.endpoint.failure_listeners.append(lambda flow, reason: heard.append((flow, reason)))
    flow = a.endpoint.flow_to(("127.0.0.1", 9), "tcp")
    a.core.outbox.append(Outgoing(MESSAGE, flow))
    a.endpoint.flush()
    await a.core.until(lambda: a.core.failed)
    assert heard == [(flow, "connection refused")]
    assert a.endpoint.failure_of(flow) == "connection refused"
    a.endpoint._failed(flow, "")
    assert a.endpoint.failure_of(flow) == ""
    assert len(heard) == 1


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
    # The third may be another program's, too.
    assert await peer.endpoint.listen("127.0.0.1", 0) == tried[-1]
    assert len(tried) >= 3
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

    def __init__(self, seed: int, t1_s: float = 0.5) -> None:
        config = UserAgentConfig(timers=TimerConfig(t1_s=t1_s))
        self.core = UserAgent(config, Ids.seeded(seed))
        self.events: list[Event] = []
        self.endpoint = SipEndpoint(self.core, asyncio.get_running_loop(), self._on_event)

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, InviteReceived):
            self.core.answer(event.leg_id, b"v=0\r\n", self.endpoint.clock())

    def saw(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsContexts:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    issued = authority.issue("bot", dns=["bot.example"], addresses=["127.0.0.1", "::1"])
    return TlsContexts(authority.config(issued, "required"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_two_user_agents_call_each_other(
    tls: TlsContexts, transport: Transport, host: str
) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    caller, called = Phone(1), Phone(2)
    ports: dict[Transport, int] = {}
    for phone in (caller, called):
        ports["udp"] = ports["tcp"] = await phone.endpoint.listen(host, 0)
        ports["tls"] = await phone.endpoint.listen_tls(host, 0, tls)
    port = ports[transport]
    flow = caller.endpoint.flow_to((host, port), transport)
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    leg_id = caller.core.invite(
        f"sip:bot@{at}", "sip:a@127.0.0.1", b"v=0\r\n", flow, caller.endpoint.clock()
    )
    caller.endpoint.flush()
    await eventually(lambda: caller.saw(CallAnswered) and called.saw(LegConfirmed))
    caller.core.bye(leg_id, caller.endpoint.clock())
    caller.endpoint.flush()
    await eventually(lambda: caller.saw(LegEnded) and called.saw(LegEnded))
    await caller.endpoint.close()
    await called.endpoint.close()


async def test_two_families_on_one_endpoint() -> None:
    """Each request leaves from the socket of its family, and each answer from where it came."""
    if not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    both, four, six = Peer(), Peer(), Peer()
    port = await both.endpoint.listen("0.0.0.0", 0)
    assert await both.endpoint.listen("::", port) == port
    four.port = await four.endpoint.listen("127.0.0.1", 0)
    six.port = await six.endpoint.listen("::1", 0)
    for peer, host in ((four, "127.0.0.1"), (six, "::1")):
        flow = both.endpoint.flow_to((host, peer.port))
        assert flow == Flow("udp", (host, peer.port), (host, port))
        assert both.endpoint.flow_to((host, peer.port), "tcp").local == (host, port)
        both.core.outbox.append(Outgoing(host.encode(), flow))
        both.endpoint.flush()
        await peer.core.until(lambda peer=peer: peer.core.received)
        assert peer.core.received[0][:2] == (
            host.encode(),
            Flow("udp", (host, port), (host, peer.port)),
        )
    assert both.endpoint.udp is not None
    assert both.endpoint.udp.stats.sent == 2
    for peer in (both, four, six):
        await peer.endpoint.close()


async def test_a_family_without_socket_has_no_flow() -> None:
    peer = Peer()
    await peer.endpoint.listen("127.0.0.1", 0)
    with pytest.raises(OSError):
        peer.endpoint.flow_to(("::1", 5060))
    peer.core.outbox.append(Outgoing(b"x", Flow("udp", ("::1", 9), ("::1", 9))))
    peer.endpoint.flush()
    assert len(peer.core.failed) == 1
    await peer.endpoint.close()


async def test_a_request_that_moves_to_tcp_and_finds_nobody(peers: tuple[Peer, Peer]) -> None:
    """What RFC 3261 section 18.1.1 asks for: the same peer over TCP, back again if refused."""
    a, _ = peers
    udp_only = Peer()
    udp_only.port = await udp_only.endpoint.listen("127.0.0.1", 0, tcp=False)
    flow = replace(a.endpoint.flow_to(udp_only.address), transport="tcp")
    a.core.outbox.append(Outgoing(MESSAGE, flow))
    a.endpoint.flush()
    await a.core.until(lambda: a.core.failed)
    assert a.core.failed == [flow]
    await udp_only.endpoint.close()


async def test_the_guard_is_asked_before_the_user_agent() -> None:
    guard, core = FakeGuard(), FakeUserAgent()
    endpoint = SipEndpoint(core, asyncio.get_running_loop(), lambda event: None, guard=guard)
    port = await endpoint.listen("127.0.0.1", 0)
    sender = Peer()
    sender.port = await sender.endpoint.listen("127.0.0.1", 0)
    guard.open = False
    for data in (b"dropped", b"taken"):
        sender.core.outbox.append(Outgoing(data, sender.endpoint.flow_to(("127.0.0.1", port))))
        sender.endpoint.flush()
        await eventually(lambda data=data: ("127.0.0.1", len(data)) in guard.asked)
        guard.open = True
    await core.until(lambda: core.received)
    assert [data for data, _, _ in core.received] == [b"taken"]
    assert endpoint.udp is not None
    assert endpoint.udp.stats.not_admitted == 1
    await endpoint.close()
    await sender.endpoint.close()


async def test_a_flood_leaves_the_loop_to_others() -> None:
    """However much there is to read, callbacks come in between after a bounded number."""
    turns: list[int] = []
    core = FakeUserAgent()
    endpoint = SipEndpoint(core, asyncio.get_running_loop(), lambda event: None)
    port = await endpoint.listen("127.0.0.1", 0)
    sender = Peer()
    await sender.endpoint.listen("127.0.0.1", 0)
    flow = sender.endpoint.flow_to(("127.0.0.1", port))
    for _ in range(1000):
        sender.endpoint.udp_sockets.send(b"junk", flow)
    while len(core.received) < 1000:
        turns.append(len(core.received))
        await asyncio.sleep(0)
    assert max(b - a for a, b in itertools.pairwise(turns)) <= 32
    await endpoint.close()
    await sender.endpoint.close()


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


async def test_a_datagram_that_comes_back_fails_its_request_and_says_why() -> None:
    peer = Peer()
    peer.port = await peer.endpoint.listen("127.0.0.1", 0, tcp=False)
    gone = Peer()
    gone.port = await gone.endpoint.listen("127.0.0.1", 0, tcp=False)
    await gone.endpoint.close()
    heard: list[tuple[Flow, str]] = []
    peer.endpoint.failure_listeners.append(lambda flow, reason: heard.append((flow, reason)))
    flow = peer.endpoint.flow_to(gone.address)
    peer.core.outbox.append(Outgoing(b"not waited for", flow))
    peer.endpoint.flush()
    await peer.core.until(lambda: peer.core.undelivered)
    assert (heard, peer.endpoint.failure_of(flow)) == ([], "")
    peer.core.fails_undelivered = flow
    peer.core.outbox.append(Outgoing(b"question", flow))
    peer.endpoint.flush()
    await peer.core.until(lambda: len(peer.core.undelivered) == 2)
    assert peer.core.undelivered[1] == b"question"
    assert heard == [(flow, "connection refused")]
    assert peer.endpoint.failure_of(flow) == "connection refused"
    assert peer.core.failed == []
    back = Peer()
    back.port = await back.endpoint.listen("127.0.0.1", gone.port, tcp=False)
    back.core.outbox.append(Outgoing(b"I am here", back.endpoint.flow_to(peer.address)))
    back.endpoint.flush()
    await peer.core.until(lambda: peer.core.received)
    assert peer.endpoint.failure_of(flow) == ""
    await peer.endpoint.close()
    await back.endpoint.close()


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_call_outlives_a_server_that_is_started_anew(comes_back: bool) -> None:
    caller, gone, back = Phone(1, 0.5 if comes_back else 0.02), Phone(2), Phone(3)
    await caller.endpoint.listen("127.0.0.1", 0, tcp=False)
    port = await gone.endpoint.listen("127.0.0.1", 0, tcp=False)
    await gone.endpoint.close()
    flow = caller.endpoint.flow_to(("127.0.0.1", port))
    uri = f"sip:bot@127.0.0.1:{port}"
    caller.core.invite(uri, "sip:a@127.0.0.1", b"v=0\r\n", flow, caller.endpoint.clock())
    caller.endpoint.flush()
    stats = caller.endpoint.udp_sockets.stats
    await eventually(lambda: stats.undelivered)
    if comes_back:
        await back.endpoint.listen("127.0.0.1", port, tcp=False)
        await eventually(lambda: caller.saw(CallAnswered))
    else:
        await eventually(lambda: caller.saw(CallFailed))
        assert stats.undelivered == stats.sent > 1
        assert caller.endpoint.failure_of(flow) == "connection refused"
    assert caller.saw(CallFailed) is not comes_back
    await caller.endpoint.close()
    await back.endpoint.close()
