"""Requests that no SDK makes: the answer is an error object, never a failure of the server."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from telephony.audio.format import L16_8K
from telephony.audio.wav import write_wav
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.speech.far_end_faults import FarEndFaults
from telephony.rehearsal.speech.speech_server import SpeechServer, serve_speech
from telephony.rehearsal.utterance import resampled

PROMPT = shipped_prompts().spoken_by("caller")[0]
WAV = write_wav(resampled(PROMPT, L16_8K), 8000)
SPEECH = {"model": "tts", "voice": "alloy", "input": "Hello", "response_format": "pcm"}


@pytest.fixture(name="server")
async def _server() -> AsyncIterator[SpeechServer]:
    async with serve_speech() as server:
        yield server


async def post(server: SpeechServer, path: str, **request: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{server.openai_url}/{path}", **request) as got,
    ):
        body = await got.read()
        return got.status, await got.json() if got.content_type == "application/json" else body


async def refused(server: SpeechServer, path: str, **request: Any) -> str:
    status, answer = await post(server, path, **request)
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"
    return str(answer["error"]["code"])


def form(file: bytes | None = WAV, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(fields, default_to_multipart=True)
    if file is not None:
        data.add_field("file", file, filename="a.wav")
    return data


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "[" * 100_000],
)
async def test_bodies_that_are_no_object(server: SpeechServer, body: str) -> None:
    for path in ("audio/speech", "chat/completions"):
        assert await refused(server, path, data=body) == "invalid_body"


async def test_a_body_in_no_charset(server: SpeechServer) -> None:
    headers = {"Content-Type": "application/json; charset=no-such"}
    assert await refused(server, "audio/speech", data="{}", headers=headers) == "invalid_body"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"input": ""}, "invalid_input"),
        ({"input": "x" * 4097}, "invalid_input"),
        ({"input": 5}, "invalid_input"),
        ({"voice": ""}, "missing_parameter"),
        ({"model": None}, "missing_parameter"),
        ({"response_format": "mp3"}, "unsupported_format"),
    ],
)
async def test_speech_that_is_not_made(
    server: SpeechServer, changes: dict[str, Any], code: str
) -> None:
    assert await refused(server, "audio/speech", json=SPEECH | changes) == code
    assert list(server.texts_said) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (form(), "missing_model"),
        (form(None, model="whisper-1"), "missing_file"),
        (form(b"no WAV", model="whisper-1"), "invalid_file"),
        (form(model="whisper-1", response_format="srt"), "unsupported_format"),
        ({"model": "whisper-1"}, "invalid_body"),
    ],
)
async def test_transcriptions_that_are_refused(server: SpeechServer, data: Any, code: str) -> None:
    assert await refused(server, "audio/transcriptions", data=data) == code


async def test_forms_of_transcriptions(server: SpeechServer) -> None:
    path = "audio/transcriptions"
    status, text = await post(server, path, data=form(model="m", response_format="text"))
    assert (status, text) == (200, f"{PROMPT.text}\n".encode())
    status, answer = await post(server, path, data=form(model="m", response_format="verbose_json"))
    assert status == 200
    assert answer["segments"][0]["text"] == answer["text"] == PROMPT.text
    assert answer["duration"] == pytest.approx(len(WAV) / 16000, rel=0.01)


def audio(data: object, form: object = "wav") -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"type": "input_audio"}, "unsupported_format"),
        (audio("", "mp3"), "unsupported_format"),
        (audio("no base64!"), "invalid_value"),
        (audio(None), "invalid_file"),
        (audio(base64.b64encode(b"no WAV").decode()), "invalid_file"),
    ],
)
async def test_audio_that_cannot_be_read(
    server: SpeechServer, part: dict[str, Any], code: str
) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    assert await refused(server, "chat/completions", json=body) == code


@pytest.mark.parametrize("body", [{"messages": []}, {"model": "m", "messages": "x"}])
async def test_completions_of_nothing(server: SpeechServer, body: dict[str, Any]) -> None:
    assert await refused(server, "chat/completions", json=body) == "missing_parameter"


async def test_what_is_in_messages_beside_text_and_audio_is_passed_over(
    server: SpeechServer,
) -> None:
    messages = [7, {"role": "user"}, {"content": ["x", {"type": "image_url"}]}, {"content": "end"}]
    status, answer = await post(
        server, "chat/completions", json={"model": "m", "messages": messages}
    )
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "Summary: end")


async def test_a_stream_that_is_dropped(server: SpeechServer) -> None:
    server.faults = FarEndFaults.model_validate({"drop_after_messages": 1})
    with pytest.raises(aiohttp.ClientPayloadError):
        await post(server, "audio/speech", json=SPEECH)


async def test_garbage_in_a_stream_of_events_only(server: SpeechServer) -> None:
    server.faults = FarEndFaults.model_validate({"garbage": 2})
    _, events = await post(server, "audio/speech", json=SPEECH | {"stream_format": "sse"})
    assert events.startswith(b"data: {no json\n\n" * 2)
    _, pcm16 = await post(server, "audio/speech", json=SPEECH)
    assert b"no json" not in pcm16
