"""ElevenLabs' SDK is the judge of our far end: it connects, speaks and reads; where it has types
without a client, each message must be one of these."""

from __future__ import annotations

import asyncio
import base64
import json
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import TypeAdapter
from websockets.asyncio.client import connect

from telephony.audio.format import PCMU
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.eventually import eventually
from tests.support.speech import GOODBYE, PROMPTS, QUESTION, phrase

with warnings.catch_warnings():
    # What the SDK does at its import is its own affair.
    warnings.simplefilter("ignore")
    from elevenlabs import types
    from elevenlabs.client import ElevenLabs
    from elevenlabs.core.api_error import ApiError
    from elevenlabs.realtime import AudioFormat, CommitStrategy, RealtimeEvents, ScribeRealtime
    from elevenlabs.v_1_speech_to_text_realtime import ReceiveTranscription

_RECEIVE: TypeAdapter[Any] = TypeAdapter(ReceiveTranscription)
_KINDS = {
    "session_started": types.SessionStartedPayload,
    "partial_transcript": types.PartialTranscriptPayload,
    "committed_transcript": types.CommittedTranscriptPayload,
    "commit_throttled": types.ScribeThrottledErrorPayload,
    "quota_exceeded": types.ScribeQuotaExceededErrorPayload,
}

# Of what the SDK uses of websockets, some is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech(api_key="secret") as server:
        yield server


