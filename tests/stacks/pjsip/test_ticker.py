from __future__ import annotations

import asyncio

from telephony.stacks.pjsip.ticker import Ticker
from tests.support.fake_call import FakeClock


class Paced:
    def __init__(self) -> None:
        self.ticks: list[float] = []

    def exchange(self, now: float) -> None:
        self.ticks.append(now)


async def test_the_frames_of_many_calls_wake_the_loop_once() -> None:
    ticker = Ticker(asyncio.get_running_loop(), FakeClock(7.0))
    one, other = Paced(), Paced()
    for paced in (one, other, one):
        ticker.add(paced)
    for _ in range(3):
        ticker.wake()
    await asyncio.sleep(0)
    assert one.ticks == other.ticks == [7.0]
    ticker.remove(other)
    ticker.remove(other)
    ticker.wake()
    await asyncio.sleep(0)
    assert (len(one.ticks), len(other.ticks)) == (2, 1)


def test_a_loop_that_is_closed_is_left_alone() -> None:
    loop = asyncio.new_event_loop()
    ticker = Ticker(loop, FakeClock())
    loop.close()
    ticker.wake()
