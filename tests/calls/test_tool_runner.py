from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from telephony.calls.tool_runner import ToolOutcome, run_tool
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolFailed, ToolRegistry, tool_from_function

CONTEXT = ToolContext("call-1", "+15550199", "+15550100")


async def run(
    function: Callable[..., Any], arguments: str = "{}", timeout_s: float = 5.0, name: str = ""
) -> ToolOutcome:
    tools = ToolRegistry([tool_from_function(function, timeout_s=timeout_s)])
    name = name or function.__name__
    return await run_tool(
        tools, ToolCallRequested("call_1", name, arguments, "item", "resp"), CONTEXT
    )


async def test_an_async_tool_runs_in_the_loop() -> None:
    async def where(context: ToolContext) -> dict[str, Any]:
        """Say where."""
        return {"caller": context.caller, "main": threading.current_thread().name}

    outcome = await run(where)
    assert outcome.status == "done"
    answer = json.loads(outcome.output)
    assert answer == {"caller": "+15550199", "main": threading.current_thread().name}


async def test_a_blocking_tool_runs_in_a_thread() -> None:
    def where(word: str) -> str:
        """Say where."""
        return f"{word} {threading.current_thread() is not threading.main_thread()}"

    assert await run(where, '{"word": "thread:"}') == ToolOutcome("done", "thread: True")


async def test_a_slow_tool_is_given_up() -> None:
    async def slow() -> None:
        """Take for ever."""
        await asyncio.sleep(3600)

    outcome = await run(slow, timeout_s=0.01)
    assert outcome.status == "timed_out"
    assert "did not finish within 0.01 s" in outcome.output


async def test_a_blocking_tool_is_given_up_too() -> None:
    go_on = threading.Event()

    def slow() -> None:
        """Take for ever."""
        go_on.wait(5)

    outcome = await run(slow, timeout_s=0.01)
    go_on.set()
    assert outcome.status == "timed_out"


@pytest.mark.parametrize("error", [RuntimeError("secret path /x"), TimeoutError("of its own")])
async def test_a_tool_that_raises_has_failed(error: Exception) -> None:
    async def broken() -> None:
        """Fail."""
        raise error

    outcome = await run(broken)
    assert outcome == ToolOutcome("failed", '{"error": "broken failed"}')


async def test_a_tool_that_cancels_itself_has_failed() -> None:
    async def broken() -> None:
        """Give up."""
        raise asyncio.CancelledError

    assert (await run(broken)).status == "failed"


async def test_the_calls_end_cancels_a_tool() -> None:
    async def slow() -> None:
        """Take for ever."""
        await asyncio.sleep(3600)

    task = asyncio.ensure_future(run(slow))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_result_that_cannot_be_written_has_failed() -> None:
    class Odd:
        def __str__(self) -> str:
            raise ValueError

    async def odd() -> object:
        """Return something odd."""
        return Odd()

    assert (await run(odd)).status == "failed"


async def test_what_cannot_be_called_is_refused() -> None:
    async def look_up(word: str) -> str:
        """Look a word up."""
        return word

    assert (await run(look_up, name="look_down")).status == "refused"
    assert (await run(look_up, "[1]")).status == "refused"
    assert (await run(look_up, '{"number": 1}')).status == "refused"


async def test_a_tool_may_say_itself_what_went_wrong() -> None:
    async def book() -> str:
        """Book."""
        raise ToolFailed("the calendar is closed today")

    assert await run(book) == ToolOutcome("failed", '{"error": "the calendar is closed today"}')