class Scribe:
    """A session of the SDK and what it told."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.told: list[dict[str, Any]] = []
        for event in RealtimeEvents:
            if event not in (RealtimeEvents.OPEN, RealtimeEvents.CLOSE, RealtimeEvents.ERROR):
                connection.on(event, self._take)

    def _take(self, message: dict[str, Any]) -> None:
        _KINDS[message["message_type"]].model_validate(message, strict=True)
        self.told.append(message)

    def kinds(self) -> list[str]:
        return [message["message_type"] for message in self.told]

    async def send(self, audio: bytes) -> None:
        for at in range(0, len(audio), 800):
            chunk = base64.b64encode(audio[at : at + 800]).decode()
            await self.connection.send({"audio_base_64": chunk})


async def scribe(server: SpeechServer, strategy: CommitStrategy) -> Scribe:
    client = ScribeRealtime(api_key="secret", base_url=server.url.replace("http", "ws"))
    connection = await client.connect(
        {
            "model_id": "scribe_v2_realtime",
            "audio_format": AudioFormat.ULAW_8000,
            "sample_rate": 8000,
            "commit_strategy": strategy,
        }
    )
    return Scribe(connection)


async def test_manual_commits(server: SpeechServer) -> None:
    session = await scribe(server, CommitStrategy.MANUAL)
    for count, name in enumerate(("caller_question", "caller_goodbye"), 1):
        await session.send(phrase(name, PCMU))
        await session.connection.commit()
        await eventually(lambda count=count: session.kinds().count("committed_transcript") == count)
    await session.connection.commit()
    await eventually(lambda: "commit_throttled" in session.kinds())
    await session.connection.close()
    texts = [m["text"] for m in session.told if m["message_type"] == "committed_transcript"]
    assert texts == [QUESTION, GOODBYE]


async def test_commits_of_the_service(server: SpeechServer) -> None:
    session = await scribe(server, CommitStrategy.VAD)
    await session.send(phrase("caller_question", PCMU) + PCMU.silence(8000))
    await eventually(lambda: "committed_transcript" in session.kinds())
    await session.connection.close()
    assert session.told[-1]["text"] == QUESTION


async def test_errors_reach_the_sdk(server: SpeechServer) -> None:
    server.faults = FarEndFaults(error="quota_exceeded")
    session = await scribe(server, CommitStrategy.MANUAL)
    await session.send(phrase("caller_question", PCMU))
    await session.connection.commit()
    await eventually(lambda: "quota_exceeded" in session.kinds())
    await session.connection.close()


def client(server: SpeechServer, key: str = "secret") -> ElevenLabs:
    sdk = ElevenLabs(api_key=key, base_url=server.url)
    # It knows no ws but wss.
    sdk.text_to_speech._ws_base_url = server.url.replace("http", "ws")
    return sdk


async def test_stream_input(server: SpeechServer) -> None:
    texts = ["Hello, this is the rehearsal bot. ", "How can I help you?"]

    def talk() -> bytes:
        chunks = client(server).text_to_speech.convert_realtime(
            "voice", text=iter(texts), model_id="eleven_flash_v2_5", output_format="ulaw_8000"
        )
        return b"".join(chunks)

    audio = await asyncio.wait_for(asyncio.to_thread(talk), 60)
    assert abs(len(audio) / 8 - PROMPTS["greeting"].duration_ms) < 5


async def test_a_wrong_key(server: SpeechServer) -> None:
    def talk() -> None:
        list(
            client(server, "wrong").text_to_speech.convert_realtime(
                "voice", text=iter(["a"]), output_format="ulaw_8000"
            )
        )

    with pytest.raises(Exception, match="401"):
        await asyncio.wait_for(asyncio.to_thread(talk), 60)


async def test_an_error_in_the_stream(server: SpeechServer) -> None:
    server.faults = FarEndFaults(error="quota_exceeded")

    def talk() -> None:
        list(
            client(server).text_to_speech.convert_realtime(
                "voice", text=iter(["Hello. "]), output_format="ulaw_8000"
            )
        )

    with pytest.raises(ApiError):
        await asyncio.wait_for(asyncio.to_thread(talk), 60)


async def test_multi_stream_input_in_the_types_of_the_sdk(server: SpeechServer) -> None:
    url = f"{server.url.replace('http', 'ws')}/v1/text-to-speech/v/multi-stream-input"
    headers = {"xi-api-key": "secret"}
    async with connect(f"{url}?output_format=ulaw_8000", additional_headers=headers) as socket:
        sent = [
            types.InitializeConnectionMulti(text=" ", context_id="a"),
            types.SendTextMulti(text=PROMPTS["greeting"].text, context_id="a", flush=True),
            types.CloseContext(context_id="a", close_context=True),
        ]
        for message in sent:
            await socket.send(message.model_dump_json(exclude_none=True))
        audio = b""
        characters = ""
        while True:
            raw = json.loads(await asyncio.wait_for(socket.recv(), 60))
            if raw.get("isFinal"):
                final = types.FinalOutputMulti.model_validate(raw, strict=True)
                break
            output = types.AudioOutputMulti.model_validate(raw, strict=True)
            assert output.context_id == "a"
            audio += base64.b64decode(output.audio)
            if output.alignment is not None:
                assert output.alignment.chars is not None
                characters += "".join(output.alignment.chars)
        assert final.context_id == "a"
    assert characters == PROMPTS["greeting"].text
    assert abs(len(audio) / 8 - PROMPTS["greeting"].duration_ms) < 5


async def test_our_messages_are_of_the_types_of_the_sdk(server: SpeechServer) -> None:
    """What our own adapter sends, read by the SDK's type of a client's message."""
    from telephony.realtime.speech.elevenlabs_speak import ElevenLabsSpeak, ElevenLabsSpeakConfig

    config = ElevenLabsSpeakConfig.model_validate(
        {"voice": "v", "voice_settings": {"stability": 0.5, "speed": 1.1}}
    )
    wire = ElevenLabsSpeak(config, PCMU)
    wire.connection_made(0.0)
    wire.speak("u1", "Hello. ", True, 0.0)
    wire.speak("u1", "Bye.", False, 0.0)
    messages = [json.loads(m) for m in wire.messages_to_send() + wire.goodbye()]
    for message in messages:
        types.WebsocketTtsClientMessageMulti.model_validate(
            {**message, "contextId": message.get("context_id")}, strict=True
        )
    assert [m.get("text") for m in messages] == [" ", "Hello. ", "Bye. ", None, None]
