"""What the SDKs can't be made to do wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech

LISTEN = "/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000"
SCRIBE = "/v1/speech-to-text/realtime?model_id=scribe_v2_realtime&audio_format=ulaw_8000"
SPEAK = "/v2/speak?model=flux-alexis-en&encoding=mulaw&sample_rate=8000"
MULTI = "/v1/text-to-speech/v/multi-stream-input?output_format=ulaw_8000"
STREAM = "/v1/text-to-speech/v/stream-input?output_format=ulaw_8000"
TRANSCRIBE = "/v1/realtime?intent=transcription"


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech() as server:
        yield server


def at(server: SpeechServer, path: str) -> str:
    return server.url.replace("http", "ws") + path


@pytest.mark.parametrize(
    "path",
    [
        "/v2/listen?model=nova-3",
        LISTEN.replace("mulaw", "mp3"),
        f"{LISTEN}&eot_threshold=0.1",
        f"{LISTEN}&eager_eot_threshold=much",
        f"{LISTEN}&eot_timeout_ms=1",
        SPEAK.replace("8000", "11025"),
        SCRIBE.replace("ulaw", "opus"),
        f"{SCRIBE}&commit_strategy=never",
        SCRIBE.replace("scribe_v2_realtime", "scribe_v1"),
        MULTI.replace("ulaw_8000", "mp3_44100_128"),
        "/v1/realtime?model=gpt-realtime-2.1",
    ],
)
async def test_requests_that_are_refused(server: SpeechServer, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(at(server, path))
    assert refused.value.response.status_code == 400


async def until_closed(socket: ClientConnection) -> list[dict[str, Any]]:
    messages = []
    while True:
        try:
            messages.append(json.loads(await socket.recv()))
        except ConnectionClosed:
            return messages


@pytest.mark.parametrize("path", [LISTEN, SPEAK, SCRIBE, MULTI, STREAM])
async def test_nonsense_ends_the_connection_with_a_reason(server: SpeechServer, path: str) -> None:
    async with connect(at(server, path)) as socket:
        await socket.send("nonsense")
        messages = await until_closed(socket)
    assert socket.close_code in (1008, 1011)
    assert "rror" in json.dumps(messages[-1])


async def test_a_transcription_session_tells_and_goes_on(server: SpeechServer) -> None:
    async with connect(at(server, TRANSCRIBE)) as socket:
        for message in (
            "nonsense",
            '{"type": "response.create"}',
            '{"type": "session.update", "session": {"type": "realtime"}}',
            '{"type": "input_audio_buffer.append", "audio": "###"}',
        ):
            await socket.send(message)
        kinds = [json.loads(await socket.recv())["type"] for _ in range(5)]
    assert kinds == ["session.created", *["error"] * 4]


async def test_contexts_beyond_the_limit(server: SpeechServer) -> None:
    async with connect(at(server, MULTI)) as socket:
        for number in range(6):
            await socket.send(json.dumps({"text": " ", "context_id": str(number)}))
        assert json.loads(await socket.recv())["error"] == "max_active_conversations"


async def test_it_closes_what_is_open() -> None:
    async with serve_speech() as server:
        socket = await connect(at(server, LISTEN))
        await socket.recv()
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    await server.close()


async def test_faults_may_be_limited_to_the_first_requests(server: SpeechServer) -> None:
    server.faults = FarEndFaults(refuse_status=503, requests=2)
    statuses = []
    async with aiohttp.ClientSession() as client:
        for _ in range(3):
            async with client.post(f"{server.openai_url}/audio/speech", json={}) as response:
                statuses.append(response.status)
    assert statuses == [503, 503, 400]


async def talk(server: SpeechServer, path: str, *messages: object) -> list[Any]:
    """Send messages, close our side when each is answered, and return the answers."""
    async with connect(at(server, path)) as socket:
        answers = [json.loads(await socket.recv())]
        for message in messages:
            await socket.send(json.dumps(message))
            answers.append(json.loads(await socket.recv()))
    return answers


@pytest.mark.parametrize("thresholds", [None, [], "x", 5, {"eot_threshold": 1.0}])
async def test_thresholds_of_any_kind_are_taken(server: SpeechServer, thresholds: object) -> None:
    answers = await talk(server, LISTEN, {"type": "Configure", "thresholds": thresholds})
    assert answers[1]["type"] == "ConfigureSuccess"
    assert answers[1]["thresholds"] == (thresholds if isinstance(thresholds, dict) else {})


async def test_a_turn_that_was_configured_to_end_by_hand_only(server: SpeechServer) -> None:
    configure = {"thresholds": {"eager_eot_threshold": None, "eot_threshold": 1.0}}
    answers = await talk(server, LISTEN, {"type": "Configure"} | configure, {"type": "Mystery"})
    assert answers[2]["code"] == "UNPARSABLE_CLIENT_MESSAGE"


@pytest.mark.parametrize(
    ("audio", "answer"),
    [
        (None, "session.updated"),
        ("x", "session.updated"),
        ({"input": [1]}, "session.updated"),
        ({"input": {"transcription": "whisper", "format": "pcm"}}, "session.updated"),
        ({"input": {"format": {"type": "audio/opus"}}}, "error"),
        ({"input": {"format": {"type": ["audio/pcm"]}}}, "error"),
        ({"input": {"format": {"type": {}}}}, "error"),
    ],
)
async def test_sessions_of_any_kind(server: SpeechServer, audio: object, answer: str) -> None:
    update = {"type": "session.update", "session": {"type": "transcription", "audio": audio}}
    clear = {"type": "input_audio_buffer.clear"}
    kinds = [told["type"] for told in await talk(server, TRANSCRIBE, update, clear)]
    assert kinds == ["session.created", answer, "input_audio_buffer.cleared"]


async def test_audio_that_is_no_base64_is_told_and_the_session_goes_on(
    server: SpeechServer,
) -> None:
    chunk = {"message_type": "input_audio_chunk", "audio_base_64": "a"}
    short = {"message_type": "input_audio_chunk", "audio_base_64": "AAAA", "commit": True}
    kinds = [told["message_type"] for told in await talk(server, SCRIBE, chunk, short)]
    assert kinds == ["session_started", "input_error", "commit_throttled"]


async def test_nothing_to_flush_or_to_interrupt(server: SpeechServer) -> None:
    answers = await talk(server, SPEAK, {"type": "Flush"}, {"type": "Interrupt"})
    assert [told.get("code") for told in answers[1:]] == ["NO_ACTIVE_SPEECH"] * 2
