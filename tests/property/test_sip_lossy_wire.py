"""Two user agents over a wire that loses, copies and reorders: every call ends on both sides."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.sip.events import (
    CallAnswered,
    CallFailed,
    Event,
    InviteCancelled,
    InviteReceived,
    LegEnded,
    OfferReceived,
)
from tests.sip.wire import OTHER_SDP, SDP, Endpoint, Network

_CALLER = ("192.0.2.1", 5060)
_CALLEE = ("192.0.2.2", 5060)
_ENDS = (LegEnded, InviteCancelled, CallFailed)
_DRAIN_S = 600.0

# Per message, in turn: the delays of its copies. After the list the wire is clean.
_fates = st.lists(st.lists(st.sampled_from([0.001, 0.05, 0.3, 1.2, 4.0]), max_size=3), max_size=40)
_actions = st.lists(
    st.tuples(
        st.sampled_from(["bye", "cancel", "reinvite", "info", "wait"]),
        st.booleans(),
        st.sampled_from([0.0, 0.02, 0.6, 3.0, 40.0]),
    ),
    max_size=6,
)


class _Wire:
    def __init__(self, fates: list[list[float]]) -> None:
        self._fates = iter(fates)

    def __call__(self, _data: bytes) -> list[float]:
        return next(self._fates, [0.01])


def _answering(endpoint: Endpoint, reject: bool) -> None:
    def react(event: Event, now: float) -> None:
        agent = endpoint.agent
        if isinstance(event, InviteReceived):
            agent.ring(event.leg_id, now)
            if reject:
                agent.reject(event.leg_id, 486, now)
            else:
                agent.answer(event.leg_id, SDP, now)
        elif isinstance(event, OfferReceived | CallAnswered):
            # False, and nothing sent, when the 200 was the answer to our own offer.
            agent.answer_offer(event.leg_id, SDP, now)

    endpoint.react = react


def _leg_of(endpoint: Endpoint) -> str | None:
    return next(iter(endpoint.agent.legs), None)


def _act(endpoint: Endpoint, action: str, now: float) -> None:
    """Do what the layer above may do with a leg in its present state."""
    leg_id = _leg_of(endpoint)
    if leg_id is None:
        return
    leg, agent = endpoint.agent.legs[leg_id], endpoint.agent
    up = leg.state.name == "UP"
    if action == "bye" and (up or leg.caller):
        agent.bye(leg_id, now)
    elif action == "cancel" and leg.caller:
        agent.cancel(leg_id, now)
    elif action == "reinvite" and up:
        agent.reinvite(leg_id, OTHER_SDP, now)
    elif action == "info" and up:
        agent.request(leg_id, "INFO", now)


def _assert_clean(endpoint: Endpoint) -> None:
    agent = endpoint.agent
    assert not agent.dialogs
    assert not agent.legs
    assert agent.transaction_count == 0
    assert agent.next_timer() is None
    legs = {event.leg_id for event in endpoint.events}
    for leg_id in legs:
        of_leg = [event for event in endpoint.events if event.leg_id == leg_id]
        ends = [event for event in of_leg if isinstance(event, _ENDS)]
        assert len(ends) == 1, of_leg
        assert of_leg[-1] is ends[0], of_leg


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fates=_fates, actions=_actions, reject=st.booleans(), delayed=st.booleans())
def test_any_loss_and_any_commands_end_cleanly(
    fates: list[list[float]],
    actions: list[tuple[str, bool, float]],
    reject: bool,
    delayed: bool,
) -> None:
    network = Network(_Wire(fates))
    caller, callee = network.add(_CALLER, 1), network.add(_CALLEE, 2)
    _answering(caller, False)
    _answering(callee, reject)
    flow = network.flow(_CALLER, _CALLEE)
    offer = None if delayed else OTHER_SDP
    caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", offer, flow, 0.0)
    for action, by_caller, pause in actions:
        network.run(pause)
        _act(caller if by_caller else callee, action, network.now)
    network.run(1.0)
    for endpoint in (caller, callee):
        _act(endpoint, "bye", network.now)
    network.run(300.0)
    for endpoint in (caller, callee):
        _act(endpoint, "bye", network.now)
    network.run(_DRAIN_S)
    _assert_clean(caller)
    _assert_clean(callee)


@settings(max_examples=60, deadline=None)
@given(dead_from=st.integers(0, 12), caller_hangs_up=st.booleans())
def test_a_wire_cut_at_any_message_leaves_nothing_behind(
    dead_from: int, caller_hangs_up: bool
) -> None:
    count = 0

    def delays(_data: bytes) -> list[float]:
        nonlocal count
        count += 1
        return [0.01] if count <= dead_from else []

    network = Network(delays)
    caller, callee = network.add(_CALLER, 1), network.add(_CALLEE, 2)
    _answering(caller, False)
    _answering(callee, False)
    flow = network.flow(_CALLER, _CALLEE)
    caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, 0.0)
    network.run(1.0)
    _act(caller if caller_hangs_up else callee, "bye", network.now)
    network.run(300.0)
    # Media supervision, above, ends what only the other side knew to be over.
    for endpoint in (caller, callee):
        _act(endpoint, "bye", network.now)
    network.run(_DRAIN_S)
    _assert_clean(caller)
    _assert_clean(callee)


@settings(max_examples=40, deadline=None)
@given(first=st.floats(0.0, 0.02), second=st.floats(0.0, 0.02))
def test_colliding_reinvites_both_get_through(first: float, second: float) -> None:
    """491 both ways, then each side's own delay of section 14.1 lets them pass one by one."""
    network = Network(lambda _data: [0.01])
    caller, callee = network.add(_CALLER, 3), network.add(_CALLEE, 4)
    _answering(caller, False)
    _answering(callee, False)
    flow = network.flow(_CALLER, _CALLEE)
    caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, 0.0)
    network.run(1.0)
    for endpoint, pause in ((caller, first), (callee, second)):
        network.run(pause)
        _act(endpoint, "reinvite", network.now)
    network.run(30.0)
    outcomes = [
        event
        for endpoint in (caller, callee)
        for event in endpoint.events
        if type(event).__name__ in ("AnswerReceived", "ReinviteFailed")
    ]
    assert len(outcomes) == 2
    assert any(type(event).__name__ == "AnswerReceived" for event in outcomes)
    _act(caller, "bye", network.now)
    network.run(_DRAIN_S)
    _assert_clean(caller)
    _assert_clean(callee)
