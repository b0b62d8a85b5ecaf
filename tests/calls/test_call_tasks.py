from __future__ import annotations

import asyncio

from telephony.calls.call_tasks import CallTasks


async def test_tasks_run_in_the_group_and_their_faults_are_reported() -> None:
    errors: list[Exception] = []
    done: list[int] = []

    async def work(value: int) -> None:
        if not value:
            raise ValueError("nothing")
        done.append(value)

    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        tasks.start(work, 0)
        tasks.start(work, value=1)
    assert done == [1]
    assert [str(error) for error in errors] == ["nothing"]


async def test_nothing_starts_after_the_end() -> None:
    started: list[bool] = []

    async def work() -> None:
        started.append(True)

    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, lambda error: None)
        tasks.close()
        tasks.close()
        tasks.start(work)
    tasks.start(work)
    assert started == []


async def test_a_callback_that_raises_is_reported() -> None:
    errors: list[Exception] = []
    seen: list[tuple[int, int]] = []

    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        tasks.guard(lambda a, b: seen.append((a, b)), 1, b=2)
        tasks.guard(lambda: 1 / 0)
    assert seen == [(1, 2)]
    assert isinstance(errors[0], ZeroDivisionError)


async def test_a_cancelled_task_is_no_fault() -> None:
    errors: list[Exception] = []
    try:
        async with asyncio.TaskGroup() as group:
            CallTasks(group, errors.append).start(asyncio.sleep, 3600)
            await asyncio.sleep(0)
            raise KeyError
    except* KeyError:
        pass
    assert errors == []
