"""Two user agents, every command in any order, over a wire that loses, copies and reorders.

Challenges, session timers, reliable responses, streams that break and refused datagrams are drawn
as well. Whatever happens: nothing a peer or a clock does raises, each leg has one end and no event
after it, numbers only grow, transactions that are over send nothing, and nothing is left.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.events import (
    CallAnswered,
    CallFailed,
    Event,
    InviteCancelled,
    InviteReceived,
    LegEnded,
    OfferReceived,
    ReferReceived,
)
from telephony.sip.flow import Flow, Outgoing, Transport
from telephony.sip.user_agent import UserAgent
from tests.sip.challenging import ALICE, Challenger
from tests.sip.wire import Endpoint, Network, header, start_line

_ONE = ("192.0.2.1", 5060)
_OTHER = ("192.0.2.2", 5060)
_ENDS = (LegEnded, InviteCancelled, CallFailed)
_MAX_CALLS = 4
_WRONG = Credentials("alice", "wrong")
_T1_64_S = 32.0


class _Watched:
    """Looks like a UserAgent; notes what it was told, and whether it still sends what is over."""

    def __init__(
        self, inner: UserAgent, carrier: UserAgent | Challenger, clock: Callable[[], float]
    ) -> None:
        self.inner = inner
        self._carrier = carrier
        self._clock = clock
        self._over: set[tuple[str, str]] = set()
        self._first_sent: dict[tuple[str, str], float] = {}
        self._cseqs: dict[tuple[str, str, str], int] = {}
        self._refused = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None:
        line = start_line(data)
        status, _, method = line.partition(" ")
        # Even a provisional response ends the repeating of an INVITE.
        if method and (status >= "200" or method == "INVITE"):
            self._over.add((_branch(data), method))
        self._carrier.receive_message(data, flow, now)

    def messages_to_send(self) -> list[Outgoing]:
        messages = self._carrier.messages_to_send()
        for outgoing in messages:
            self._check(outgoing.data)
        return messages

    def transport_failed(self, flow: Flow, now: float) -> None:
        self._refused = self._refused or flow.reliable
        self.inner.transport_failed(flow, now)

    def events_received(self) -> list[Event]:
        return self._carrier.events_received()

    def next_timer(self) -> float | None:
        return self._carrier.next_timer()

    def handle_timer(self, now: float) -> None:
        self._carrier.handle_timer(now)

    def _check(self, data: bytes) -> None:
        method = start_line(data)
        if " " in method or method == "ACK":
            return
        key = (_branch(data), method)
        assert key not in self._over, f"{method} repeated after its response"
        new = key not in self._first_sent
        now = self._clock()
        first = self._first_sent.setdefault(key, now)
        assert now - first <= _T1_64_S, f"{method} repeated for ever"
        if not new or method == "CANCEL":
            return
        dialog = (header(data, "Call-ID"), header(data, "From"), header(data, "To"))
        cseq, last = int(header(data, "CSeq").split()[0]), self._cseqs.get(dialog, 0)
        # What a stream did not take is sent as a datagram with the number that it had.
        assert cseq > last or (cseq == last and self._refused), f"CSeq of {method} does not grow"
        self._cseqs[dialog] = cseq


def _branch(data: bytes) -> str:
    return header(data, "Via").partition("branch=")[2].partition(";")[0]


class _Wire(Network):
    """Carries UDP and TCP. ``share`` of the datagrams is lost, and as many arrive twice or late.

    ``streams`` False refuses every connection made for the size of a request.
    """

    def __init__(self, transport: Transport, seed: int, share: float, streams: bool) -> None:
        super().__init__(self._fate, transport)
        self._chance = random.Random(seed)
        self._share = share
        self._streams = streams
        self._over_stream: set[int] = set()
        self._refused: list[tuple[Endpoint, Flow]] = []

    def clear_up(self) -> None:
        self._share = 0.0

    def _fate(self, _data: bytes) -> list[float]:
        chance = self._chance
        if chance.random() < self._share:
            return []
        delays = [chance.choice((0.001, 0.05, 0.3))]
        if chance.random() < self._share:
            delays.append(chance.choice((0.001, 0.6, 4.0)))
        return delays

    def _send(self, outgoing: Outgoing, source: tuple[str, int]) -> None:
        flow = outgoing.flow
        if not flow.reliable:
            super()._send(outgoing, source)
        elif self.transport == "udp" and not self._streams:
            self._refused.append((self.endpoints[source], flow))
        else:
            self._sequence += 1
            self._over_stream.add(self._sequence)
            entry = (self.now + 0.01, self._sequence, outgoing.data, source, flow.remote)
            heapq.heappush(self._queue, entry)
            self.log.append((self.now, source, flow.remote, outgoing.data))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        self._drain_all()
        while (due := self._next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            while self._queue and self._queue[0][0] <= self.now:
                self._deliver_next()
            for endpoint in self.endpoints.values():
                endpoint.agent.handle_timer(self.now)
            self._drain_all()
        self.now = end

    def _deliver_next(self) -> None:
        _, sequence, data, source, target = heapq.heappop(self._queue)
        transport: Transport = "tcp" if sequence in self._over_stream else "udp"
        flow = Flow(transport, source, target)
        self.endpoints[target].agent.receive_message(data, flow, self.now)
        self._drain_all()

    def _drain_all(self) -> None:
        self._drain()
        while self._refused:
            endpoint, flow = self._refused.pop()
            endpoint.agent.transport_failed(flow, self.now)
            self._drain()

    def break_transport(self, endpoint: Endpoint) -> None:
        """Cut the connection, and what is on it; or have a datagram refused (ICMP)."""
        (other,) = self.endpoints.keys() - {endpoint.address}
        if self.transport == "tcp":
            self._queue.clear()
            flow = Flow("tcp", endpoint.address, other)
            self.endpoints[other].agent.transport_failed(flow, self.now)
        flow = Flow(self.transport, other, endpoint.address)
        endpoint.agent.transport_failed(flow, self.now)
        self._drain_all()


class _Layer:
    """The layer above one user agent: what it remembers of its legs and what it does at once."""

    def __init__(self, endpoint: Endpoint, peer: tuple[str, int], mood: int, bulk: int) -> None:
        self.endpoint = endpoint
        self.agent = endpoint.agent
        self.peer = peer
        self.mood = random.Random(mood)
        self.bulk = bulk
        self.leg_ids: list[str] = []
        self.referred: list[ReferReceived] = []
        self.version = 0
        endpoint.react = self.react

    def sdp(self) -> bytes:
        self.version += 1
        host = self.endpoint.address[0]
        padding = f"a=x-padding:{'x' * self.bulk}\r\n" if self.bulk else ""
        return f"v=0\r\no=- 1 {self.version} IN IP4 {host}\r\ns=-\r\n{padding}".encode()

    def react(self, event: Event, now: float) -> None:
        """React as a bot does, most of the time."""
        leg_id = getattr(event, "leg_id", "")
        if leg_id and leg_id not in self.leg_ids:
            self.leg_ids.append(leg_id)
        if self.mood.random() < 0.3:
            return
        if isinstance(event, InviteReceived):
            commands = ("ring", "progress", "progress", "progress", "answer", "answer", "reject")
            self.do(self.mood.choice(commands), leg_id, now)
        elif isinstance(event, OfferReceived):
            self.do(self.mood.choice(("answer_offer", "answer_offer", "refuse_offer")), leg_id, now)
        elif isinstance(event, CallAnswered):
            self.do("answer_offer", leg_id, now)
        elif isinstance(event, ReferReceived):
            self.referred.append(event)
            self.do(self.mood.choice(("accept_refer", "accept_refer", "refuse_refer")), leg_id, now)

    def do(self, command: str, leg_id: str, now: float) -> None:
        try:
            _COMMANDS[command](self, leg_id, now)
        except LocalProtocolError:
            pass

    def invite(self, now: float, offers: bool, replaces: str, who: Credentials | None) -> None:
        headers = (("Replaces", replaces),) if replaces else ()
        flow = Flow(self.transport, self.peer, self.endpoint.address)
        leg_id = self.agent.invite(
            f"sip:b@{self.peer[0]}",
            f"sip:a@{self.endpoint.address[0]}",
            self.sdp() if offers else None,
            flow,
            now,
            headers,
            credentials=who,
        )
        self.leg_ids.append(leg_id)

    transport: Transport = "udp"


_Command = Callable[[_Layer, str, float], object]
_COMMANDS: dict[str, _Command] = {
    "ring": lambda a, leg, now: a.agent.ring(leg, now),
    "progress": lambda a, leg, now: a.agent.progress(leg, a.sdp(), now),
    "answer": lambda a, leg, now: a.agent.answer(leg, a.sdp(), now),
    "reject": lambda a, leg, now: a.agent.reject(leg, 486, now),
    "redirect": lambda a, leg, now: a.agent.reject(leg, 302, now),
    "cancel": lambda a, leg, now: a.agent.cancel(leg, now),
    "bye": lambda a, leg, now: a.agent.bye(leg, now),
    "reinvite": lambda a, leg, now: a.agent.reinvite(leg, a.sdp(), now),
    "ask_offer": lambda a, leg, now: a.agent.reinvite(leg, None, now),
    "update": lambda a, leg, now: a.agent.update(leg, a.sdp(), now),
    "refresh": lambda a, leg, now: a.agent.update(leg, None, now),
    "answer_offer": lambda a, leg, now: a.agent.answer_offer(leg, a.sdp(), now),
    "refuse_offer": lambda a, leg, now: a.agent.refuse_offer(leg, 488, now),
    "info": lambda a, leg, now: a.agent.request(leg, "INFO", now),
    "refer": lambda a, leg, now: a.agent.refer(leg, "sip:c@192.0.2.3", now),
    "attended": lambda a, leg, now: a.agent.refer(
        leg, "", now, replaces_leg_id=a.mood.choice(a.leg_ids)
    ),
    "accept_refer": lambda a, leg, now: a.agent.accept_refer(leg, now),
    "refuse_refer": lambda a, leg, now: a.agent.refuse_refer(leg, 603, now),
    "notify": lambda a, leg, now: a.agent.notify_refer(leg, 180, now),
    "notify_end": lambda a, leg, now: a.agent.notify_refer(leg, 200, now),
    "wait": lambda a, leg, now: None,
}
_SENSIBLE = {
    "INCOMING": (
        *("ring", "progress", "progress", "answer", "answer", "answer", "answer_offer", "reject"),
        *("redirect", "update", "refresh", "bye", "wait"),
    ),
    "CALLING": ("cancel", "bye", "update", "update", "refresh", "answer_offer", *("wait",) * 6),
    "UP": (
        *("reinvite", "reinvite", "ask_offer", "update", "refresh", "answer_offer", "refuse_offer"),
        *("info", "refer", "attended", "accept_refer", "notify", "notify_end", "refuse_refer"),
        *("bye", "cancel", *("wait",) * 6),
    ),
}
_SOMETIMES = ("call", "break", "credentials")
_PAUSES_S = (0.0, 0.0, 0.02, 0.2, 1.0, 5.0, 40.0, 300.0)


class WholeCalls(RuleBasedStateMachine):
    """Draws the wire and both configurations once, then commands and pauses."""

    layers: tuple[_Layer, _Layer]

    @initialize(
        transport=st.sampled_from(["udp", "udp", "tcp"]),
        seed=st.integers(0, 2**16),
        share=st.sampled_from([0.0, 0.1, 0.3]),
        streams=st.booleans(),
        one=st.integers(0, 2**16),
        other=st.integers(0, 2**16),
    )
    def connect(
        self, transport: Transport, seed: int, share: float, streams: bool, one: int, other: int
    ) -> None:
        self.wire = _Wire(transport, seed, share, streams)
        self.layers = self._layer(_ONE, _OTHER, one), self._layer(_OTHER, _ONE, other)
        for layer in self.layers:
            layer.transport = transport
        self.layers[0].invite(0.0, True, "", ALICE)
        self.wire.run(0.5)
        for leg_id in self.layers[1].leg_ids:
            self.layers[1].do("answer", leg_id, self.wire.now)

    def _layer(self, address: tuple[str, int], peer: tuple[str, int], seed: int) -> _Layer:
        draw = random.Random(seed)
        config = UserAgentConfig(
            session_expires_s=draw.choice((0, 90, 200, 1800)),
            min_session_expires_s=draw.choice((90, 90, 300)),
            session_refresher=draw.choice(("us", "peer")),
            reliable_provisional=draw.random() < 0.5,
        )
        agent = UserAgent(config, Ids.seeded(seed))
        gate: UserAgent | Challenger = agent
        if draw.random() < 0.4:
            gate = Challenger(agent, draw.choice((401, 407)), draw.choice((0.2, 2.0, 300.0)))
        watched = _Watched(agent, gate, lambda: self.wire.now)
        endpoint = Endpoint(watched, address)  # type: ignore[arg-type]
        self.wire.endpoints[address] = endpoint
        return _Layer(endpoint, peer, draw.randrange(2**16), draw.choice((0, 0, 0, 1400)))

    @rule(
        by_other=st.booleans(),
        pick=st.integers(0, 2 * _MAX_CALLS),
        choice=st.integers(0, 10_000),
        pause_s=st.sampled_from(_PAUSES_S),
    )
    def step(self, by_other: bool, pick: int, choice: int, pause_s: float) -> None:
        layer = self.layers[by_other]
        legs = [leg_id for leg_id in layer.leg_ids if leg_id in layer.agent.legs] or layer.leg_ids
        leg_id = legs[pick % len(legs)] if legs else ""
        leg = layer.agent.legs.get(leg_id)
        names = sorted(_COMMANDS) if leg is None else _SENSIBLE[leg.state.name]
        names = (*names, *_SOMETIMES)
        command = names[choice % len(names)]
        if command == "call":
            self._call(layer, choice // len(names) % 16)
        elif command == "break":
            self.wire.break_transport(layer.endpoint)
        elif command == "credentials":
            layer.agent.use_credentials(leg_id, ALICE)
        elif legs:
            layer.do(command, leg_id, self.wire.now)
        self.wire.run(pause_s)

    def _call(self, layer: _Layer, draw: int) -> None:
        if sum(len(other.leg_ids) for other in self.layers) >= 2 * _MAX_CALLS:
            return
        replaces = layer.referred.pop().replaces if draw & 1 and layer.referred else ""
        who = (ALICE, ALICE, _WRONG, None)[draw >> 2]
        layer.invite(self.wire.now, bool(draw & 2), unquote(replaces), who)

    @invariant()
    def ends_come_last(self) -> None:
        for layer in getattr(self, "layers", ()):
            ended: set[str] = set()
            for event in layer.endpoint.events:
                leg_id = getattr(event, "leg_id", "")
                assert leg_id not in ended, (event, layer.endpoint.events)
                if isinstance(event, _ENDS):
                    ended.add(leg_id)

    def teardown(self) -> None:
        if not hasattr(self, "layers"):
            return
        self.wire.clear_up()
        for _ in range(3):
            for layer in self.layers:
                for leg_id in list(layer.agent.legs):
                    layer.do("reject", leg_id, self.wire.now)
                    layer.do("bye", leg_id, self.wire.now)
            self.wire.run(200.0)
        self.wire.run(400.0)
        self.ends_come_last()
        for layer in self.layers:
            agent = layer.agent
            assert not agent.legs, layer.endpoint.events
            assert not agent.dialogs
            assert agent.transaction_count == 0
            assert agent.next_timer() is None
            ends = [event for event in layer.endpoint.events if isinstance(event, _ENDS)]
            assert len(ends) == len(layer.leg_ids)


WholeCalls.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
test_whole_calls = WholeCalls.TestCase
