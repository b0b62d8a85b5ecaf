"""A timer that is set again and again."""

from __future__ import annotations

import asyncio

from telephony.net.wakeup import Wakeup


class FakeLoop(asyncio.SelectorEventLoop):
    """A loop whose timers come when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[asyncio.TimerHandle] = []

    def call_at(self, when, callback, *args, context=None):  # type: ignore[no-untyped-def]
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.waiting.append(handle)
        return handle

    def run_waiting(self) -> None:
        handles, self.waiting = self.waiting, []
        for handle in handles:
            if not handle.cancelled():
                handle._run()


def test_only_the_last_deadline_counts() -> None:
    loop = FakeLoop()
    calls: list[str] = []
    wakeup = Wakeup(loop, lambda: calls.append("called"))
    wakeup.set_to(5.0)
    wakeup.set_to(7.0)
    first, second = loop.waiting
    assert (first.cancelled(), second.cancelled(), second.when()) == (True, False, 7.0)
    loop.run_waiting()
    assert calls == ["called"]
    wakeup.set_to(8.0)
    wakeup.set_to(None)
    wakeup.set_to(9.0)
    wakeup.stop()
    wakeup.stop()
    loop.run_waiting()
    assert calls == ["called"]
    loop.close()


def test_it_may_be_set_again_when_its_time_comes() -> None:
    loop = FakeLoop()
    due = iter((2.0, None))
    wakeup = Wakeup(loop, lambda: wakeup.set_to(next(due)))
    wakeup.set_to(1.0)
    loop.run_waiting()
    assert [handle.when() for handle in loop.waiting] == [2.0]
    loop.run_waiting()
    assert loop.waiting == []
    loop.close()
