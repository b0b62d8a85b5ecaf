"""The timer queue: order, cancelling, and no memory of cancelled timers."""

from __future__ import annotations

from functools import partial

from telephony.sip.timers import TimerQueue


def test_timers_run_in_order_of_deadline_then_of_scheduling() -> None:
    queue, ran = TimerQueue(), []
    for name, deadline in (("c", 2.0), ("a", 1.0), ("b", 1.0), ("d", 9.0)):
        queue.schedule(deadline, partial(lambda name, now: ran.append((name, now)), name))
    assert queue.next_deadline() == 1.0
    queue.run(3.0)
    assert ran == [("a", 3.0), ("b", 3.0), ("c", 3.0)]
    assert queue.next_deadline() == 9.0
    assert len(queue) == 1


def test_a_cancelled_timer_does_not_run() -> None:
    queue, ran = TimerQueue(), []
    handle = queue.schedule(1.0, ran.append)
    queue.schedule(2.0, ran.append)
    handle.cancel()
    handle.cancel()
    assert len(queue) == 1
    assert queue.next_deadline() == 2.0
    queue.run(5.0)
    assert ran == [5.0]
    assert queue.next_deadline() is None


def test_cancelling_after_the_run_is_harmless() -> None:
    queue, ran = TimerQueue(), []
    handle = queue.schedule(1.0, ran.append)
    queue.run(1.0)
    handle.cancel()
    queue.schedule(2.0, ran.append)
    assert len(queue) == 1


def test_a_callback_may_cancel_and_schedule() -> None:
    queue, ran = TimerQueue(), []
    later = queue.schedule(1.5, ran.append)

    def first(now: float) -> None:
        later.cancel()
        queue.schedule(now, lambda at: ran.append(("at once", at)))

    queue.schedule(1.0, first)
    queue.run(2.0)
    assert ran == [("at once", 2.0)]
    assert len(queue) == 0


def test_cancelled_timers_are_forgotten_before_their_deadline() -> None:
    queue = TimerQueue()
    keep = queue.schedule(50.0, lambda _now: None)
    for number in range(10_000):
        queue.schedule(100.0 + number, lambda _now: None).cancel()
    assert len(queue) == 1
    assert len(queue._heap) < 1_000
    assert queue.next_deadline() == keep.deadline
