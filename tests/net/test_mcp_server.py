from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from telephony.base.ids import Ids
from telephony.calls.tool_runner import ToolOutcome, run_tool
from telephony.net.mcp_server import McpServer, McpServerConfig, McpToolConfig
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry
from tests.support.eventually import eventually
from tests.support.mcp_peer import http_peer

STDIO = (sys.executable, "-m", "tests.support.mcp_peer")


@asynccontextmanager
async def connected(**changes: Any) -> AsyncIterator[McpServer]:
    fields: dict[str, Any] = {
        "name": "peer",
        "command": STDIO,
        "retry_initial_s": 0.05,
        # Longer than a process takes to start on a machine that is busy.
        "connect_timeout_s": 60.0,
        "timeout_s": 60.0,
    }
    server = McpServer(McpServerConfig(**(fields | changes)), Ids.seeded(1))
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def call(server: McpServer, name: str, arguments: str = "{}") -> ToolOutcome:
    tools = ToolRegistry()
    tools.attach(server)
    request = ToolCallRequested("call_1", name, arguments, "item", "r1")
    return await run_tool(tools, request, ToolContext())


async def test_the_tools_of_a_program_are_the_agents() -> None:
    async with connected() as server:
        names = [tool.name for tool in server.tools]
        assert names == ["add", "order_status", "slow", "variable", "die"]
        [add] = [tool for tool in server.tools if tool.name == "add"]
        assert add.description == "Add two numbers."
        assert set(add.parameters["properties"]) == {"first", "second"}
        assert (await call(server, "add", '{"first": 2, "second": 3}')) == ToolOutcome("done", "5")
        outcome = await call(server, "order_status", '{"order": "7"}')
        assert outcome == ToolOutcome("done", "order 7 is on its way")


async def test_what_the_server_says_of_a_failure_reaches_the_model() -> None:
    async with connected() as server:
        outcome = await call(server, "order_status", '{"order": "none"}')
        assert outcome.status == "failed"
        assert "there is no such order" in outcome.output
        assert (await call(server, "add", '{"first": "x"}')).status == "failed"


async def test_only_tools_on_the_list_are_had() -> None:
    async with connected(allowed=("add", "order.status", "no_such")) as server:
        assert [tool.name for tool in server.tools] == ["add", "order_status"]


async def test_a_program_gets_the_variables_that_it_is_given_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    async with connected(env={"TOKEN": "t1"}) as server:
        outcomes = [
            await call(server, "variable", f'{{"name": "{n}"}}')
            for n in ("TOKEN", "OPENAI_API_KEY")
        ]
        assert [outcome.output for outcome in outcomes] == ["t1", "not set"]


async def test_a_tool_has_a_timeout_of_its_own() -> None:
    tools = {"slow": McpToolConfig(timeout_s=0.05, approval="caller", filler="One moment.")}
    async with connected(tools=tools) as server:
        [slow] = [tool for tool in server.tools if tool.name == "slow"]
        assert (slow.timeout_s, slow.approval, slow.filler) == (0.05, "caller", "One moment.")
        assert (await call(server, "slow", '{"seconds": 30}')).status == "timed_out"
        assert (await call(server, "add", '{"first": 1, "second": 1}')).output == "2"


async def test_a_program_that_dies_is_started_again() -> None:
    async with connected(retry_initial_s=0.3) as server:
        with structlog.testing.capture_logs() as logs:
            outcome = await call(server, "die")
            assert outcome.status == "failed"
            assert "not" in outcome.output
            await eventually(lambda: not server.connected)
            # Its tools stay, and say that they can't be had.
            assert "not available" in (await call(server, "add", "{}")).output
            await eventually(lambda: server.connected)
        assert (await call(server, "add", '{"first": 1, "second": 2}')).output == "3"
        assert "mcp.connected" in [entry["event"] for entry in logs]


async def test_a_program_that_cannot_be_started_is_no_reason_to_fail() -> None:
    with structlog.testing.capture_logs() as logs:
        async with connected(command=("/no/such/program",)) as server:
            assert not server.connected
            assert server.tools == ()
    found = next(entry for entry in logs if entry["event"] == "mcp.unavailable")
    assert "/no/such/program" in found["reason"]


async def test_a_program_that_says_nothing_is_given_up_in_time() -> None:
    silent = (sys.executable, "-c", "import sys; sys.stdin.read()")
    async with connected(command=silent, connect_timeout_s=0.3, retry_initial_s=60.0) as server:
        assert not server.connected


async def test_what_a_program_says_aside_is_for_debug_only(
    capfd: pytest.CaptureFixture[str],
) -> None:
    chatty = "import sys, runpy; print('I listen', file=sys.stderr, flush=True)\n"
    chatty += "runpy.run_module('tests.support.mcp_peer', run_name='__main__')"
    with structlog.testing.capture_logs() as logs:
        async with connected(command=(sys.executable, "-c", chatty)) as server:
            assert server.connected
            await eventually(lambda: any(entry["event"] == "mcp.said" for entry in logs))
    said = {"event": "mcp.said", "log_level": "debug", "server": "peer", "line": "I listen"}
    assert said in logs
    assert "I listen" not in capfd.readouterr().err


async def test_why_a_program_does_not_start_is_told() -> None:
    command = (sys.executable, "-c", "raise SystemExit('no TOKEN is set')")
    with structlog.testing.capture_logs() as logs:
        async with connected(command=command, retry_initial_s=60.0) as server:
            assert not server.connected
    found = next(entry for entry in logs if entry["event"] == "mcp.unavailable")
    assert (found["log_level"], found["said"]) == ("warning", "no TOKEN is set")


async def test_a_secret_that_a_program_says_is_hidden() -> None:
    text = "import os; raise SystemExit('bad token ' + os.environ['TOKEN'])"
    with structlog.testing.capture_logs() as logs:
        async with connected(
            command=(sys.executable, "-c", text),
            env={"TOKEN": "abcdef"},
            secrets=frozenset({"abcdef"}),
            retry_initial_s=60.0,
        ) as server:
            assert not server.connected
    assert "abcdef" not in repr(logs)
    found = next(entry for entry in logs if entry["event"] == "mcp.unavailable")
    assert found["said"] == "bad token [hidden]"


async def test_a_server_over_http() -> None:
    async with (
        http_peer() as port,
        connected(
            command=(), url=f"http://127.0.0.1:{port}/mcp", headers={"Authorization": "Bearer t"}
        ) as server,
    ):
        assert (await call(server, "add", '{"first": 2, "second": 3}')).output == "5"


async def test_a_server_over_http_that_comes_late_and_goes_and_comes_back() -> None:
    async with http_peer() as port:
        pass
    url = f"http://127.0.0.1:{port}/mcp"
    async with connected(command=(), url=url) as server:
        assert not server.connected
        async with http_peer(port):
            await eventually(lambda: server.connected)
            assert (await call(server, "add", '{"first": 2, "second": 3}')).output == "5"
        assert (await call(server, "add", '{"first": 2, "second": 3}')).status == "failed"
        await eventually(lambda: not server.connected)
        async with http_peer(port):
            await eventually(lambda: server.connected)


async def test_many_calls_at_a_time() -> None:
    async with connected() as server:
        arguments = [f'{{"first": {n}, "second": 1}}' for n in range(20)]
        outcomes = await asyncio.gather(*(call(server, "add", each) for each in arguments))
        assert [outcome.output for outcome in outcomes] == [str(n + 1) for n in range(20)]
