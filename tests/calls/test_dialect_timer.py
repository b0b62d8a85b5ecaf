from __future__ import annotations

import asyncio

from telephony.calls.dialect_timer import DialectTimer
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock


class Dialect:
    def __init__(self) -> None:
        self.clock = FakeClock(0.0)
        self.deadline: float | None = None
        self.woken = 0
        self.timer = DialectTimer(lambda: self.deadline, self.wake, self.clock)

    def wake(self) -> None:
        self.woken += 1
        self.deadline = None


async def test_it_wakes_for_what_is_due() -> None:
    d = Dialect()
    d.timer.changed()
    await asyncio.sleep(0)
    assert d.woken == 0
    d.deadline = 1000.0
    d.timer.changed()
    # Sooner than it was told first.
    d.deadline = 0.0
    d.timer.changed()
    await eventually(lambda: d.woken)
    d.timer.close()


async def test_a_deadline_that_moved_back_is_looked_at_when_it_was_due() -> None:
    d = Dialect()
    d.deadline = 0.01
    d.timer.changed()
    d.deadline = 1000.0
    d.timer.changed()
    await eventually(lambda: d.woken)
    d.timer.close()


async def test_closed_it_wakes_nobody() -> None:
    d = Dialect()
    d.deadline = 0.0
    d.timer.changed()
    d.timer.close()
    d.timer.changed()
    await asyncio.sleep(0.01)
    assert d.woken == 0
