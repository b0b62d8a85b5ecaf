"""The Gemini rehearsal server and its connections."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telephony.base.ids import Ids
from telephony.net.model_socket import ModelSocket
from telephony.realtime.dialect import Brief
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_live import GeminiLive
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.gemini.server import GeminiServer, serve
from tests.rehearsal.gemini.driver import played
from tests.support.eventually import eventually

SERVICE = "google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
SETUP = json.dumps({"setup": {"model": "models/gemini-3.8-live"}})
SCENARIO = played("  - {when: greeting, say: you_said}\n")


def url(server: GeminiServer, service: str = SERVICE) -> str:
    return server.base_url.replace("http", "ws", 1) + f"/ws/{service}"


async def closed(websocket: Any) -> tuple[int | None, str]:
    """Wait for the end of a connection; returns the server's close frame, if there was one."""
    try:
        async for _ in websocket:
            pass
    except ConnectionClosed:
        pass
    return (websocket.close_code if websocket.close_code != 1006 else None, websocket.close_reason)


async def test_frames_are_binary_over_tls_and_in_the_clear() -> None:
    for tls in (True, False):
        async with serve(scenario=SCENARIO, tls=tls) as server:
            context = None
            if server.certificate is not None:
                context = ssl.create_default_context(cafile=str(server.certificate))
            async with connect(url(server), ssl=context) as websocket:
                await websocket.send(SETUP)
                answer = await websocket.recv()
                assert isinstance(answer, bytes)
                assert "setupComplete" in json.loads(answer)
        assert not server.connections


async def test_every_message_can_be_seen() -> None:
    seen: list[tuple[str, str]] = []
    taps = serve(tap=lambda _s, way, text, _t: seen.append((way, text)))
    async with taps as server, connect(url(server)) as websocket:
        await websocket.send(SETUP.encode())
        await websocket.recv()
    assert seen[0] == ("in", SETUP)
    assert seen[1][0] == "out"


async def test_services_that_are_not_there() -> None:
    async with serve(scenario=SCENARIO) as server:
        for path in ("nothing", SERVICE.replace("v1beta", "v7")):
            with pytest.raises(InvalidStatus) as caught:
                await connect(url(server, path))
            assert caught.value.response.status_code == 404
        server.faults = ConnectionFaults(refuse_status=503)
        with pytest.raises(InvalidStatus) as caught:
            await connect(url(server))
        assert caught.value.response.status_code == 503


@pytest.mark.parametrize(
    ("service", "headers", "query", "code"),
    [
        (SERVICE, {"x-goog-api-key": "right"}, "", None),
        (SERVICE, {}, "?key=right", None),
        (SERVICE, {"x-goog-api-key": "wrong"}, "", 1008),
        (SERVICE, {}, "", 1008),
        (VERTEX, {"Authorization": "Bearer right"}, "", None),
        (VERTEX, {"Authorization": "Bearer wrong"}, "", 1008),
        (f"{SERVICE}Constrained", {"Authorization": "Token auth_tokens/no"}, "", 1008),
    ],
)
async def test_keys(service: str, headers: dict[str, str], query: str, code: int | None) -> None:
    async with serve(scenario=SCENARIO, api_key="right") as server:
        address = url(server, service) + query
        async with connect(address, additional_headers=headers) as websocket:
            await websocket.send(SETUP)
            if code is None:
                assert b"setupComplete" in await websocket.recv(decode=False)
            else:
                assert (await closed(websocket))[0] == code


async def test_a_token_in_the_query() -> None:
    async with serve(scenario=SCENARIO) as server:

        def post(body: bytes) -> Any:
            request = urllib.request.Request(f"{server.base_url}/v1alpha/auth_tokens", body)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)

        name = (await asyncio.to_thread(post, b"{}"))["name"]
        address = url(server, f"{SERVICE}Constrained") + f"?access_token={name}"
        async with connect(address) as websocket:
            await websocket.send(SETUP)
            assert b"setupComplete" in await websocket.recv(decode=False)
        for body in (b"{", b'{"uses":-1}'):
            with pytest.raises(urllib.error.HTTPError) as caught:
                await asyncio.to_thread(post, body)
            assert caught.value.code == 400
            caught.value.close()


async def test_how_a_connection_may_end() -> None:
    async with serve(scenario=SCENARIO) as server:
        server.faults = ConnectionFaults(drop_after_ms=20)
        async with connect(url(server)) as websocket:
            assert await closed(websocket) == (None, "")
        server.faults = ConnectionFaults(drop_after_ms=20, close_code=1011, connections=2)
        async with connect(url(server)) as websocket:
            assert (await closed(websocket))[0] == 1011
        # Only the first two connections were to fail.
        async with connect(url(server)) as websocket:
            await websocket.send("garbage")
            code, reason = await closed(websocket)
            assert (code, reason) == (1007, "Invalid JSON payload received.")
        await eventually(lambda: not server.connections)
        assert server.handshakes == 3


async def test_a_stalled_connection_says_nothing_more() -> None:
    async with serve(scenario=SCENARIO) as server:
        server.faults = ConnectionFaults(stall_after_ms=0)
        async with connect(url(server)) as websocket:
            await eventually(lambda: server.sessions[-1]._fate.stalled)
            await websocket.send(SETUP)
            await eventually(lambda: server.sessions[-1].setup is not None)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await websocket.recv()


async def test_the_end_of_the_server() -> None:
    server = await serve(scenario=SCENARIO)
    async with connect(url(server)) as websocket:
        await websocket.send(SETUP)
        await websocket.recv()
        await server.close()
        assert (await closed(websocket))[0] == 1001
    await server.close()
    with pytest.raises(OSError):
        await connect(url(server))


async def test_a_port_that_is_taken() -> None:
    async with serve(scenario=SCENARIO) as server:
        with pytest.raises(OSError):
            await serve(port=server.port, scenario=SCENARIO)


async def test_our_own_socket_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(scenario=SCENARIO, api_key="right", tls=True) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        model = GeminiLive(GeminiConfig(), Brief(), Ids.seeded(1))
        socket = await ModelSocket.connect(
            model.url(server.base_url),
            model.request_headers("right"),
            lambda message: model.receive_message(message, 0.0),
            lambda code, reason: None,
        )
        model.connection_made(0.0)
        for message in model.messages_to_send():
            socket.send(message)
        await eventually(lambda: model.ready)
        await socket.close()
