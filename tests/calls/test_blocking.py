from __future__ import annotations

import asyncio
import contextvars
import sys
import threading

import pytest

from telephony.calls import blocking
from telephony.calls.blocking import TooManyBlockedError, run_blocking
from tests.support.eventually import eventually


async def test_it_runs_beside_the_loop_and_returns() -> None:
    threads = await run_blocking(threading.current_thread)
    assert threads is not threading.main_thread()
    assert threads.daemon


async def test_what_it_raises_is_raised() -> None:
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError):
        await run_blocking(fail)


@pytest.mark.parametrize("leave", [sys.exit, lambda: next(iter(()))])
async def test_what_no_future_takes_is_an_error_all_the_same(leave: object) -> None:
    with pytest.raises(RuntimeError):
        await run_blocking(leave)  # type: ignore[arg-type]


async def test_it_sees_the_context_of_its_caller() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("call")
    variable.set("c1")
    assert await run_blocking(variable.get) == "c1"


async def test_one_that_hangs_delays_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "MAX_THREADS", blocking._threads + 2)
    release = threading.Event()
    hanging = asyncio.create_task(run_blocking(release.wait))
    await asyncio.sleep(0)
    assert await run_blocking(lambda: 42) == 42
    other = asyncio.create_task(run_blocking(release.wait))
    await asyncio.sleep(0)
    with pytest.raises(TooManyBlockedError):
        await run_blocking(lambda: 42)
    release.set()
    assert await hanging
    assert await other
    assert await run_blocking(lambda: 43) == 43


async def test_a_wait_that_is_cancelled_leaves_its_thread_counted_until_it_ends() -> None:
    before = blocking._threads
    release = threading.Event()
    waiting = asyncio.create_task(run_blocking(release.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert blocking._threads == before + 1
    release.set()
    await eventually(lambda: blocking._threads == before)
