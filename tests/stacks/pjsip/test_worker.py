from __future__ import annotations

import asyncio
import threading

import pytest

from telephony.stacks.pjsip.worker import Worker


async def test_jobs_are_done_in_order_in_one_thread() -> None:
    worker = Worker(asyncio.get_running_loop())
    worker.start()
    done: list[tuple[int, str]] = []
    for number in range(5):
        worker.post(lambda n=number: done.append((n, threading.current_thread().name)))
    assert await worker.run(lambda: len(done)) == 5
    assert done == [(number, "pjsip") for number in range(5)]
    await worker.stop()
    await worker.stop()


async def test_a_fault_is_raised_where_it_is_waited_for_and_ends_nothing() -> None:
    worker = Worker(asyncio.get_running_loop())
    worker.start()

    def fault() -> None:
        raise RuntimeError("a fault of ours")

    worker.post(fault)
    with pytest.raises(RuntimeError):
        await worker.run(fault)
    assert await worker.run(lambda: 7) == 7
    await worker.stop()


async def test_without_a_thread_nothing_is_done() -> None:
    worker = Worker(asyncio.get_running_loop())
    worker.post(lambda: pytest.fail("done"))
    with pytest.raises(RuntimeError):
        await worker.run(lambda: 1)


async def test_the_way_back_keeps_the_order() -> None:
    worker = Worker(asyncio.get_running_loop())
    worker.start()
    told: list[int] = []
    for number in range(5):
        worker.post(lambda n=number: worker.cross(told.append, n))
    await worker.run(lambda: None)
    assert told == list(range(5))
    await worker.stop()


def test_a_loop_that_is_closed_is_left_alone() -> None:
    loop = asyncio.new_event_loop()
    worker = Worker(loop)
    loop.close()
    worker.cross(pytest.fail)
