from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus

from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_server import ModelServer, serve


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with serve(api_key="key") as running:
        yield running


def dial(server: ModelServer, path: str = "/v1/realtime?model=gpt-realtime-2.1", **options):
    headers = options.pop("additional_headers", {"Authorization": "Bearer key"})
    url = f"ws://127.0.0.1:{server.port}{path}"
    return connect(url, additional_headers=headers, max_size=None, **options)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Authorization": "Bearer key"}, 404),
        ("/v1/realtime", {"Authorization": "Bearer key"}, 400),
        ("/v1/realtime?model=", {"Authorization": "Bearer key"}, 400),
        ("/v1/realtime?model=gpt-live-1.1", {"Authorization": "Bearer key"}, 400),
        ("/v1/realtime?model=m", {}, 401),
        ("/v1/realtime?model=m", {"Authorization": "Bearer other"}, 401),
        (
            "/v1/realtime?model=m",
            {"Authorization": "Bearer key", "OpenAI-Beta": "realtime=v1"},
            400,
        ),
    ],
)
async def test_refused_handshakes(server: ModelServer, path, headers, status):
    with pytest.raises(InvalidStatus) as refused:
        await dial(server, path, additional_headers=headers)
    assert refused.value.response.status_code == status
    assert not server.sessions


async def test_a_browser_gives_its_key_as_subprotocol(server: ModelServer):
    offered = ["realtime", "openai-insecure-api-key.key"]
    async with dial(server, additional_headers={}, subprotocols=offered) as websocket:
        assert websocket.subprotocol == "realtime"
        assert json.loads(await websocket.recv())["type"] == "session.created"


async def test_plain_http_is_told_to_upgrade(server: ModelServer):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\n\r\n"
    )
    assert b" 426 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_what_is_not_http_is_dropped(server: ModelServer):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_fragmented_and_binary_messages(server: ModelServer):
    async with dial(server) as websocket:
        await websocket.recv()
        await websocket.send(iter(['{"type":"input_audio', '_buffer.clear"}']))
        assert json.loads(await websocket.recv())["type"] == "input_audio_buffer.cleared"
        await websocket.send(b'{"type":"input_audio_buffer.clear"}')
        assert json.loads(await websocket.recv())["type"] == "input_audio_buffer.cleared"


async def test_a_ping_is_answered(server: ModelServer):
    async with dial(server) as websocket:
        await asyncio.wait_for(await websocket.ping(), 60)


async def test_the_end_of_the_session_closes_with_code_and_reason(server: ModelServer):
    fields = {"max_session_s": 0.05}
    server.scenario = server.scenario.model_copy(update=fields)
    async with dial(server) as websocket:
        await websocket.recv()
        error = json.loads(await websocket.recv())["error"]
        assert error["code"] == "session_expired"
        with pytest.raises(ConnectionClosedOK) as closed:
            await websocket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


async def test_an_error_at_the_start_is_sent_before_the_close(server: ModelServer):
    server.faults = ConnectionFaults.model_validate(
        {"error": {"code": "invalid_api_key", "close": True}}
    )
    async with dial(server) as websocket:
        await websocket.recv()
        assert json.loads(await websocket.recv())["error"]["code"] == "invalid_api_key"
        with pytest.raises(ConnectionClosedError) as closed:
            await websocket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_a_client_that_vanishes_leaves_nothing_behind(server: ModelServer):
    websocket = await dial(server)
    await websocket.recv()
    await websocket.send('{"type":"response.create"}')
    websocket.transport.abort()
    for _ in range(500):
        if not server.connections:
            break
        await asyncio.sleep(0.01)
    assert not server.connections
    await websocket.close()


async def test_stop_reading_pauses_the_transport(server: ModelServer):
    server.faults = ConnectionFaults(stop_reading_after_ms=0)
    async with dial(server, close_timeout=0.1) as websocket:
        await websocket.recv()
        session = server.sessions[-1]
        for _ in range(500):
            if not session.reading:
                break
            await asyncio.sleep(0.01)
        await websocket.send('{"type":"input_audio_buffer.clear"}')
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(websocket.recv(), 0.1)
        websocket.transport.abort()
