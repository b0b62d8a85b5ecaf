"""Each variant on a port: where it is, whom it lets in, what its maker's own client says to it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.ai.voicelive import models as azure
from azure.ai.voicelive.aio import connect as connect_voice_live
from azure.core.credentials import AzureKeyCredential
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from telephony.app.model_apis import MODEL_APIS
from telephony.audio.format import L16_24K, PCMU
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.server_variant import SERVER_VARIANTS
from tests.rehearsal.driver import phrase
from tests.rehearsal.sdk import Sdk

PROMPTS = shipped_prompts()


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with serve(api_key="key") as running:
        yield running


@pytest.mark.parametrize("api", SERVER_VARIANTS)
async def test_our_client_finds_and_enters_every_variant(server: ModelServer, api: str):
    model = MODEL_APIS[api].read({"model": "m"})
    dialect = model.new_dialect(Brief(), PCMU, "auto", Ids.seeded(1))
    url = dialect.url(server.base_url_of(api))
    async with connect(url, additional_headers=dialect.request_headers("key")) as websocket:
        created = json.loads(await websocket.recv())
        assert created["type"] == "session.created"
        dialect.connection_made(0.0)
        for message in dialect.messages_to_send():
            await websocket.send(message.decode())
        while not dialect.ready:
            dialect.receive_message(await asyncio.wait_for(websocket.recv(), 60), 0.0)
        assert dialect.stats.errors == 0
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=dialect.request_headers("wrong"))
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/azure_openai/openai/v1/realtime?model=m&api-version=1", "api-key", 401),
        ("/azure_openai/openai/v1/realtime?model=m", "Authorization", 401),
        ("/azure_openai/v1/realtime?model=m", "api-key", 404),
        ("/azure_voice_live/voice-live/realtime?model=m", "api-key", 400),
        ("/inworld/api/v1/realtime/session?key=x", "Authorization", 401),
        ("/qwen_omni/api-ws/v1/realtime", "Authorization", 401),
        ("/nobody/v1/realtime?model=m", "Authorization", 404),
    ],
)
async def test_what_a_variant_does_not_let_in(
    server: ModelServer, path: str, header: str, status: int
):
    url = f"ws://127.0.0.1:{server.port}{path}"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers={header: "key"})
    assert refused.value.response.status_code == status


@pytest.mark.parametrize(
    ("api", "event", "param"),
    [
        ("inworld", {"type": "conversation.item.truncate", "item_id": "i"}, "type"),
        ("inworld", {"type": "conversation.item.delete", "item_id": "i"}, "type"),
        ("qwen_omni", {"type": "conversation.item.truncate", "item_id": "i"}, "type"),
        ("qwen_omni", {"type": "response.cancel", "response_id": "r"}, "response_id"),
        (
            "qwen_omni",
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "user", "content": []},
            },
            "item.type",
        ),
        ("xai", {"type": "response.create", "response": {"conversation": "none"}}, "response"),
        (
            "xai",
            {
                "type": "session.update",
                "session": {"turn_detection": {"type": "semantic_vad"}},
            },
            "session.turn_detection.type",
        ),
        (
            "azure_voice_live",
            {"type": "session.update", "session": {"output_modalities": ["audio"]}},
            "session.output_modalities",
        ),
        (
            "local_realtime",
            {
                "type": "session.update",
                "session": {
                    "type": "realtime",
                    "audio": {"input": {"format": {"type": "audio/pcmu"}}},
                },
            },
            "session.audio.input.format.type",
        ),
    ],
)
async def test_what_a_variant_does_not_know(
    server: ModelServer, api: str, event: dict[str, Any], param: str
):
    server.api_key = None
    server.variant = SERVER_VARIANTS[api]
    query = "model=m&key=k&protocol=realtime&api-version=1"
    async with connect(f"{server.websocket_url}?{query}") as websocket:
        await websocket.send(json.dumps(event))
        while True:
            answer = json.loads(await asyncio.wait_for(websocket.recv(), 60))
            if answer["type"] == "error":
                break
    assert answer["error"]["param"].startswith(param)


async def test_openai_s_sdk_on_azure(server: ModelServer):
    base_url = server.base_url_of("azure_openai") + "/openai/v1"
    headers = {"api-key": "key"}
    async with (
        AsyncOpenAI(api_key="unused", base_url=base_url, default_headers=headers) as client,
        client.realtime.connect(model="my-deployment", extra_headers=headers) as connection,
    ):
        sdk = Sdk(connection)
        assert (await sdk.receive()).session.model == "my-deployment"
        await sdk.setup()
        await sdk.connection.response.create()
        greeting = await sdk.until("response.done")
        assert greeting.response.output[0].content[0].transcript == PROMPTS["greeting"].text


async def test_beta_names_on_a_raw_socket(server: ModelServer):
    url = f"ws://127.0.0.1:{server.port}/qwen_omni/api-ws/v1/realtime?model=qwen"
    headers = {"Authorization": "Bearer key"}
    async with connect(url, additional_headers=headers) as websocket:
        session = {
            "modalities": ["text", "audio"],
            "voice": "Cherry",
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "turn_detection": None,
        }
        for event in (
            {"type": "session.update", "session": session},
            {"type": "response.create", "response": {"instructions": "Greet."}},
        ):
            await websocket.send(json.dumps(event))
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] != "response.done":
            events.append(json.loads(await asyncio.wait_for(websocket.recv(), 60)))
    kinds = {event["type"] for event in events}
    assert {"response.audio.delta", "response.audio_transcript.done"} <= kinds
    assert "conversation.item.created" in kinds
    assert not [kind for kind in kinds if "output_audio" in kind]
    assert "conversation.item.done" not in kinds
    updated = next(event for event in events if event["type"] == "session.updated")
    assert updated["session"]["turn_detection"] is None
    assert updated["session"]["voice"] == "Cherry"
    (content,) = events[-1]["response"]["output"][0]["content"]
    assert content == {"type": "audio", "transcript": PROMPTS["greeting"].text}


class VoiceLive:
    """Azure's SDK as a client."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def until(self, kind: str) -> Any:
        while True:
            event = await asyncio.wait_for(self.connection.recv(), 60)
            assert event.type != "error", event
            if event.type == kind:
                return event

    async def speak(self, name: str) -> None:
        audio = phrase(name, L16_24K)
        size = L16_24K.frame_bytes(60)
        for at in range(0, len(audio), size):
            chunk = base64.b64encode(audio[at : at + size]).decode()
            await self.connection.input_audio_buffer.append(audio=chunk)


