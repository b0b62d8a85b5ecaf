"""Reliable early media and UPDATE over a wire that loses: every call ends on both sides."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.errors import LocalProtocolError
from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    CallFailed,
    Event,
    InviteCancelled,
    InviteReceived,
    LegConfirmed,
    LegEnded,
    OfferReceived,
)
from tests.sip.wire import OTHER_SDP, SDP, Endpoint, Network

_CALLER = ("192.0.2.1", 5060)
_CALLEE = ("192.0.2.2", 5060)
_ENDS = (LegEnded, InviteCancelled, CallFailed)
_fates = st.lists(st.lists(st.sampled_from([0.001, 0.05, 0.6, 3.0]), max_size=2), max_size=30)
_actions = st.lists(
    st.tuples(
        st.sampled_from(["progress", "ring", "answer", "reject", "cancel", "update", "refresh"]),
        st.booleans(),
        st.sampled_from([0.0, 0.02, 0.7, 5.0]),
    ),
    max_size=8,
)


def _answer_offers(endpoint: Endpoint, sdp: bytes) -> None:
    def react(event: Event, now: float) -> None:
        if isinstance(event, OfferReceived):
            endpoint.agent.answer_offer(event.leg_id, sdp, now)

    endpoint.react = react


def _act(endpoint: Endpoint, action: str, now: float) -> None:
    """Do what the layer above might do; what the leg's state forbids changes nothing."""
    agent = endpoint.agent
    for leg_id in list(agent.legs):
        try:
            if action == "progress":
                agent.progress(leg_id, SDP, now)
            elif action == "ring":
                agent.ring(leg_id, now)
            elif action == "answer":
                agent.answer(leg_id, SDP, now)
            elif action == "reject":
                agent.reject(leg_id, 486, now)
            elif action == "cancel":
                agent.cancel(leg_id, now)
            else:
                agent.update(leg_id, OTHER_SDP if action == "update" else None, now)
        except LocalProtocolError:
            pass


def _hang_up(network: Network) -> None:
    for endpoint in network.endpoints.values():
        for leg_id, leg in list(endpoint.agent.legs.items()):
            if leg.state.name == "INCOMING" and leg.held_answer is None:
                endpoint.agent.reject(leg_id, 480, network.now)
            else:
                endpoint.agent.bye(leg_id, network.now)


@settings(max_examples=150, deadline=None)
@given(fates=_fates, actions=_actions)
def test_any_loss_and_any_commands_end_cleanly(
    fates: list[list[float]], actions: list[tuple[str, bool, float]]
) -> None:
    fate = iter(fates)
    network = Network(lambda _data: next(fate, [0.01]))
    caller, callee = network.add(_CALLER, 1), network.add(_CALLEE, 2)
    _answer_offers(caller, OTHER_SDP)
    _answer_offers(callee, SDP)
    flow = network.flow(_CALLER, _CALLEE)
    caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, 0.0)
    for action, by_caller, pause_s in actions:
        network.run(pause_s)
        _act(caller if by_caller else callee, action, network.now)
    network.run(60.0)
    for _ in range(2):
        _hang_up(network)
        network.run(300.0)
    for endpoint in (caller, callee):
        assert not endpoint.agent.dialogs
        assert not endpoint.agent.legs
        assert endpoint.agent.transaction_count == 0
        assert endpoint.agent.next_timer() is None
        ends = [event for event in endpoint.events if isinstance(event, _ENDS)]
        assert len(ends) == len({event.leg_id for event in endpoint.events})
        assert not endpoint.events or endpoint.events[-1] is ends[-1]


@settings(max_examples=60, deadline=None)
@given(fates=_fates, pause_s=st.sampled_from([0.0, 0.02, 1.0, 10.0]))
def test_early_media_and_the_answer_arrive_whatever_is_lost(
    fates: list[list[float]], pause_s: float
) -> None:
    """The description is in the 183, and no answered call goes without it."""
    # An INVITE is sent seven times: one that is lost every time never arrives.
    fate = iter(fates[:6])
    network = Network(lambda _data: next(fate, [0.01]))
    caller, callee = network.add(_CALLER, 1), network.add(_CALLEE, 2)

    def react(event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            callee.agent.progress(event.leg_id, SDP, now)

    callee.react = react
    flow = network.flow(_CALLER, _CALLEE)
    caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, 0.0)
    while not callee.events:
        network.run(1.0)
    network.run(pause_s)
    for leg_id in list(callee.agent.legs):
        callee.agent.answer(leg_id, SDP, network.now)
    network.run(25.0)
    (answered,) = caller.of(CallAnswered)
    assert isinstance(answered, CallAnswered)
    assert answered.sdp == SDP
    assert len(callee.of(LegConfirmed)) == 1
    assert not caller.of(AnswerReceived)
