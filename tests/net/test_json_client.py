from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from telephony.net.json_client import JsonClient


@asynccontextmanager
async def server(answer: web.Handler) -> AsyncIterator[str]:  # type: ignore[name-defined]
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[JsonClient]:
    client = JsonClient()
    yield client
    await client.close()
    await client.close()


async def test_a_body_of_json_goes_there_and_an_answer_comes_back(client: JsonClient) -> None:
    seen: list[tuple[str, str, bytes, str]] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        kind = request.headers.get("Content-Type", "")
        seen.append((request.path, request.headers["Authorization"], body, kind))
        return web.json_response({"ok": True}, status=201)

    async with server(answer) as url:
        got = await client.post(f"{url}/a", {"Authorization": "Bearer k"}, {"x": 1})
        assert (got.status, got.body, got.failure) == (201, b'{"ok": true}', "")
        await client.post(f"{url}/b", {"Authorization": "Bearer k"})
    assert seen[0] == ("/a", "Bearer k", b'{"x":1}', "application/json")
    assert seen[1][2] == b""
    assert (client.stats.requests, client.stats.failed, client.stats.refused) == (2, 0, 0)


async def test_redirects_and_cookies_take_nothing_elsewhere(client: JsonClient) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie", ""))
        response = web.Response(status=307, headers={"Location": "/elsewhere"})
        response.set_cookie("a", "b")
        return response

    async with server(answer) as url:
        assert (await client.post(url, {})).status == 307
        assert (await client.post(url, {})).status == 307
    assert seen == ["", ""]


async def test_a_server_that_is_slow_or_gone_is_no_exception(client: JsonClient) -> None:
    release = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with server(answer) as url:
        got = await client.post(url, {}, {}, timeout_s=0.05)
        assert (got.status, got.failure) == (0, "no answer within 0.05 s")
        release.set()
    got = await client.post(url, {}, {})
    assert got.status == 0
    assert got.failure
    assert (await client.post("http://", {}, {})).failure
    assert (await client.post("no url", {}, {})).failure
    assert client.stats.failed == 4


async def test_a_key_with_a_line_break_is_not_sent(client: JsonClient) -> None:
    got = await client.post("http://127.0.0.1:1", {"Authorization": "Bearer a\nX: y"}, {})
    assert got.failure == "header Authorization holds a control character"


async def test_an_endless_answer_is_cut_off(client: JsonClient) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(40):
            await response.write(b"x" * 65_536)
        return response

    async with server(answer) as url:
        got = await client.post(url, {}, {})
    assert len(got.body) == 256 * 1024