async def test_azure_s_sdk_holds_a_conversation(server: ModelServer):
    endpoint = f"http://127.0.0.1:{server.port}/azure_voice_live"
    credential = AzureKeyCredential("key")
    async with connect_voice_live(
        credential=credential, endpoint=endpoint, model="gpt-4o-mini"
    ) as connection:
        client = VoiceLive(connection)
        created = await client.until("session.created")
        assert created.session.model == "gpt-4o-mini"
        session = azure.RequestSession(
            modalities=["text", "audio"],
            instructions="You are a rehearsal.",
            voice=azure.AzureStandardVoice(name="en-US-AvaNeural"),
            input_audio_format="pcm16",
            output_audio_format="pcm16",
            turn_detection=azure.AzureSemanticVad(silence_duration_ms=500),
            input_audio_transcription=azure.AudioInputTranscriptionOptions(model="azure-speech"),
            input_audio_noise_reduction=azure.AudioNoiseReduction(
                type="azure_deep_noise_suppression"
            ),
            tools=[azure.FunctionTool(name="hangup", description="", parameters={})],
        )
        await connection.session.update(session=session)
        updated = await client.until("session.updated")
        assert updated.session.turn_detection.type == "azure_semantic_vad"
        await connection.response.create()
        greeting = await client.until("response.done")
        assert greeting.response.output[0].content[0].transcript == PROMPTS["greeting"].text
        assert greeting.response.usage.output_token_details.audio_tokens > 10
        await client.speak("caller_question")
        await client.until("input_audio_buffer.speech_started")
        delta = await client.until("response.audio.delta")
        assert len(delta.delta) > 1000
        await client.speak("caller_goodbye")
        cancelled = await client.until("response.done")
        assert cancelled.response.status == "cancelled"
        await connection.conversation.item.truncate(
            item_id=delta.item_id, content_index=0, audio_end_ms=90
        )
        assert (await client.until("conversation.item.truncated")).audio_end_ms == 90
        call = await client.until("response.function_call_arguments.done")
        assert call.name == "hangup"
