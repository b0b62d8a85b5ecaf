from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from telephony.net.http_tools import CONTEXT_VALUES, HttpToolConfig, HttpTools, context_values
from telephony.realtime.http_call import HttpTemplate, Method
from telephony.realtime.json_pick import JsonPath
from telephony.realtime.template import Template
from telephony.realtime.tool_schema import CallVariables, ToolContext
from telephony.realtime.tools import ToolFailed

CONTEXT = ToolContext("c1", "+15550199", "+15550100", "Ann", CallVariables({"shop": "north"}))


class Server:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.connections: set[Any] = set()
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        self.requests.append(
            {
                "method": request.method,
                "path": request.raw_path,
                "headers": dict(request.headers),
                "body": await request.read(),
            }
        )
        kind = request.match_info["kind"]
        match kind:
            case "redirect":
                return web.Response(status=302, headers={"Location": "/json"})
            case "missing":
                return web.Response(status=404, text="internal detail")
            case "long":
                return web.Response(text="x" * 2000)
            case "zipped":
                body = gzip.compress(b"x" * 100_000)
                return web.Response(body=body, headers={"Content-Encoding": "gzip"})
            case "slow":
                await asyncio.sleep(30)
            case "cookie":
                return web.Response(text="set", headers={"Set-Cookie": "a=b"})
            case "text":
                return web.Response(text="grüezi")
        return web.json_response({"order": {"status": "shipped"}})


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{kind:[^/?]*}{rest:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


class Scene:
    def __init__(self, server: Server, tools: HttpTools) -> None:
        self.server = server
        self.tools = tools

    async def run(
        self,
        path: str,
        arguments: dict[str, Any] | None = None,
        method: Method = "GET",
        host: str = "127.0.0.1",
        pick: str = "",
        **config: Any,
    ) -> Any:
        url = Template.parse(f"http://{host}:{self.server.port}/{path}")
        request = HttpTemplate(method, url, {"X-Shop": Template.parse("{{shop}}")})
        found = JsonPath.parse(pick) if pick else None
        tool = HttpToolConfig(request, found, **config)
        return await self.tools.run(tool, arguments or {}, CONTEXT)


@asynccontextmanager
async def scene(*private_hosts: str) -> AsyncIterator[Scene]:
    async with serving() as server:
        tools = HttpTools()
        for host in private_hosts:
            tools.allow_private(host)
        try:
            yield Scene(server, tools)
        finally:
            await tools.close()


async def test_a_request_and_its_answer() -> None:
    async with scene() as s:
        assert await s.run("json/{{id}}", {"id": "7/8"}, pick="$.order.status") == "shipped"
        [request] = s.server.requests
        assert request["path"] == "/json/7%2F8"
        assert request["headers"]["X-Shop"] == "north"
        assert await s.run("text") == "grüezi"


async def test_a_request_with_a_body() -> None:
    async with scene() as s:
        await s.run("json", {"id": 7}, method="POST")
        [request] = s.server.requests
        assert (request["method"], json.loads(request["body"])) == ("POST", {"id": 7})
        assert request["headers"]["Content-Type"] == "application/json"


async def test_connections_are_kept_and_cookies_are_not() -> None:
    async with scene() as s:
        for _ in range(3):
            await s.run("cookie")
        assert len(s.server.connections) == 1
        assert all("Cookie" not in request["headers"] for request in s.server.requests)


@pytest.mark.parametrize(
    ("path", "config", "message"),
    [
        ("redirect", {}, "a redirect, which is not followed"),
        ("missing", {}, "status 404"),
        ("long", {"max_bytes": 1999}, "longer than 1999 bytes"),
        ("zipped", {}, "compressed"),
        ("slow", {"timeout_s": 0.05}, "did not answer in time"),
        ("text", {"pick": "$.a"}, "not JSON"),
        ("json", {"pick": "$.a"}, "does not hold"),
    ],
)
async def test_answers_that_are_none(path: str, config: dict[str, Any], message: str) -> None:
    async with scene() as s:
        with pytest.raises(ToolFailed, match=message) as caught:
            await s.run(path, **config)
        assert "internal detail" not in str(caught.value)


async def test_a_name_that_leads_inside_is_refused_unless_it_is_allowed() -> None:
    async with scene() as s:
        with pytest.raises(ToolFailed, match="could not be reached"):
            await s.run("json", host="localhost")
        assert s.server.requests == []
    async with scene("LOCALHOST") as s:
        await s.run("json", host="localhost")
        assert len(s.server.requests) == 1


async def test_nobody_there() -> None:
    async with scene() as s:
        port, s.server.port = s.server.port, 1
        with pytest.raises(ToolFailed, match="could not be reached"):
            await s.run("json")
        s.server.port = port
        with pytest.raises(ToolFailed, match="invalid arguments"):
            await s.run("json/{{id}}", {"id": ".."})


def test_what_a_request_may_say_of_the_call() -> None:
    assert context_values(CONTEXT) == {
        "caller": "+15550199",
        "called": "+15550100",
        "caller_name": "Ann",
        "call_id": "c1",
        "shop": "north",
    }
    assert {*CONTEXT_VALUES, "shop"} == context_values(CONTEXT).keys()


async def test_closing_twice_is_harmless() -> None:
    tools = HttpTools()
    await tools.start()
    await tools.close()
    await tools.close()
    assert list(tools.tools) == []
