"""What a speaking model delegates, done by Claude with the agent's tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from telephony.calls.delegate_tool import delegate_tool
from telephony.calls.tool_runner import ToolOutcome, run_tool
from telephony.net.claude_messages import ClaudeMessages, is_installed
from telephony.realtime.delegate import DELEGATE, DelegateAgent
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry
from tests.support.claude import ClaudeServer, claude_server, text, use

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra anthropic is not installed")

SAID = [{"role": "user", "text": "When are you open on Monday?"}]
CALL = ToolCallRequested(
    "del_1",
    DELEGATE,
    json.dumps({"conversation": SAID, "delegation_id": "del_1"}),
    "item_1",
    "resp_1",
)


def hours(day: str, context: ToolContext) -> str:
    """Tell the opening hours."""
    return f"{day}: nine to five, says {context.caller}"


async def broken() -> str:
    raise RuntimeError("out of order")


@asynccontextmanager
async def delegating(
    *replies: list[dict[str, Any]] | int, **agent: Any
) -> AsyncIterator[tuple[ClaudeServer, ToolRegistry]]:
    async with claude_server(*replies) as server:
        messages = ClaudeMessages("sk-1", server.base_url, 5.0)
        registry = ToolRegistry([hours, broken])
        actions = [FunctionTool(name="hangup")]
        tool = delegate_tool(DelegateAgent(**agent), messages, registry, actions, "Be kind.")
        registry.add(tool)
        yield server, registry
        await messages.close()


async def outcome(registry: ToolRegistry) -> ToolOutcome:
    return await run_tool(registry, CALL, ToolContext(call_id="c", caller="+1555"))


async def test_an_answer_in_words() -> None:
    async with delegating([text("From nine to five.")]) as (server, registry):
        assert await outcome(registry) == ToolOutcome("done", "From nine to five.")
        assert [definition.name for definition in registry.definitions()] == ["hours", "broken"]
    [request] = server.requests
    assert "When are you open on Monday?" in request["messages"][0]["content"]
    assert [tool["name"] for tool in request["tools"]] == ["hours", "broken", "hangup"]


async def test_tools_run_side_by_side_and_know_the_call() -> None:
    wanted = [use("hours", "toolu_1", day="monday"), use("broken", "toolu_2"), use("x", "toolu_3")]
    async with delegating(wanted, [text("Nine.")]) as (server, registry):
        assert (await outcome(registry)).output == "Nine."
    results = server.requests[1]["messages"][-1]["content"]
    assert results[0]["content"] == "monday: nine to five, says +1555"
    assert "is_error" not in results[0]
    assert [block.get("is_error") for block in results[1:]] == [True, True]


async def test_it_does_not_delegate_to_itself() -> None:
    given = {"conversation": [], "delegation_id": "x"}
    async with delegating([use(DELEGATE, **given)], [text("No.")]) as (server, registry):
        assert (await outcome(registry)).output == "No."
    [result] = server.requests[1]["messages"][-1]["content"]
    assert result["is_error"]


async def test_tools_of_the_call_are_asked_for() -> None:
    async with delegating([text("Bye."), use("hangup", reason="done")]) as (_, registry):
        output = json.loads((await outcome(registry)).output)
    assert output == {
        "say": "Bye.",
        "calls": [{"name": "hangup", "arguments": {"reason": "done"}}],
    }


async def test_a_service_that_cannot_be_had_is_an_answer() -> None:
    async with delegating(401) as (_, registry):
        found = await outcome(registry)
    assert found.status == "done"
    assert "cannot be reached" in json.loads(found.output)["error"]


async def test_it_has_a_time_limit() -> None:
    async with delegating([text("late")], timeout_s=0.05) as (server, registry):
        server.slow_s = 0.3
        found = await outcome(registry)
    assert found.status == "timed_out"
    assert "did not finish" in json.loads(found.output)["error"]


async def test_it_ends_with_the_call() -> None:
    started = asyncio.Event()

    async def slow() -> str:
        started.set()
        await asyncio.Event().wait()
        return "never"

    async with claude_server([use("slow")]) as server:
        messages = ClaudeMessages("sk-1", server.base_url, 5.0)
        registry = ToolRegistry([slow])
        registry.add(delegate_tool(DelegateAgent(), messages, registry, [], ""))
        call = asyncio.create_task(outcome(registry))
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await messages.close()
    assert len(server.requests) == 1
