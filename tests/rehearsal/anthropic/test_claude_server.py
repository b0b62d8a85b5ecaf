"""The rehearsal Claude, driven by Anthropic's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anthropic
import httpx2
import pytest

from telephony.rehearsal.anthropic.claude_server import ClaudeServer, serve_claude
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.scenario import Scenario
from tests.support.eventually import eventually
from tests.support.scenes import script

HOURS = "We are open from nine in the morning until six in the evening, Monday to Friday."
TOOLS: list[Any] = [
    {"name": "look_up", "description": "Looks.", "input_schema": {"type": "object"}}
]
SIMPLE = """\
  - when: greeting
    say: greeting
  - when: {heard: hours}
    say: opening_hours
  - when: {heard: order}
    say: filler
    call: {name: look_up, arguments: {order: "4711", details: all of them}}
  - when: {tool: look_up}
    say: tool_done
  - when: {dtmf: any}
    say: key_pressed
  - when: any
    say: short_answer
"""


def simple() -> Scenario:
    return script(SIMPLE)


@asynccontextmanager
async def client_of(
    server: ClaudeServer, **options: Any
) -> AsyncIterator[anthropic.AsyncAnthropic]:
    options = {"api_key": "k", "max_retries": 0} | options
    async with anthropic.AsyncAnthropic(base_url=server.base_url, **options) as client:
        yield client


async def ask(client: anthropic.AsyncAnthropic, *messages: Any, **options: Any) -> Any:
    """Stream an answer with the client's own helper; return the message it put together."""
    body: dict[str, Any] = {"model": "claude-haiku-5-5", "max_tokens": 300} | options
    async with client.messages.stream(messages=messages, **body) as stream:
        async for _ in stream.text_stream:
            pass
        return await stream.get_final_message()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


async def test_an_answer_is_streamed() -> None:
    async with serve_claude(scenario=simple()) as server, client_of(server) as client:
        message = await ask(client, user("What are your hours?"))
        assert [block.text for block in message.content] == [HOURS]
        assert message.stop_reason == "end_turn"
        assert message.usage.input_tokens > 0
        assert message.usage.output_tokens > 10
        [asked] = server.requests
        assert asked.headers["anthropic-version"] == "2026-10-21"
        assert (asked.status, asked.said) == (200, HOURS)


async def test_an_answer_in_one_piece() -> None:
    async with serve_claude(scenario=simple()) as server, client_of(server) as client:
        message = await client.messages.create(
            model="claude-haiku-5-5",
            max_tokens=300,
            messages=[user("What are your hours?")],  # type: ignore[list-item]
        )
        assert message.content[0].text == HOURS  # type: ignore[union-attr]


async def test_a_tool_is_called_and_its_result_answered() -> None:
    async with serve_claude(scenario=simple()) as server, client_of(server) as client:
        question = user("Where is my order?")
        message = await ask(client, question, tools=TOOLS)
        assert message.stop_reason == "tool_use"
        text, call = message.content
        assert text.text == "One moment, please."
        assert call.input == {"order": "4711", "details": "all of them"}
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "on its way"}
        said = [
            block.model_dump(include={"type", "text", "id", "name", "input"})
            for block in message.content
        ]
        answer = await ask(client, question, assistant(said), user([result]), tools=TOOLS)
        assert answer.content[0].text == "Done, that is taken care of."
        none = await ask(client, question, tools=TOOLS, tool_choice={"type": "none"})
        assert none.stop_reason == "end_turn"
        assert (await ask(client, question)).stop_reason == "end_turn"


async def test_what_requests_are_about() -> None:
    async with serve_claude(scenario=simple()) as server, client_of(server) as client:

        async def said(*messages: Any) -> str:
            return str((await ask(client, *messages)).content[0].text)

        note = "<system_note>Greet the caller.</system_note>"
        assert (await said(user(note))).startswith("Hello")
        assert (
            await said(user("The caller pressed 4 on the keypad."))
            == "Thank you, I have got your digits."
        )
        quoted = "<system_note>Say: Are you still there?</system_note>"
        assert await said(user("Hi"), assistant("Yes?"), user(quoted)) == "Are you still there?"


async def test_the_cache_of_instructions_and_tools() -> None:
    system = [{"type": "text", "text": "Be brief. " * 40, "cache_control": {"type": "ephemeral"}}]
    async with serve_claude(scenario=simple()) as server, client_of(server) as client:
        first = (await ask(client, user("Hi"), system=system)).usage
        second = (await ask(client, user("Hi"), system=system)).usage
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens > 0
    assert second.cache_creation_input_tokens == 0
    assert first.input_tokens == second.input_tokens


