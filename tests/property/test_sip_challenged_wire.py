"""Calls to a server that challenges everything, with early media acknowledged by PRACK, over a wire
that loses, copies and reorders: every call ends on both sides, and no password goes on for ever."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    RequestFinished,
)
from tests.sip.challenging import ALICE, Challenger
from tests.sip.wire import OTHER_SDP, SDP, Endpoint, Network, header, start_line

_CALLER = ("192.0.2.1", 5060)
_CALLEE = ("192.0.2.2", 5060)
_ENDS = (LegEnded, InviteCancelled, CallFailed)
_WRONG = Credentials("alice", "wrong")

_fates = st.lists(st.lists(st.sampled_from([0.001, 0.05, 0.3, 1.2, 4.0]), max_size=3), max_size=40)
_actions = st.lists(
    st.tuples(
        st.sampled_from(["bye", "cancel", "reinvite", "info", "answer", "wait"]),
        st.sampled_from([0.0, 0.02, 0.6, 3.0, 40.0]),
    ),
    max_size=6,
)


class _Wire:
    def __init__(self, fates: list[list[float]]) -> None:
        self._fates = iter(fates)

    def __call__(self, _data: bytes) -> list[float]:
        return next(self._fates, [0.01])


class _Call:
    """A caller, a callee behind a challenger, and what the layers above do."""

    def __init__(self, fates: list[list[float]], status: int, lifetime_s: float) -> None:
        self.network = Network(_Wire(fates))
        self.caller = self.network.add(_CALLER, 1)
        self.callee = self.network.add(_CALLEE, 2, UserAgentConfig(reliable_provisional=True))
        self.inner = self.callee.agent
        self.gate = Challenger(self.inner, status, lifetime_s)
        self.callee.agent = self.gate  # type: ignore[assignment]
        self.callee.react = self._react
        self.caller.react = self._react_caller
        self.waiting = ""

    def _react(self, event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            self.waiting = event.leg_id
            self.inner.progress(event.leg_id, SDP, now)
        elif isinstance(event, OfferReceived):
            self.inner.answer_offer(event.leg_id, SDP, now)

    def _react_caller(self, event: Event, now: float) -> None:
        if isinstance(event, OfferReceived):
            self.caller.agent.answer_offer(event.leg_id, OTHER_SDP, now)

    def act(self, leg_id: str, action: str) -> None:
        agent, now = self.caller.agent, self.network.now
        incoming = self.inner.legs.get(self.waiting)
        if action == "answer" and incoming is not None and incoming.state.name == "INCOMING":
            self.inner.answer(self.waiting, SDP, now)
        leg = agent.legs.get(leg_id)
        if leg is None:
            return
        up = leg.state.name == "UP"
        if action == "bye":
            agent.bye(leg_id, now)
        elif action == "cancel":
            agent.cancel(leg_id, now)
        elif action == "reinvite" and up:
            agent.reinvite(leg_id, OTHER_SDP, now)
        elif action == "info" and up:
            agent.request(leg_id, "INFO", now)

    def finish(self, leg_id: str) -> None:
        self.act(leg_id, "bye")
        self.network.run(300.0)
        for other in list(self.inner.legs):
            leg = self.inner.legs[other]
            if leg.state.name == "INCOMING":
                self.inner.reject(other, 480, self.network.now)
            else:
                self.inner.bye(other, self.network.now)
        self.network.run(600.0)
        for agent in (self.caller.agent, self.inner):
            assert not agent.dialogs
            assert not agent.legs
            assert agent.transaction_count == 0
            assert agent.next_timer() is None
        _assert_one_end(self.caller)
        _assert_one_end(self.callee)


def _assert_one_end(endpoint: Endpoint) -> None:
    legs = Counter(
        event.leg_id for event in endpoint.events if not isinstance(event, RequestFinished)
    )
    for leg_id in legs:
        of_leg = [event for event in endpoint.events if getattr(event, "leg_id", "") == leg_id]
        ends = [event for event in of_leg if isinstance(event, _ENDS)]
        assert len(ends) == 1, of_leg
        assert of_leg[-1] is ends[0], of_leg


def _assert_numbers_grow(network: Network) -> None:
    """Every new request of the caller in its dialog has a CSeq of its own (section 12.2.1.1)."""
    seen: dict[tuple[str, str, str], str] = {}
    for _, source, _, data in network.log:
        method = start_line(data)
        if source != _CALLER or " " in method or method in ("ACK", "CANCEL"):
            continue
        key = (header(data, "Call-ID"), header(data, "To"), header(data, "CSeq"))
        assert seen.setdefault(key, header(data, "Via")) == header(data, "Via")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fates=_fates,
    actions=_actions,
    status=st.sampled_from([401, 407]),
    lifetime_s=st.sampled_from([0.2, 2.0, 300.0]),
    credentials=st.sampled_from([ALICE, _WRONG, None]),
)
def test_any_loss_and_any_commands_end_cleanly(
    fates: list[list[float]],
    actions: list[tuple[str, float]],
    status: int,
    lifetime_s: float,
    credentials: Credentials | None,
) -> None:
    call = _Call(fates, status, lifetime_s)
    leg_id = call.caller.agent.invite(
        "sip:b@192.0.2.2",
        "sip:a@192.0.2.1",
        OTHER_SDP,
        call.network.flow(_CALLER, _CALLEE),
        0.0,
        credentials=credentials,
    )
    for action, pause in actions:
        call.network.run(pause)
        call.act(leg_id, action)
    call.network.run(1.0)
    call.finish(leg_id)
    _assert_numbers_grow(call.network)
    if credentials is not ALICE:
        assert call.gate.passed == []
        assert call.gate.challenged.count("INVITE") <= 6


@settings(max_examples=40, deadline=None)
@given(
    fates=st.lists(st.lists(st.sampled_from([0.01, 0.3]), max_size=2), max_size=5),
    status=st.sampled_from([401, 407]),
)
def test_a_wire_that_gets_better_connects_the_call(fates: list[list[float]], status: int) -> None:
    """Nothing but loss at the beginning: the media agreed on early is that of the answer."""
    call = _Call(fates, status, 300.0)
    leg_id = call.caller.agent.invite(
        "sip:b@192.0.2.2",
        "sip:a@192.0.2.1",
        OTHER_SDP,
        call.network.flow(_CALLER, _CALLEE),
        0.0,
        credentials=ALICE,
    )
    call.network.run(25.0)
    call.act(leg_id, "answer")
    call.network.run(5.0)
    assert call.caller.of(CallAnswered) == [CallAnswered(leg_id, SDP)]
    assert set(call.gate.passed) >= {"INVITE", "PRACK"}
    call.finish(leg_id)
    assert isinstance(call.caller.events[-1], LegEnded)


@settings(max_examples=40, deadline=None)
@given(fates=_fates, credentials=st.sampled_from([ALICE, _WRONG]))
def test_a_request_outside_of_calls_has_one_outcome(
    fates: list[list[float]], credentials: Credentials
) -> None:
    call = _Call(fates, 401, 300.0)
    flow = call.network.flow(_CALLER, _CALLEE)
    uri = "sip:b@192.0.2.2"
    request_ids = [
        call.caller.agent.send_request(
            "OPTIONS", uri, "sip:a@b", uri, flow, call.network.now, credentials=credentials
        )
        for _ in range(3)
    ]
    call.network.run(200.0)
    outcomes = [event for event in call.caller.events if isinstance(event, RequestFinished)]
    assert sorted(event.request_id for event in outcomes) == sorted(request_ids)
    assert call.caller.agent.transaction_count == 0
