from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from telephony.net.listen import PortInUse
from telephony.net.web_listener import BodyRefused, WebListener, read_body
from tests.support.eventually import eventually
from tests.support.https import write_certificate


async def echo(request: web.Request) -> web.Response:
    try:
        return web.Response(body=await read_body(request, 1000, 0.2))
    except BodyRefused as refused:
        return web.Response(status=refused.status)


@asynccontextmanager
async def listening(
    tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[tuple[WebListener, int]]:
    listener = WebListener([web.post("/echo", echo)], **options)
    _, port = await listener.start("127.0.0.1", 0, tls)
    yield listener, port
    await listener.close()
    await listener.close()


async def raw(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


async def test_one_request_for_each_connection() -> None:
    async with listening() as (listener, port):
        answer = await raw(port, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"hi")
        assert (await raw(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(
            b"HTTP/1.1 404"
        )
        assert listener.stats.connections == 2


async def test_a_body_that_is_too_long_is_refused_told_or_not() -> None:
    async with listening() as (_, port):
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
        told = await raw(port, head + b"Content-Length: 1000000000\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 413")
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        untold = await raw(
            port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
        )
        assert untold.startswith(b"HTTP/1.1 413")


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async with listening() as (_, port):
        answer = await raw(port, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhi")
        assert answer.startswith(b"HTTP/1.1 408")


async def test_who_stays_is_cut_off() -> None:
    async with listening(connection_s=0.1) as (listener, port):
        assert await raw(port, b"POST /echo HTTP/1.1\r\nHost: ") == b""
        assert listener.stats.cut_off == 1


async def test_there_is_room_for_so_many() -> None:
    async with listening(max_connections=1) as (listener, port):
        _, first = await asyncio.open_connection("127.0.0.1", port)
        await eventually(lambda: listener.stats.connections == 1)
        assert await raw(port, b"") == b""
        assert listener.stats.refused == 1
        first.close()


async def test_over_tls(tmp_path: Path) -> None:
    pem = write_certificate(tmp_path, "localhost")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cafile=str(pem))
    async with listening(server) as (_, port), aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{port}/echo"
        async with session.post(url, data=b"hi", ssl=client) as response:
            assert await response.read() == b"hi"


async def test_a_taken_port() -> None:
    async with listening() as (_, port):
        with pytest.raises(PortInUse):
            await WebListener([]).start("127.0.0.1", port)
