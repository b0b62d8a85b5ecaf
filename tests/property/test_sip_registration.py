"""Days of a registration against registrars that live, die, hang and change their minds."""

from __future__ import annotations

from dataclasses import dataclass

import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.sip.message import HeaderView
from telephony.sip.registration import (
    Registered,
    RegisterRequest,
    Registration,
    RegistrationConfig,
    RegistrationFailed,
    Unregistered,
)

_CONTACT = "<sip:bot@192.0.2.10>"
_HOUR_S = 3600.0


@dataclass
class _Reply:
    """What a server does with a REGISTER: ``after_s`` passes, then ``status``; 0 says nothing."""

    status: int
    after_s: float
    headers: tuple[tuple[str, str], ...] = ()


class _World:
    """Drives one registration through simulated time, and watches it."""

    def __init__(self, servers: int, expires_s: int, seed: int) -> None:
        config = RegistrationConfig(server_count=servers, expires_s=expires_s)
        self.core = Registration(config, Ids.seeded(seed))
        self.now = 0.0
        self.sent: list[tuple[float, RegisterRequest]] = []
        self.lapsed_s = 0.0
        self.waiting: tuple[float, _Reply] | None = None

    def collect(self, reply: _Reply) -> None:
        for request in self.core.requests_to_send():
            assert self.waiting is None, "two requests at once"
            self.sent.append((self.now, request))
            self.waiting = (self.now + reply.after_s, reply) if reply.status else None
        for event in self.core.events_received():
            if isinstance(event, RegistrationFailed):
                assert event.retry_in_s >= 0

    def step(self, reply: _Reply) -> None:
        """Go to the next thing that happens; ``reply`` is for a request sent then."""
        due = self.core.next_timer()
        assert due is not None
        answer_at = self.waiting[0] if self.waiting else float("inf")
        until = self.core.registered_until
        then = min(due, answer_at)
        assert then >= self.now
        if 0 < until < then:
            self.lapsed_s += then - max(until, self.now)
        self.now = then
        if self.waiting is not None and answer_at <= due:
            got, self.waiting = self.waiting[1], None
            found = sipmessage.Headers()
            for name, value in got.headers:
                found.add(name, value)
            self.core.response_received(got.status, HeaderView(found), _CONTACT, self.now)
        else:
            self.core.handle_timer(self.now)
        self.collect(reply)


def _granting(expires_s: int, after_s: float) -> _Reply:
    return _Reply(200, after_s, (("Contact", f"{_CONTACT};expires={expires_s}"),))


_any_reply = st.builds(
    _Reply,
    st.sampled_from([0, 200, 200, 302, 401, 403, 404, 408, 423, 480, 500, 503, 603]),
    st.sampled_from([0.0, 0.05, 2.0, 31.9, 100.0]),
    st.lists(
        st.sampled_from(
            [
                ("Contact", f"{_CONTACT};expires=60"),
                ("Contact", f"{_CONTACT};expires=0"),
                ("Contact", "<sip:x@203.0.113.1>;expires=7"),
                ("Contact", "garbage"),
                ("Expires", "120"),
                ("Min-Expires", "7200"),
                ("Min-Expires", "4000000000"),
                ("Retry-After", "30"),
                ("Retry-After", "99999999"),
                ("Retry-After", "x"),
            ]
        ),
        max_size=3,
    ).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.integers(15, 7200), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.05, 2.0]),
    st.integers(0, 2**16),
)
def test_while_the_registrar_lives_the_binding_never_lapses(
    servers: int, granted_s: list[int], after_s: float, seed: int
) -> None:
    world = _World(servers, 3600, seed)
    world.core.start(0.0)
    world.collect(_granting(granted_s[0], after_s))
    for number in range(300):
        world.step(_granting(granted_s[number % len(granted_s)], after_s))
    assert world.lapsed_s == 0.0
    assert {request.server for _, request in world.sent} == {0}
    numbers = [request.cseq for _, request in world.sent]
    assert numbers == sorted(set(numbers))
    assert len({request.call_id for _, request in world.sent}) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4),
    st.sampled_from([0, 401, 403, 404, 408, 500, 503]),
    st.sampled_from([0.0, 0.1, 32.0]),
    st.integers(0, 2**16),
)
def test_a_dead_registrar_is_not_hammered(
    servers: int, status: int, after_s: float, seed: int
) -> None:
    world = _World(servers, 3600, seed)
    world.core.start(0.0)
    dead = _Reply(status, after_s)
    world.collect(dead)
    while world.now < 48 * _HOUR_S:
        world.step(dead)
    times = [sent_at for sent_at, _ in world.sent]
    first_hour = [sent_at for sent_at in times if sent_at < _HOUR_S]
    assert len(first_hour) <= 13 * servers
    for hour in range(1, 48):
        in_hour = [t for t in times if hour * _HOUR_S <= t < (hour + 1) * _HOUR_S]
        assert len(in_hour) <= 6 * servers
        if hour % 2:  # and never given up
            assert [t for t in times if (hour - 1) * _HOUR_S <= t < (hour + 1) * _HOUR_S]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(0, 200), st.integers(0, 2**16))
def test_after_an_outage_it_comes_back(servers: int, outage_steps: int, seed: int) -> None:
    world = _World(servers, 3600, seed)
    world.core.start(0.0)
    world.collect(_Reply(503, 0.1))
    for _ in range(outage_steps):
        world.step(_Reply(503, 0.1))
    recovered_at = world.now
    while world.core.state != "registered":
        world.step(_granting(3600, 0.1))
    assert world.now - recovered_at <= 1801


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(_any_reply, st.sampled_from(["step", "step", "step", "flow", "late"])),
        max_size=60,
    ),
    st.integers(0, 2**16),
)
def test_whatever_registrars_say(servers: int, script: list[tuple[_Reply, str]], seed: int) -> None:
    world = _World(servers, 600, seed)
    world.core.start(0.0)
    world.collect(script[0][0] if script else _Reply(0, 0))
    for reply, action in script:
        if action == "flow":
            world.core.transport_failed(world.now)
            world.collect(reply)
        elif action == "late" and world.core.state != "registering":
            headers = HeaderView(sipmessage.Headers())
            world.core.response_received(reply.status, headers, "", world.now)
        else:
            world.step(reply)
        assert world.core.state in ("registering", "registered", "waiting")
        assert world.core.next_timer() is not None
    steady = [t for t, _ in world.sent]
    assert all(request.expires_s > 0 for _, request in world.sent)
    assert len(steady) <= len(script) * (servers + 1) + 1
    world.waiting = None
    world.core.stop(world.now)
    world.collect(_Reply(200, 0.0))
    while world.core.state != "stopped":
        world.step(_Reply(0, 0))
    assert world.core.next_timer() is None
    assert world.core.requests_to_send() == []


def test_a_year_costs_few_requests() -> None:
    world = _World(1, 3600, 1)
    world.core.start(0.0)
    world.collect(_granting(3600, 0.05))
    while world.now < 365 * 24 * _HOUR_S:
        world.step(_granting(3600, 0.05))
    assert 365 * 24 * 1.1 < len(world.sent) < 365 * 24 * 2
    assert world.lapsed_s == 0.0


def test_the_end_is_told_once() -> None:
    core = Registration(RegistrationConfig(), Ids.seeded(1))
    core.start(0.0)
    core.requests_to_send()
    core.stop(0.0)
    core.handle_timer(10.0)
    core.handle_timer(20.0)
    assert core.events_received() == [Unregistered(0, 408)]
    assert not [event for event in core.events_received() if isinstance(event, Registered)]
