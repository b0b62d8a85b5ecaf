"""OpenAI's HTTP audio API: transcriptions, speech, and Chat Completions that take audio."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from typing import Any

from aiohttp import web

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_24K, AudioFormat
from telephony.audio.wav import read_wav, write_wav
from telephony.rehearsal.speech.far_end import SpeechHost
from telephony.rehearsal.speech.far_end_faults import FarEndFaults

_MAX_INPUT = 4096
_CHUNK_MS = 100
_SUMMARY_WORDS = 12


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The request is answered with an error object."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)

    def response(self) -> web.Response:
        error = {
            "message": str(self),
            "type": "invalid_request_error" if self.status < 500 else "server_error",
            "param": None,
            "code": self.code,
        }
        return web.json_response({"error": error}, status=self.status)


class HttpEnd:
    """Answers requests; ``faults`` are those of this one."""

    def __init__(self, host: SpeechHost) -> None:
        self._host = host

    # Transcriptions

    async def transcribe(self, request: web.Request, faults: FarEndFaults) -> web.StreamResponse:
        fields, audio = await _form(request)
        if not fields.get("model"):
            raise Refused(400, "missing_model", "you must provide a model parameter")
        pcm16, seconds = _pcm_of(audio)
        text = await self._recognised(pcm16)
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        form = fields.get("response_format", "json")
        if fields.get("stream") == "true":
            return await _stream(request, _transcript_events(text, usage), faults)
        if form == "text":
            return web.Response(text=f"{text}\n")
        answer: dict[str, Any] = {"text": text, "usage": usage}
        if form == "verbose_json":
            segment = {"id": 0, "start": 0.0, "end": seconds, "text": text}
            answer |= {"task": "transcribe", "language": "english", "duration": seconds}
            answer["segments"] = [segment] if text else []
        elif form != "json":
            raise Refused(400, "unsupported_format", f"there is no response_format {form!r}")
        return web.json_response(answer)

    async def _recognised(self, pcm16: bytes) -> str:
        text = await self._host.recognise(pcm16)
        if text:
            self._host.heard(text)
        return text

    # Speech

    async def speak(self, request: web.Request, faults: FarEndFaults) -> web.StreamResponse:
        body = await _json(request)
        text, form = body.get("input"), body.get("response_format", "mp3")
        if not isinstance(text, str) or not text or len(text) > _MAX_INPUT:
            raise Refused(400, "invalid_input", f"input must be 1 to {_MAX_INPUT} characters")
        if not body.get("model") or not body.get("voice"):
            raise Refused(400, "missing_parameter", "model and voice are required")
        if form not in ("pcm", "wav"):
            raise Refused(400, "unsupported_format", "the rehearsal makes pcm and wav only")
        self._host.said(text)
        pcm16 = self._host.mouth.say(text, L16_24K).audio
        if form == "wav":
            pcm16 = write_wav(pcm16, L16_24K.sample_rate_hz)
        size = L16_24K.frame_bytes(_CHUNK_MS)
        chunks = [pcm16[at : at + size] for at in range(0, len(pcm16), size)]
        if body.get("stream_format") == "sse":
            return await _stream(request, _speech_events(chunks, len(text)), faults)
        return await _stream(request, chunks, faults, content_type="audio/pcm")

    # Chat Completions

    async def complete(self, request: web.Request, faults: FarEndFaults) -> web.StreamResponse:
        """What is in the audio parts is the answer; without one, the last text is summed up."""
        body = await _json(request)
        if not body.get("model") or not isinstance(body.get("messages"), list):
            raise Refused(400, "missing_parameter", "model and messages are required")
        text = await self._answer(body["messages"])
        common = {
            "id": f"chatcmpl-{self._host.ids.token(10)}",
            "created": int(time.time()),
            "model": body["model"],
        }
        if body.get("stream"):
            return await _stream(request, _completion_events(common, text), faults)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return web.json_response(
            {**common, "object": "chat.completion", "choices": [choice], "usage": usage}
        )

    async def _answer(self, messages: list[Any]) -> str:
        last_text = ""
        heard: list[str] = []
        audio = False
        for part in _parts(messages):
            if part.get("type") == "input_audio":
                audio = True
                pcm16 = _audio_part(part.get("input_audio"))
                if text := await self._recognised(pcm16):
                    heard.append(text)
            elif isinstance(part.get("text"), str):
                last_text = part["text"]
        if audio:
            return " ".join(heard)
        return "Summary: " + " ".join(last_text.split()[-_SUMMARY_WORDS:])


def _parts(messages: list[Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            parts.append({"type": "text", "text": content})
        elif isinstance(content, list):
            parts.extend(part for part in content if isinstance(part, dict))
    return parts


def _audio_part(audio: Any) -> bytes:
    if not isinstance(audio, dict) or audio.get("format") != "wav":
        raise Refused(400, "unsupported_format", "the rehearsal reads wav only")
    try:
        return _pcm_of(binascii.a2b_base64(str(audio.get("data")), strict_mode=True))[0]
    except binascii.Error:
        raise Refused(400, "invalid_value", "data is not base64") from None


def _pcm_of(file: bytes) -> tuple[bytes, float]:
    """Return a WAV file at 8 kHz, and its seconds."""
    try:
        wav = read_wav(file)
    except ValueError as error:
        raise Refused(400, "invalid_file", f"the file could not be read: {error}") from None
    converter = Converter(AudioFormat("l16", wav.sample_rate_hz), L16_8K)
    pcm16 = converter.convert(wav.pcm16) + converter.flush()
    return pcm16, wav.duration_ms / 1000


async def _form(request: web.Request) -> tuple[dict[str, str], bytes]:
    if not request.content_type.startswith("multipart/"):
        raise Refused(400, "invalid_body", "expected multipart/form-data")
    form = await request.post()
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    file = form.get("file")
    if not isinstance(file, web.FileField):
        raise Refused(400, "missing_file", "file is required")
    return fields, file.file.read()


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (ValueError, LookupError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "invalid_body", "expected a JSON object")
    return body


def _event(data: dict[str, Any]) -> bytes:
    return f"event: {data.get('type', 'message')}\ndata: {json.dumps(data)}\n\n".encode()


def _transcript_events(text: str, usage: dict[str, Any]) -> list[bytes]:
    words = text.split(" ") if text else []
    deltas = [word if at == 0 else f" {word}" for at, word in enumerate(words)]
    events = [_event({"type": "transcript.text.delta", "delta": delta}) for delta in deltas]
    return [*events, _event({"type": "transcript.text.done", "text": text, "usage": usage})]


def _speech_events(chunks: list[bytes], characters: int) -> list[bytes]:
    usage = {"input_tokens": characters, "output_tokens": 0, "total_tokens": characters}
    events = [
        _event({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()})
        for chunk in chunks
    ]
    return [*events, _event({"type": "speech.audio.done", "usage": usage})]


def _completion_events(common: dict[str, Any], text: str) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in text.split(" ")]
    events = []
    for at, delta in enumerate([*deltas, {}]):
        reason = "stop" if at == len(deltas) else None
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {**common, "object": "chat.completion.chunk", "choices": [choice]}
        events.append(f"data: {json.dumps(chunk)}\n\n".encode())
    return [*events, b"data: [DONE]\n\n"]


async def _stream(
    request: web.Request,
    chunks: list[bytes],
    faults: FarEndFaults,
    content_type: str = "text/event-stream",
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.enable_chunked_encoding()
    await response.prepare(request)
    for number, chunk in enumerate(_with_garbage(chunks, faults, content_type)):
        if faults.drop_after_messages is not None and number >= faults.drop_after_messages:
            if request.transport is not None:
                request.transport.abort()
            return response
        await response.write(chunk)
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def _with_garbage(chunks: list[bytes], faults: FarEndFaults, content_type: str) -> list[bytes]:
    if content_type != "text/event-stream":
        return chunks
    return [b"data: {no json\n\n"] * faults.garbage + chunks
