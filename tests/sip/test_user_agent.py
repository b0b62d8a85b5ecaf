"""The user agent as its shell sees it: two of them in memory, and what is counted."""

from __future__ import annotations

import pytest

from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    CallProgressed,
    Event,
    InviteReceived,
    LegConfirmed,
    LegEnded,
    OfferReceived,
)
from telephony.sip.flow import Transport
from tests.sip.proxy import FakeProxy
from tests.sip.wire import OTHER_SDP, SDP, Endpoint, Network

_CALLER = ("192.0.2.1", 5060)
_CALLEE = ("192.0.2.2", 5060)


def _answering(endpoint: Endpoint) -> None:
    def react(event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            endpoint.agent.ring(event.leg_id, now)
            endpoint.agent.answer(event.leg_id, SDP, now)
        elif isinstance(event, OfferReceived):
            endpoint.agent.answer_offer(event.leg_id, SDP, now)

    endpoint.react = react


def _call(network: Network) -> tuple[Endpoint, Endpoint, str]:
    caller, callee = network.add(_CALLER, 1), network.add(_CALLEE, 2)
    _answering(callee)
    flow = network.flow(_CALLER, _CALLEE)
    leg_id = caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, 0.0)
    network.run(1.0)
    return caller, callee, leg_id


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_whole_call(transport: Transport) -> None:
    network = Network(transport=transport)
    caller, callee, leg_id = _call(network)
    caller.agent.reinvite(leg_id, OTHER_SDP, network.now)
    network.run(1.0)
    caller.agent.bye(leg_id, network.now)
    network.run(1.0)
    assert network.ladder() == [
        *("INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK"),
        *("INVITE", "100 INVITE", "200 INVITE", "ACK"),
        *("BYE", "200 BYE"),
    ]
    kinds = [type(event) for event in caller.events]
    assert kinds == [CallProgressed, CallAnswered, AnswerReceived, LegEnded]
    kinds = [type(event) for event in callee.events]
    assert kinds == [InviteReceived, LegConfirmed, OfferReceived, LegEnded]
    network.run(100.0)
    for endpoint in (caller, callee):
        assert not endpoint.agent.dialogs
        assert endpoint.agent.transaction_count == 0
        assert endpoint.agent.next_timer() is None


@pytest.mark.parametrize("caller_hangs_up", [True, False])
def test_a_call_through_a_proxy_stays_on_its_route(caller_hangs_up: bool) -> None:
    network = Network()
    at = ("192.0.2.50", 5060)
    proxy = FakeProxy(at, _CALLEE)
    network.endpoints[at] = Endpoint(proxy, at)  # type: ignore[arg-type]
    caller, callee = network.add(_CALLER, 1), network.add(_CALLEE, 2)
    _answering(callee)
    flow = network.flow(_CALLER, at)
    leg_id = caller.agent.invite("sip:b@example.com", "sip:a@192.0.2.1", SDP, flow, 0.0)
    network.run(1.0)
    caller.agent.reinvite(leg_id, OTHER_SDP, network.now)
    network.run(1.0)
    endpoint = caller if caller_hangs_up else callee
    endpoint.agent.bye(next(iter(endpoint.agent.legs)), network.now)
    network.run(40.0)
    assert proxy.requests == ["INVITE", "ACK", "INVITE", "ACK", "BYE"]
    for endpoint in (caller, callee):
        assert [type(event) for event in endpoint.events][-1] is LegEnded
        assert not endpoint.agent.dialogs
        assert endpoint.agent.transaction_count == 0


def test_a_lost_ack_is_sent_again() -> None:
    lost = iter([True])
    network = Network(lambda data: [] if data.startswith(b"ACK") and next(lost, False) else [0.001])
    caller, callee, _ = _call(network)
    assert network.ladder().count("200 INVITE") == 2
    assert len(callee.of(LegConfirmed)) == 1
    assert len(caller.of(CallAnswered)) == 1


def test_many_calls_leave_nothing_behind() -> None:
    network = Network()
    caller, callee = network.add(_CALLER, 1), network.add(_CALLEE, 2)
    _answering(callee)
    flow = network.flow(_CALLER, _CALLEE)
    for _ in range(100):
        caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, network.now)
        network.run(0.02)
    assert len(callee.agent.dialogs) == 100
    for leg_id in list(callee.agent.legs):
        callee.agent.bye(leg_id, network.now)
    network.run(100.0)
    for endpoint in (caller, callee):
        assert not endpoint.agent.dialogs
        assert not endpoint.agent.legs
        assert endpoint.agent.transaction_count == 0
