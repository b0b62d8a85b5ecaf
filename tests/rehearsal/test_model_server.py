from __future__ import annotations

import asyncio
import base64
import json

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

from telephony.audio.format import PCMU
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.rehearsal.driver import phrase

PCMU_SESSION = json.dumps(
    {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}},
    }
)


async def ask(server: ModelServer) -> str:
    """Ask one question over a real socket; return what the model answered."""
    async with connect(f"{server.websocket_url}?model=m", max_size=None) as websocket:
        await websocket.send(PCMU_SESSION)
        audio = base64.b64encode(phrase("caller_yes", PCMU)).decode()
        await websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        while True:
            event = json.loads(await asyncio.wait_for(websocket.recv(), 60))
            if event["type"] == "response.done":
                return str(event["response"]["output"][0]["content"][0]["transcript"])


async def serve_and_ask() -> str:
    async with serve() as server:
        return await ask(server)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_both_event_loops(new_loop):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(serve_and_ask()) == shipped_prompts()["short_answer"].text


async def test_awaited_instead_of_entered():
    server = await serve()
    assert server.base_url == f"http://127.0.0.1:{server.port}/v1"
    await server.close()
    await server.close()


async def test_a_taken_port_is_an_oserror():
    async with serve() as server:
        with pytest.raises(OSError, match="in use"):
            await serve(port=server.port)


async def test_sessions_are_kept_after_their_end():
    async with serve() as server:
        for _ in range(2):
            await ask(server)
        assert [len(session.conversation) for session in server.sessions] == [2, 2]


async def test_close_says_goodbye_to_everyone():
    server = await serve()
    async with connect(f"{server.websocket_url}?model=m") as websocket:
        await websocket.recv()
        closing = asyncio.ensure_future(server.close())
        with pytest.raises(ConnectionClosedOK) as closed:
            await websocket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await closing
    assert not server.connections


async def test_close_does_not_wait_for_the_silent():
    server = await serve()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(500):
        if server.connections:
            break
        await asyncio.sleep(0.01)
    await asyncio.wait_for(server.close(), 8)
    assert not server.connections
    writer.close()


async def test_faults_of_the_first_connections_only():
    async with serve() as server:
        server.faults = ConnectionFaults(stall_after_ms=0, connections=1)
        assert server.faults_of_next_connection().stall_after_ms == 0
        assert server.faults_of_next_connection().stall_after_ms is None


async def test_the_tap_sees_both_directions():
    seen = []

    def tap(session, direction, message, now):
        seen.append((session.id, direction, json.loads(message)["type"]))

    async with serve(tap=tap) as server:
        await ask(server)
        session_id = server.sessions[0].id
    assert (session_id, "in", "input_audio_buffer.append") in seen
    assert (session_id, "out", "response.done") in seen


async def test_many_sessions_at_once():
    async with serve() as server:
        answers = await asyncio.gather(*(ask(server) for _ in range(20)))
        assert set(answers) == {shipped_prompts()["short_answer"].text}
        assert len(server.sessions) == 20
