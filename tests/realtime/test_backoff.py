"""Delays between tries."""

from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.realtime.backoff import Backoff, may_reconnect


def test_delays_double_to_the_maximum_and_end() -> None:
    backoff = Backoff(initial_s=0.5, maximum_s=3.0, attempts=5, ids=Ids.seeded(1))
    delays = [backoff.next_delay_s() for _ in range(6)]
    assert delays[5] is None
    for delay, step in zip(delays[:5], (0.5, 1.0, 2.0, 3.0, 3.0), strict=True):
        assert delay is not None
        assert step / 2 <= delay <= step
    assert backoff.attempts_left == 0


def test_calls_that_lost_the_model_together_come_back_apart() -> None:
    first = [Backoff(1.0, 8.0, 1, Ids.seeded(seed)).next_delay_s() for seed in range(20)]
    assert len(set(first)) == 20


def test_a_connection_that_held_gives_new_tries() -> None:
    backoff = Backoff(1.0, 8.0, 1, Ids.seeded(1))
    assert backoff.next_delay_s() is not None
    assert backoff.next_delay_s() is None
    backoff.reset()
    assert backoff.next_delay_s() is not None


def test_endless_tries_do_not_overflow() -> None:
    backoff = Backoff(0.5, 8.0, 5000, Ids.seeded(1))
    delays = [backoff.next_delay_s() for _ in range(5000)]
    assert all(delay is not None and delay <= 8.0 for delay in delays)


@pytest.mark.parametrize(
    ("code", "again"),
    [(1000, True), (1006, True), (1011, True), (1007, False), (1008, False), (4001, False)],
)
def test_the_close_code_says_whether_to_try(code: int, again: bool) -> None:
    assert may_reconnect(code) is again
