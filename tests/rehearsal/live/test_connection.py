"""The socket of a Live rehearsal session."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from websockets.asyncio.client import connect

from telephony.audio.format import PCMU
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.live.server import LiveServer, serve_live
from tests.rehearsal.driver import phrase
from tests.support.eventually import eventually

START = json.dumps(
    {
        "type": "session.start",
        "session": {
            "model": "gpt-live-1.1",
            "audio": {"format": {"type": "audio/pcmu", "rate": 8000}},
        },
    }
)


def address(server: LiveServer) -> str:
    return server.base_url.replace("http", "ws") + "/live/sessions"


async def until(websocket: Any, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            event: dict[str, Any] = json.loads(await websocket.recv())
            if event["type"] == kind:
                return event


async def test_a_client_that_sends_without_a_pause_is_spoken_to_all_the_same() -> None:
    async with serve_live() as server, connect(address(server)) as websocket:
        await websocket.send(START)
        audio = base64.b64encode(phrase("caller_yes", PCMU)).decode()
        append = json.dumps({"type": "session.input_audio.append", "audio": audio})

        async def flood() -> None:
            while True:
                await websocket.send(append)
                await asyncio.sleep(0)

        flooding = asyncio.create_task(flood())
        await until(websocket, "session.output_audio.delta")
        await until(websocket, "session.input_transcript.delta")
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


async def test_a_client_that_vanishes_leaves_nothing_behind() -> None:
    async with serve_live() as server:
        websocket = await connect(address(server))
        await websocket.send(START)
        await until(websocket, "session.output_audio.delta")
        websocket.transport.abort()
        await eventually(lambda: not server.connections)
        assert server.sessions[-1].ending is not None
        await websocket.wait_closed()


async def test_a_server_that_stops_reading() -> None:
    async with serve_live() as server:
        server.faults = ConnectionFaults(stop_reading_after_ms=50)
        async with connect(address(server), close_timeout=0.1) as websocket:
            await websocket.send(START)
            await until(websocket, "session.started")
            await eventually(lambda: not server.sessions[-1].reading)
            appends = server.sessions[-1].hearing.appends
            append = {"type": "session.input_audio.append", "audio": "////"}
            await until(websocket, "session.output_audio.delta")
            await until(websocket, "session.output_audio.delta")
            await websocket.send(json.dumps(append))
            await until(websocket, "session.output_audio.delta")
            await until(websocket, "session.output_audio.delta")
            assert server.sessions[-1].hearing.appends == appends
