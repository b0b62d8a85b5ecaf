"""OpenAI's SDK is the judge of our far end: transcriptions, speech, completions with audio, and
transcription sessions."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from telephony.audio.format import L16_8K, PCMU
from telephony.audio.wav import read_wav, write_wav
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from tests.support.speech import PROMPTS, QUESTION, phrase

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
WAV = write_wav(phrase("caller_question", L16_8K), 8000)


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech(api_key="secret") as server:
        yield server


@pytest.fixture(name="client")
async def _client(server: SpeechServer) -> AsyncIterator[AsyncOpenAI]:
    base_url = server.openai_url
    async with AsyncOpenAI(api_key="secret", base_url=base_url, max_retries=0) as client:
        yield client


async def test_transcriptions(client: AsyncOpenAI) -> None:
    answer = await client.audio.transcriptions.create(model="gpt-transcribe", file=("a.wav", WAV))
    assert answer.text == QUESTION
    verbose = await client.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", WAV), response_format="verbose_json"
    )
    assert verbose.text == QUESTION
    assert verbose.segments is not None
    assert verbose.segments[0].text == QUESTION


async def test_a_streamed_transcription(client: AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(
        model="gpt-transcribe", file=("a.wav", WAV), stream=True
    )
    events = [event async for event in stream]
    deltas = [e.delta for e in events if e.type == "transcript.text.delta"]
    assert "".join(deltas) == QUESTION
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == QUESTION


@pytest.mark.parametrize("form", ["pcm", "wav"])
async def test_speech(client: AsyncOpenAI, form: Any) -> None:
    text = PROMPTS["greeting"].text
    async with client.audio.speech.with_streaming_response.create(
        model="local", voice="marin", input=text, response_format=form
    ) as response:
        audio = b"".join([chunk async for chunk in response.iter_bytes()])
    pcm16 = read_wav(audio).pcm16 if form == "wav" else audio
    assert pcm16 == PROMPTS["greeting"].pcm16


async def test_completions_take_audio(client: AsyncOpenAI) -> None:
    audio = {"data": base64.b64encode(WAV).decode(), "format": "wav"}
    messages: Any = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Transcribe this."},
                {"type": "input_audio", "input_audio": audio},
            ],
        }
    ]
    answer = await client.chat.completions.create(model="gpt-audio-1.5", messages=messages)
    assert answer.choices[0].message.content == QUESTION
    stream = await client.chat.completions.create(
        model="gpt-audio-1.5", messages=messages, stream=True
    )
    chunks = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert " ".join(filter(None, chunks)) == QUESTION


async def test_completions_sum_up_text(client: AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": "caller: hello"}]
    answer = await client.chat.completions.create(model="gpt-audio-1.5", messages=messages)
    assert answer.choices[0].message.content == "Summary: caller: hello"


async def test_a_transcription_session(client: AsyncOpenAI) -> None:
    audio = phrase("caller_question", PCMU)
    url = str(client.base_url).replace("http", "ws") + "realtime?intent=transcription"
    assert url.endswith("/v1/realtime?intent=transcription")
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        session: Any = {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "gpt-live-transcribe"},
                    "turn_detection": None,
                }
            },
        }
        await connection.session.update(session=session)
        for at in range(0, len(audio), 480):
            chunk = base64.b64encode(audio[at : at + 480]).decode()
            await connection.input_audio_buffer.append(audio=chunk)
        await connection.input_audio_buffer.commit()
        kinds = []
        while not kinds or not kinds[-1].endswith("transcription.completed"):
            raw = json.loads(await asyncio.wait_for(connection.recv_bytes(), 60))
            event = SERVER_EVENT.validate_python(raw)
            kinds.append(event.type)
        assert event.transcript == QUESTION
        await connection.input_audio_buffer.commit()
        error = SERVER_EVENT.validate_python(json.loads(await connection.recv_bytes()))
        assert error.error.code == "input_audio_buffer_commit_empty"
    kind = "conversation.item.input_audio_transcription"
    assert kinds == [
        "session.created",
        "session.updated",
        "input_audio_buffer.committed",
        f"{kind}.delta",
        f"{kind}.delta",
        f"{kind}.completed",
    ]


async def test_refusals(server: SpeechServer, client: AsyncOpenAI) -> None:
    server.faults = FarEndFaults(refuse_status=429)
    with pytest.raises(openai.RateLimitError):
        await client.audio.transcriptions.create(model="m", file=("a.wav", WAV))
    server.faults = FarEndFaults()
    wrong = client.with_options(api_key="wrong")
    with pytest.raises(openai.AuthenticationError):
        await wrong.audio.speech.create(model="m", voice="v", input="Hello.")
    with pytest.raises(openai.BadRequestError, match="pcm and wav only"):
        await client.audio.speech.create(model="m", voice="v", input="Hello.")
    with pytest.raises(openai.BadRequestError, match="could not be read"):
        await client.audio.transcriptions.create(model="m", file=("a.wav", b"no wav"))
