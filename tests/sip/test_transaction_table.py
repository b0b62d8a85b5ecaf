"""The tables against the figures of RFC 3261 section 17 and RFC 6026."""

from __future__ import annotations

import pytest

from telephony.sip.config import TimerConfig
from telephony.sip.transaction_table import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Signal,
    State,
    Table,
    durations,
)

_TABLES = {
    "invite client": (INVITE_CLIENT, State.CALLING, {Signal.TIMER_A, Signal.TIMER_B}),
    "invite server": (INVITE_SERVER, State.PROCEEDING, set()),
    "non-invite client": (NON_INVITE_CLIENT, State.TRYING, {Signal.TIMER_E, Signal.TIMER_F}),
    "non-invite server": (NON_INVITE_SERVER, State.TRYING, set()),
}


@pytest.mark.parametrize("name", _TABLES)
def test_every_state_is_reachable_and_every_one_can_end(name: str) -> None:
    table, start, _ = _TABLES[name]
    states = {state for state, _ in table}
    reached = {start}
    for _ in states:
        reached |= {rule.state for (state, _), rule in table.items() if state in reached}
    assert reached == states | {State.TERMINATED}
    ends = {State.TERMINATED}
    for _ in states:
        ends |= {state for (state, _), rule in table.items() if rule.state in ends}
    assert ends == states | {State.TERMINATED}


@pytest.mark.parametrize("name", _TABLES)
def test_every_timer_that_can_run_has_a_rule(name: str) -> None:
    """A timer that starts or stays on entering a state must be expected there."""
    table, start, first = _TABLES[name]
    running: dict[State, set[Signal]] = {start: set(first)}
    for (state, _), rule in table.items():
        expected = set(rule.start) | set(rule.keep)
        if rule.state is not state:
            running.setdefault(rule.state, set()).update(expected)
    for state, timers in running.items():
        for timer in timers:
            assert (state, timer) in table, (state, timer)


@pytest.mark.parametrize(
    "table", [INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER]
)
def test_nothing_leaves_the_terminated_state(table: Table) -> None:
    assert all(state is not State.TERMINATED for state, _ in table)


def test_refusals_of_an_invite_are_acknowledged_each_time() -> None:
    for state in (State.CALLING, State.PROCEEDING, State.COMPLETED):
        rule = INVITE_CLIENT[state, Signal.RECEIVE_REFUSAL]
        assert Action.SEND_ACK in rule.actions
        assert (Action.DELIVER in rule.actions) == (state is not State.COMPLETED)


def test_accepted_absorbs_invites() -> None:
    assert (State.ACCEPTED, Signal.REQUEST) not in INVITE_SERVER
    assert INVITE_CLIENT[State.ACCEPTED, Signal.RECEIVE_2XX].actions == (Action.DELIVER,)


@pytest.mark.parametrize(
    ("timer", "unreliable_s", "reliable_s"),
    [
        (Signal.TIMER_A, 0.5, None),
        (Signal.TIMER_B, 32.0, 32.0),
        (Signal.TIMER_D, 32.0, 0.0),
        (Signal.TIMER_E, 0.5, None),
        (Signal.TIMER_F, 32.0, 32.0),
        (Signal.TIMER_G, 0.5, None),
        (Signal.TIMER_H, 32.0, 32.0),
        (Signal.TIMER_I, 5.0, 0.0),
        (Signal.TIMER_J, 32.0, 0.0),
        (Signal.TIMER_K, 5.0, 0.0),
        (Signal.TIMER_L, 32.0, 32.0),
        (Signal.TIMER_M, 32.0, 32.0),
    ],
)
def test_durations_are_those_of_table_4(
    timer: Signal, unreliable_s: float, reliable_s: float | None
) -> None:
    config = TimerConfig()
    assert durations(config, reliable=False)[timer] == unreliable_s
    assert durations(config, reliable=True)[timer] == reliable_s