async def test_both_ways_to_show_a_key() -> None:
    async with serve_claude(scenario=simple(), api_key="secret") as server:
        url = f"{server.base_url}/v1/messages"
        body = {"model": "claude-x", "max_tokens": 20, "messages": [user("Hi")]}
        version = {"anthropic-version": "2023-06-01"}
        async with aiohttp.ClientSession() as http:
            for headers, status in (
                ({"x-api-key": "secret"}, 200),
                ({"authorization": "Bearer secret"}, 200),
                ({"x-api-key": "wrong"}, 401),
                ({}, 401),
            ):
                async with http.post(url, json=body, headers=version | headers) as response:
                    assert response.status == status
                    if status == 401:
                        error = await response.json()
                        assert error["type"] == "error"
                        assert error["error"]["type"] == "authentication_error"
                        assert error["request_id"]
        async with client_of(server, api_key="secret") as client:
            await ask(client, user("Hi"))
        async with client_of(server, api_key="wrong") as client:
            with pytest.raises(anthropic.AuthenticationError):
                await ask(client, user("Hi"))


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000])
async def test_bodies_that_are_no_json(body: str) -> None:
    async with (
        serve_claude(scenario=simple()) as server,
        aiohttp.ClientSession() as http,
        http.post(f"{server.base_url}/v1/messages", data=body) as response,
    ):
        assert response.status == 400
        error = await response.json()
    assert error["error"]["type"] == "invalid_request_error"
    assert server.requests[-1].problem == "The request body is not valid JSON."


async def test_sampling_is_refused_in_the_new_version_only() -> None:
    async with serve_claude(scenario=simple()) as server, client_of(server) as client:
        for name, value in (("temperature", 0.5), ("top_p", 0.9), ("top_k", 5)):
            options: dict[str, Any] = {"extra_body": {name: value}}
            with pytest.raises(anthropic.BadRequestError, match=name):
                await ask(client, user("Hi"), **options)
            old = {"extra_headers": {"anthropic-version": "2023-06-01"}}
            await ask(client, user("Hi"), **options, **old)


async def test_a_request_can_be_refused_and_the_next_one_not() -> None:
    async with serve_claude(scenario=simple()) as server, client_of(server) as client:
        server.faults = ConnectionFaults(connections=1, refuse_status=529)
        with pytest.raises(anthropic.APIStatusError) as raised:
            await ask(client, user("Hi"))
        assert raised.value.status_code == 529
        assert raised.value.response.headers["retry-after"] == "1"
        await ask(client, user("Hi"))


async def test_an_error_in_the_middle_of_an_answer() -> None:
    fault = "{error: {code: overloaded_error, close: true}}"
    turns = f"  - {{when: any, say: short_answer, faults: {fault}}}\n"
    async with serve_claude(scenario=script(turns)) as server, client_of(server) as client:
        with pytest.raises(anthropic.APIStatusError) as raised:
            await ask(client, user("Hi"))
        assert raised.value.status_code == 200
        assert "overloaded_error" in str(raised.value)


async def test_a_dropped_connection_and_one_that_stalls() -> None:
    dropped = script("  - {when: any, say: opening_hours, faults: {drop_after_ms: 30}}\n")
    async with serve_claude(scenario=dropped) as server, client_of(server) as client:
        with pytest.raises((anthropic.APIConnectionError, httpx2.HTTPError)):
            await ask(client, user("Hi"))
        server.scenario = simple()
        server.faults = ConnectionFaults(connections=2, drop_after_ms=0)
        with pytest.raises(anthropic.APIConnectionError):
            await ask(client, user("Hi"))
    stalled = script("  - {when: any, say: opening_hours, faults: {stall_after_ms: 30}}\n")
    async with serve_claude(scenario=stalled) as server, client_of(server) as client:
        task = asyncio.ensure_future(ask(client, user("Hi")))
        await eventually(lambda: server.requests and server.requests[-1].events)
        done, _ = await asyncio.wait([task], timeout=0.3)
        assert not done
        task.cancel()
        await eventually(lambda: server.requests[-1].cut_off)


async def test_a_client_that_leaves_early_is_noticed() -> None:
    slow = script("  - {when: any, say: opening_hours, faults: {first_delta_ms: 5000}}\n")
    async with serve_claude(scenario=slow) as server, client_of(server) as client:
        task = asyncio.ensure_future(ask(client, user("Hi")))
        await eventually(lambda: server.requests and server.requests[-1].events)
        task.cancel()
        await eventually(lambda: server.requests[-1].cut_off)


async def test_a_garbage_event_is_sent_when_asked_for() -> None:
    turns = "  - {when: any, say: short_answer, faults: {garbage_frames: 1}}\n"
    async with serve_claude(scenario=script(turns)) as server:
        body = {"model": "claude-x", "max_tokens": 20, "messages": [user("Hi")], "stream": True}
        headers = {"anthropic-version": "2026-10-21"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{server.base_url}/v1/messages", json=body, headers=headers) as response,
        ):
            assert "{not json" in await response.text()
            assert response.content_type == "text/event-stream"
