"""Two kinds of far end for the SIP tests: a network in memory, and a peer that writes by hand."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from telephony.base.ids import Ids
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import Event
from telephony.sip.flow import Address, Flow, Outgoing, Transport
from telephony.sip.user_agent import UserAgent

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"
OTHER_SDP = b"v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\ns=-\r\n"
US: Address = ("192.0.2.10", 5060)
PEER: Address = ("192.0.2.20", 5060)
Delays = Callable[[bytes], list[float]]
"""Maps a message to the delays of its copies in seconds; an empty list loses it."""


def start_line(data: bytes) -> str:
    """Return ``INVITE``, or ``200 INVITE`` for a response."""
    lines = data.decode("utf-8", "replace").split("\r\n")
    first = lines[0].split(" ")
    if not first[0].startswith("SIP/"):
        return first[0]
    return f"{first[1]} {header(data, 'CSeq').split()[-1]}"


def header(data: bytes, name: str) -> str:
    """Return the first value of a header, "" when it is missing."""
    values = headers(data, name)
    return values[0] if values else ""


def headers(data: bytes, name: str) -> list[str]:
    lines = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")[1:]
    pairs = [line.partition(":") for line in lines]
    return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]


def body(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


def tag(value: str) -> str:
    return value.rpartition(";tag=")[2]


def at_once(_data: bytes) -> list[float]:
    return [0.001]


@dataclass
class Endpoint:
    """A user agent on the network, what it heard, and what it does about it."""

    agent: UserAgent
    address: Address
    events: list[Event] = field(default_factory=list)
    react: Callable[[Event, float], None] | None = None

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


class Network:
    """Carries datagrams between endpoints in virtual time; ``delays`` may lose or copy them."""

    def __init__(self, delays: Delays = at_once, transport: Transport = "udp") -> None:
        self.delays = delays
        self.transport = transport
        self.now = 0.0
        self.endpoints: dict[Address, Endpoint] = {}
        self.log: list[tuple[float, Address, Address, bytes]] = []
        self._queue: list[tuple[float, int, bytes, Address, Address]] = []
        self._sequence = 0

    def add(self, address: Address, seed: int, config: UserAgentConfig | None = None) -> Endpoint:
        agent = UserAgent(config or UserAgentConfig(), Ids.seeded(seed))
        self.endpoints[address] = endpoint = Endpoint(agent, address)
        return endpoint

    def flow(self, local: Address, remote: Address) -> Flow:
        return Flow(self.transport, remote, local)

    def ladder(self) -> list[str]:
        return [start_line(data) for _, _, _, data in self.log]

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass, delivering and timing out in order."""
        end = self.now + seconds
        self._drain()
        while (due := self._next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            while self._queue and self._queue[0][0] <= self.now:
                _, _, data, source, target = heapq.heappop(self._queue)
                if endpoint := self.endpoints.get(target):
                    flow = self.flow(target, source)
                    endpoint.agent.receive_message(data, flow, self.now)
                self._drain()
            for endpoint in self.endpoints.values():
                endpoint.agent.handle_timer(self.now)
            self._drain()
        self.now = end

    def _next_due(self) -> float | None:
        timers = [endpoint.agent.next_timer() for endpoint in self.endpoints.values()]
        times = [due for due in timers if due is not None]
        times += [self._queue[0][0]] if self._queue else []
        return min(times, default=None)

    def _drain(self) -> None:
        busy = True
        while busy:
            busy = False
            for endpoint in self.endpoints.values():
                for outgoing in endpoint.agent.messages_to_send():
                    self._send(outgoing, endpoint.address)
                for event in endpoint.agent.events_received():
                    busy = True
                    endpoint.events.append(event)
                    if endpoint.react is not None:
                        endpoint.react(event, self.now)

    def _send(self, outgoing: Outgoing, source: Address) -> None:
        target = outgoing.flow.remote
        self.log.append((self.now, source, target, outgoing.data))
        for delay in self.delays(outgoing.data):
            self._sequence += 1
            entry = (self.now + delay, self._sequence, outgoing.data, source, target)
            heapq.heappush(self._queue, entry)


def with_sdp(data: bytes, sdp: bytes) -> bytes:
    """Give a message without a body a session description."""
    kind = f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n".encode()
    return data.replace(b"Content-Length: 0\r\n\r\n", kind) + sdp


class HandPeer:
    """One user agent under test and a peer whose every message the test writes."""

    def __init__(
        self,
        config: UserAgentConfig | None = None,
        transport: Transport = "udp",
        agent: UserAgent | None = None,
    ) -> None:
        self.agent = agent or UserAgent(config or UserAgentConfig(), Ids.seeded(7))
        self.flow = Flow(transport, PEER, US)
        self.now = 0.0

    def send(self, data: bytes, flow: Flow | None = None) -> list[bytes]:
        """Deliver ``data``; return what the user agent sent since the last call."""
        self.agent.receive_message(data, flow or self.flow, self.now)
        return self.sent()

    def sent(self) -> list[bytes]:
        return [outgoing.data for outgoing in self.agent.messages_to_send()]

    def wait(self, seconds: float) -> list[bytes]:
        """Let time pass, stopping at each timer; return what was sent meanwhile."""
        end = self.now + seconds
        while (due := self.agent.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.agent.handle_timer(self.now)
        self.now = end
        return self.sent()

    def timed(self, seconds: float) -> list[tuple[float, str]]:
        """Like ``wait``, but return the time and kind of every message."""
        end, sent = self.now + seconds, list[tuple[float, str]]()
        while (due := self.agent.next_timer()) is not None and due <= end:
            self.now = due
            self.agent.handle_timer(due)
            sent += [(due, line) for line in lines(self.sent())]
        self.now = end
        return sent

    def events(self) -> list[Event]:
        return self.agent.events_received()

    def request(
        self,
        method: str = "INVITE",
        *,
        branch: str = "z9hG4bK1",
        cseq: int = 1,
        to_tag: str = "",
        from_tag: str = "peer",
        call_id: str = "call-1",
        uri: str = "sip:bot@192.0.2.10",
        sent_by: str = "192.0.2.20:5060",
        contact: str = "<sip:peer@192.0.2.20:5060>",
        extra: str = "",
        sdp: bytes | None = SDP,
        rport: bool = True,
    ) -> bytes:
        """Write a request; an INVITE carries ``sdp`` unless it is None."""
        content = sdp if sdp is not None and method == "INVITE" else b""
        kind = "Content-Type: application/sdp\r\n" if content else ""
        to_part = f";tag={to_tag}" if to_tag else ""
        transport = self.flow.transport.upper()
        text = (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{transport} {sent_by};branch={branch}{';rport' if rport else ''}\r\n"
            f'Max-Forwards: 70\r\nFrom: "Peer" <sip:peer@192.0.2.20>;tag={from_tag}\r\n'
            f"To: <sip:bot@192.0.2.10>{to_part}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: {contact}\r\n{extra}{kind}"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return text.encode() + content

    def response(
        self,
        request: bytes,
        status: int,
        *,
        to_tag: str = "far",
        sdp: bytes = b"",
        extra: str = "Contact: <sip:far@192.0.2.20:5060>\r\n",
    ) -> bytes:
        """Answer a request of the user agent."""
        to = header(request, "To")
        to += "" if ";tag=" in to or status == 100 else f";tag={to_tag}"
        kind = "Content-Type: application/sdp\r\n" if sdp else ""
        text = (
            f"SIP/2.0 {status} Whatever\r\nVia: {header(request, 'Via')}\r\n"
            f"From: {header(request, 'From')}\r\nTo: {to}\r\n"
            f"Call-ID: {header(request, 'Call-ID')}\r\nCSeq: {header(request, 'CSeq')}\r\n"
            f"{extra}{kind}Content-Length: {len(sdp)}\r\n\r\n"
        )
        return text.encode() + sdp

    def invited(self) -> str:
        """Receive an INVITE; return the leg id."""
        self.send(self.request())
        (event,) = self.events()
        leg_id: str = event.leg_id
        return leg_id

    def up(self) -> tuple[str, str]:
        """Receive, answer and confirm a call; return the leg id and our tag."""
        leg_id = self.invited()
        self.agent.answer(leg_id, OTHER_SDP, self.now)
        ours = tag(header(self.sent()[-1], "To"))
        self.send(self.request("ACK", branch="z9hG4bK1a", to_tag=ours))
        self.events()
        return leg_id, ours

    def calling(self, sdp: bytes | None = SDP, **options: Any) -> tuple[str, bytes]:
        """Send an INVITE; return the leg id and the INVITE."""
        leg_id = self.agent.invite(
            "sip:far@192.0.2.20", "sip:bot@192.0.2.10", sdp, self.flow, self.now, **options
        )
        (invite,) = self.sent()
        return leg_id, invite

    def called(self) -> tuple[str, bytes]:
        """Call and be answered; return the leg id and the INVITE."""
        leg_id, invite = self.calling()
        self.send(self.response(invite, 200, sdp=OTHER_SDP))
        self.events()
        return leg_id, invite

    def assert_drained(self) -> None:
        """After every timer nothing is left."""
        self.wait(300)
        assert not self.agent.dialogs
        assert not self.agent.legs
        assert self.agent.transaction_count == 0
        assert self.agent.next_timer() is None


def lines(messages: list[bytes]) -> list[str]:
    return [start_line(data) for data in messages]
