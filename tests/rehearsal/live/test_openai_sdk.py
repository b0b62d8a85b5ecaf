"""The official SDK is the judge: it connects, drives and parses over a real socket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus

from telephony.audio.format import PCMU
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.live.server import LiveServer, serve_live
from tests.rehearsal.driver import VOICE, phrase, scenario

PCMU_SESSION = {"model": "gpt-live-1.1", "audio": {"format": {"type": "audio/pcmu", "rate": 8000}}}


@asynccontextmanager
async def connected(server: LiveServer, key: str = "x") -> AsyncIterator[Any]:
    async with (
        asyncio.timeout(60),
        AsyncOpenAI(api_key=key, base_url=server.base_url) as client,
        client.live.connect() as connection,
    ):
        yield connection


async def until(connection: Any, kind: str) -> Any:
    async for event in connection:
        if event.type == kind:
            return event
    raise AssertionError(f"no {kind} came")


async def drain(connection: Any) -> None:
    while True:
        await connection.recv()


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    async with serve_live() as running:
        yield running


async def test_greeting_question_answer_goodbye(server: LiveServer) -> None:
    async with connected(server) as connection:
        await connection.session.start(session=PCMU_SESSION)
        started = await until(connection, "session.started")
        assert started.session.id == server.sessions[-1].id
        await connection.session.commentary.append(content="Greet.", delegation_id=None)
        await until(connection, "session.commentary.appended")
        words = await until(connection, "session.output_transcript.delta")
        assert words.delta.startswith("Hello")
        audio = phrase("caller_weekend", PCMU)
        for at in range(0, len(audio), 1600):
            piece = base64.b64encode(audio[at : at + 1600]).decode()
            await connection.session.input_audio.append(audio=piece)
        heard = await until(connection, "session.input_transcript.delta")
        assert heard.delta == "Are you also"
        await connection.session.close()
        closed = await until(connection, "session.closed")
        assert closed.reason == "close_requested"
        with pytest.raises(ConnectionClosedOK):
            await connection.recv()
    assert server.sessions[-1].mouth.said[0].utterance.transcript == VOICE.prompts["greeting"].text


async def test_a_delegation_of_the_client() -> None:
    played = scenario("  - {when: greeting, say: filler, call: {name: look_up}}\n  - when: any\n")
    async with serve_live(scenario=played) as server, connected(server) as connection:
        await connection.session.start(session=PCMU_SESSION)
        await until(connection, "session.started")
        await connection.session.commentary.append(content="Greet.", delegation_id=None)
        created = await until(connection, "session.delegation.created")
        assert created.delegation.target == "client"
        await connection.session.commentary.append(
            content="It is noon.", delegation_id=created.delegation.id
        )
        await until(connection, "session.commentary.appended")
        assert server.sessions[-1].work.delegated[0].answers == ["It is noon."]


async def test_a_fixture_and_usage() -> None:
    async with serve_live(usage_interval_s=0.1) as server, connected(server) as connection:
        await connection.session.start(session=PCMU_SESSION)
        await until(connection, "session.started")
        notice = base64.b64encode(bytes(4800)).decode()
        await connection.send(
            {"type": "session.output_audio.fixture.play", "audio": notice, "event_id": "e1"}
        )
        assert (await until(connection, "session.output_audio.fixture.playing")).client_event_id
        assert (await until(connection, "session.output_audio.fixture.played")).client_event_id
        assert (await until(connection, "session.usage.updated")).usage.seconds > 0


async def test_an_error_names_the_event_that_caused_it(server: LiveServer) -> None:
    async with connected(server) as connection:
        await connection.send({"type": "response.create", "event_id": "e1"})
        error = await until(connection, "error")
        assert (error.error.code, error.error.client_event_id) == ("session_not_started", "e1")


async def test_a_realtime_model_is_refused(server: LiveServer) -> None:
    async with connected(server) as connection:
        await connection.session.start(session={"model": "gpt-realtime-2.1"})
        assert (await until(connection, "error")).error.code == "invalid_model"
        with pytest.raises(ConnectionClosedError) as closed:
            await connection.recv()
        assert closed.value.rcvd.code == 1008


async def test_a_wrong_key_and_a_refused_handshake() -> None:
    async with serve_live(api_key="right") as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connected(server, "wrong"):
                raise AssertionError
        assert refused.value.response.status_code == 401
        server.faults = ConnectionFaults(refuse_status=503, connections=2)
        with pytest.raises(InvalidStatus) as refused:
            async with connected(server, "right"):
                raise AssertionError
        assert refused.value.response.status_code == 503
        async with connected(server, "right") as connection:
            await connection.session.start(session=PCMU_SESSION)
            await until(connection, "session.started")


async def test_a_drop_without_a_word(server: LiveServer) -> None:
    server.faults = ConnectionFaults(drop_after_ms=100)
    async with connected(server) as connection:
        await connection.session.start(session=PCMU_SESSION)
        with pytest.raises(ConnectionClosedError) as closed:
            await drain(connection)
        assert closed.value.rcvd is None
    server.faults = ConnectionFaults(drop_after_ms=10, close_code=1011)
    async with connected(server) as connection:
        with pytest.raises(ConnectionClosedError) as closed:
            await connection.recv()
        assert closed.value.rcvd.code == 1011


async def test_the_server_ends_with_clients_in_it() -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve_live())
        async with connected(server) as connection:
            await connection.session.start(session=PCMU_SESSION)
            await until(connection, "session.started")
            assert len(server.connections) == 1
            await stack.aclose()
            with pytest.raises(ConnectionClosedOK) as closed:
                await drain(connection)
            assert closed.value.rcvd.code == 1001
        assert not server.connections
