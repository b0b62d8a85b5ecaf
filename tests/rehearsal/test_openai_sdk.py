"""The official SDK is the judge: it connects, drives and parses, and every event must be one of
its types without its lenient fallback."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.rehearsal.sdk import Sdk

PROMPTS = shipped_prompts()


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with serve() as running:
        yield running


@pytest.fixture
async def sdk(server: ModelServer) -> AsyncIterator[Sdk]:
    async with (
        AsyncOpenAI(api_key="x", base_url=server.base_url) as client,
        client.realtime.connect(model="gpt-realtime-2.1") as connection,
    ):
        yield Sdk(connection)


async def test_the_sdk_parses_events_into_its_types(server: ModelServer):
    async with (
        AsyncOpenAI(api_key="x", base_url=server.base_url) as client,
        client.realtime.connect(model="gpt-realtime-2.1") as connection,
    ):
        created = await connection.recv()
        assert created.type == "session.created"
        assert created.session.model == "gpt-realtime-2.1"
        await connection.response.create()
        async for event in connection:
            if event.type == "response.done":
                break
        assert event.response.status == "completed"
        assert event.response.usage.output_token_details.audio_tokens > 10


@pytest.mark.parametrize("audio", ["audio/pcm", "audio/pcmu", "audio/pcma"])
async def test_greeting_speech_transcript_answer(sdk: Sdk, server: ModelServer, audio: str):
    assert (await sdk.receive()).type == "session.created"
    await sdk.setup(audio)
    await sdk.connection.response.create()
    greeting = await sdk.until("response.done")
    assert greeting.response.output[0].content[0].transcript == PROMPTS["greeting"].text
    await sdk.speak("caller_yes", audio)
    started = await sdk.until("input_audio_buffer.speech_started")
    kind = "conversation.item.input_audio_transcription.completed"
    heard = await sdk.until(kind, item_id=started.item_id)
    assert heard.transcript == PROMPTS["caller_yes"].text
    answer = await sdk.until("response.done")
    assert answer.response.status == "completed"
    assert answer.response.output[0].content[0].transcript == PROMPTS["short_answer"].text
    assert [item.role for item in server.sessions[-1].conversation] == [
        "assistant",
        "user",
        "assistant",
    ]


async def test_interrupt_and_truncate(sdk: Sdk, server: ModelServer):
    await sdk.setup()
    await sdk.speak("caller_question")
    delta = await sdk.until("response.output_audio.delta")
    await sdk.speak("caller_interrupt")
    done = await sdk.until("response.done")
    assert done.response.status == "cancelled"
    assert done.response.status_details.reason == "turn_detected"
    await sdk.connection.conversation.item.truncate(
        item_id=delta.item_id, content_index=0, audio_end_ms=90
    )
    truncated = await sdk.until("conversation.item.truncated")
    assert truncated.audio_end_ms == 90
    item = server.sessions[-1].conversation.find(delta.item_id)
    assert item is not None
    assert item.audio_ms == 90
    assert item.text == ""
    answer = await sdk.until("response.done")
    assert answer.response.output[0].content[0].transcript == PROMPTS["agent"].text


async def test_tool_call_round_trip(sdk: Sdk, server: ModelServer):
    tool = {"type": "function", "name": "hangup", "description": "", "parameters": {}}
    await sdk.setup(tools=[tool], tool_choice="auto")
    await sdk.speak("caller_goodbye")
    call = await sdk.until("response.function_call_arguments.done")
    assert call.name == "hangup"
    assert json.loads(call.arguments) == {"reason": "the caller said goodbye"}
    await sdk.until("response.done")
    await sdk.connection.conversation.item.create(
        item={"type": "function_call_output", "call_id": call.call_id, "output": "done"}
    )
    added = await sdk.until("conversation.item.done")
    assert added.item.type == "function_call_output"
    await sdk.connection.response.create()
    assert (await sdk.until("response.done")).response.output == []


async def test_text_and_out_of_band(sdk: Sdk):
    await sdk.setup(output_modalities=["text"])
    await sdk.connection.conversation.item.create(
        item={
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "The caller pressed 5"}],
        }
    )
    await sdk.connection.response.create(
        response={"conversation": "none", "metadata": {"topic": "keys"}}
    )
    done = await sdk.until("response.done")
    assert done.response.conversation_id is None
    assert done.response.metadata == {"topic": "keys"}
    assert done.response.output[0].content[0].text == PROMPTS["key_pressed"].text


async def test_manual_turns_and_items(sdk: Sdk):
    await sdk.setup()
    await sdk.connection.session.update(
        session={"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    )
    await sdk.until("session.updated")
    await sdk.speak("caller_weekend")
    await sdk.connection.input_audio_buffer.commit()
    committed = await sdk.until("input_audio_buffer.committed")
    await sdk.connection.conversation.item.retrieve(item_id=committed.item_id)
    retrieved = await sdk.until("conversation.item.retrieved")
    assert len(base64.b64decode(retrieved.item.content[0].audio)) > 8000
    await sdk.connection.conversation.item.delete(item_id=committed.item_id)
    await sdk.until("conversation.item.deleted", item_id=committed.item_id)
    await sdk.connection.input_audio_buffer.clear()
    await sdk.until("input_audio_buffer.cleared")


async def test_errors(sdk: Sdk):
    await sdk.setup()
    connection = sdk.connection
    await connection.response.cancel(event_id="e1")
    await connection.conversation.item.truncate(
        item_id="item_x", content_index=0, audio_end_ms=1, event_id="e2"
    )
    await connection.session.update(
        session={"type": "realtime", "temperature": 0.5},  # type: ignore[typeddict-unknown-key]
        event_id="e3",
    )
    await connection.session.update(
        session={"type": "realtime", "output_modalities": ["audio", "text"]}, event_id="e4"
    )
    await connection.send({"type": "no.such.event", "event_id": "e5"})  # type: ignore[arg-type]
    await connection.response.create()
    await connection.response.create(event_id="e6")
    errors = {}
    while len(errors) < 6:
        event = await sdk.until("error")
        errors[event.error.event_id] = (event.error.code, event.error.param)
    assert errors == {
        "e1": ("response_cancel_not_active", None),
        "e2": ("item_truncate_invalid_item_id", "item_id"),
        "e3": ("unknown_parameter", "session.temperature"),
        "e4": ("invalid_value", "session.output_modalities"),
        "e5": ("invalid_event", "type"),
        "e6": ("conversation_already_has_active_response", None),
    }


async def test_a_refused_handshake_is_an_http_status(server: ModelServer):
    server.faults = ConnectionFaults(refuse_status=503, connections=1)
    async with AsyncOpenAI(api_key="x", base_url=server.base_url) as client:
        with pytest.raises(InvalidStatus) as refused:
            await client.realtime.connect(model="gpt-realtime-2.1").enter()
        assert refused.value.response.status_code == 503
        connection = await client.realtime.connect(model="gpt-realtime-2.1").enter()
        assert (await connection.recv()).type == "session.created"
        await connection.close()


async def test_a_wrong_key_is_refused():
    async with serve(api_key="right") as server:
        async with AsyncOpenAI(api_key="wrong", base_url=server.base_url) as client:
            with pytest.raises(InvalidStatus) as refused:
                await client.realtime.connect(model="gpt-realtime-2.1").enter()
            assert refused.value.response.status_code == 401
        async with (
            AsyncOpenAI(api_key="right", base_url=server.base_url) as client,
            client.realtime.connect(model="gpt-realtime-2.1") as connection,
        ):
            assert (await connection.recv()).type == "session.created"


async def test_a_drop_without_a_close_frame(server: ModelServer):
    server.faults = ConnectionFaults(drop_after_ms=50)
    async with (
        AsyncOpenAI(api_key="x", base_url=server.base_url) as client,
        client.realtime.connect(model="gpt-realtime-2.1") as connection,
    ):
        assert (await connection.recv()).type == "session.created"
        with pytest.raises(ConnectionClosedError) as closed:
            await asyncio.wait_for(connection.recv(), 60)
        assert closed.value.rcvd is None
