"""When what finished calls leave behind is collected."""

from __future__ import annotations

from telephony.app.remains import CALLS_PER_COLLECTION, Remains
from tests.support.fake_call import FakeClock


class Collector:
    """A collection takes ``takes_s`` of the fake clock."""

    def __init__(self, clock: FakeClock, takes_s: float) -> None:
        self.runs = 0
        self.takes_s = takes_s
        self._clock = clock

    def __call__(self) -> None:
        self.runs += 1
        self._clock.now += self.takes_s


def test_calls_are_collected_together() -> None:
    clock = FakeClock()
    collect = Collector(clock, 0.001)
    remains = Remains(clock, collect)
    for _ in range(CALLS_PER_COLLECTION - 1):
        remains.call_finished()
    assert collect.runs == 0
    remains.call_finished()
    assert collect.runs == 1
    clock.now += 10
    for _ in range(CALLS_PER_COLLECTION):
        remains.call_finished()
    assert collect.runs == 2


def test_a_burst_of_calls_does_not_pay_all_its_time_for_it() -> None:
    clock = FakeClock()
    collect = Collector(clock, 0.05)
    remains = Remains(clock, collect)
    for _ in range(60 * 300):
        clock.now += 1 / 300
        remains.call_finished()
    assert 5 <= collect.runs <= 7
