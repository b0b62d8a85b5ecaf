"""Our use of Anthropic's client, against the rehearsal Claude."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.net.claude import AnswerFailed, ClaudeClient
from telephony.realtime.cascade.config import API_VERSION
from telephony.rehearsal.anthropic.claude_server import serve_claude
from telephony.rehearsal.faults import ConnectionFaults
from tests.support.eventually import eventually
from tests.support.scenes import script

BODY = {
    "model": "claude-haiku-5-5",
    "max_tokens": 100,
    "stream": True,
    "messages": [{"role": "user", "content": "Hi"}],
}
SHORT = "  - {when: any, say: short_answer}\n"


async def read(client: ClaudeClient, body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [event async for event in client.answer(body or BODY)]


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event.get("delta", {}).get("text", "") for event in events)


async def failure_of(client: ClaudeClient, body: dict[str, Any] | None = None) -> AnswerFailed:
    with pytest.raises(AnswerFailed) as raised:
        await read(client, body)
    return raised.value


async def test_events_come_as_they_are_pings_and_garbage_too() -> None:
    turns = "  - {when: any, say: short_answer, faults: {garbage_frames: 1}}\n"
    async with serve_claude(scenario=script(turns), api_key="k") as server:
        client = ClaudeClient(f"{server.base_url}/v1/", "k", API_VERSION)
        events = await read(client)
        await client.close()
        await client.close()
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["message_start", "ping", "not_json"]
    assert kinds[-1] == "message_stop"
    assert text_of(events) == "Yes, that is possible."
    assert server.requests[0].headers["anthropic-version"] == API_VERSION


async def test_one_connection_serves_one_answer_after_another() -> None:
    ports = set()
    async with serve_claude(scenario=script(SHORT)) as server:
        client = ClaudeClient(server.base_url, None, API_VERSION)
        for _ in range(3):
            await read(client)
            pool = client._open()._client._transport._pool  # type: ignore[attr-defined]
            ports.add(id(pool.connections[0]))
            assert len(pool.connections) == 1
        await client.close()
    assert len(ports) == 1


async def test_refusals_say_why_and_when_to_come_again() -> None:
    async with serve_claude(scenario=script(SHORT), api_key="k") as server:
        client = ClaudeClient(server.base_url, "wrong", API_VERSION)
        failed = await failure_of(client)
        assert (failed.status, failed.code) == (401, "authentication_error")
        await client.close()
        client = ClaudeClient(server.base_url, "k", API_VERSION)
        for status, code, after in ((429, "rate_limit_error", 1.0), (500, "api_error", None)):
            server.faults = ConnectionFaults(refuse_status=status)
            failed = await failure_of(client)
            assert (failed.status, failed.code, failed.retry_after_s) == (status, code, after)
        # Nothing was tried twice.
        assert len(server.requests) == 3
        server.faults = None
        failed = await failure_of(client, BODY | {"temperature": 1.0})
        assert failed.status == 400
        await client.close()


async def test_no_server_and_one_that_hangs_up() -> None:
    async with serve_claude(scenario=script(SHORT)) as server:
        server.faults = ConnectionFaults(drop_after_ms=0)
        client = ClaudeClient(server.base_url, None, API_VERSION)
        assert (await failure_of(client)).status == 0
        server.faults = None
        server.scenario = script(
            "  - {when: any, say: opening_hours, faults: {drop_after_ms: 20}}\n"
        )
        failed = await failure_of(client)
        assert (failed.status, failed.code) == (0, "connection_error")
    failed = await failure_of(client)
    assert (failed.status, failed.code) == (0, "connection_error")
    await client.close()


async def test_an_error_event_is_an_event() -> None:
    turns = "  - {when: any, say: short_answer, faults: {error: {code: overloaded_error}}}\n"
    async with serve_claude(scenario=script(turns)) as server:
        client = ClaudeClient(server.base_url, None, API_VERSION)
        events = await read(client)
        await client.close()
    assert events[-1]["error"]["type"] == "overloaded_error"


async def test_cancelling_closes_the_stream() -> None:
    slow = script("  - {when: any, say: opening_hours, faults: {first_delta_ms: 9000}}\n")
    async with serve_claude(scenario=slow) as server:
        client = ClaudeClient(server.base_url, None, API_VERSION)
        task = asyncio.ensure_future(read(client))
        await eventually(lambda: server.requests and server.requests[0].events)
        task.cancel()
        await eventually(lambda: server.requests[0].cut_off)
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.close()


async def test_half_a_character_spoils_no_request() -> None:
    async with serve_claude(scenario=script(SHORT)) as server:
        client = ClaudeClient(server.base_url, None, API_VERSION)
        spoilt = {**BODY, "messages": [{"role": "user", "content": "Hi \ud800"}]}
        assert text_of(await read(client, spoilt)) == "Yes, that is possible."
        await client.close()
    assert server.requests[0].body["messages"][0]["content"] == "Hi ?"


async def test_an_answer_that_is_no_utf8_has_failed() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b'Connection: close\r\n\r\nevent: x\ndata: {"type": "\xff"}\n\n')
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = ClaudeClient(f"http://127.0.0.1:{port}", None, API_VERSION)
        failure = await failure_of(client)
        await client.close()
    assert (failure.status, failure.code) == (0, "client_error")
    assert failure.message == "UnicodeDecodeError"
