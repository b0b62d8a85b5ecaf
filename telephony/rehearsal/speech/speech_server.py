"""The rehearsal speech server: Deepgram, ElevenLabs and OpenAI audio on a port of this machine.

    async with serve_speech() as server:
        client = AsyncOpenAI(api_key="any", base_url=server.openai_url)

No key and no internet are needed. ``server.texts_heard`` and ``server.texts_said`` are what went
through it.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from multidict import MultiMapping

from telephony.base.ids import Ids
from telephony.rehearsal.ears import Ears
from telephony.rehearsal.ears_thread import EarsThread
from telephony.rehearsal.prompt_library import PromptLibrary, shipped_prompts
from telephony.rehearsal.serving import Serving, origin
from telephony.rehearsal.speech import (
    deepgram_listen_end,
    deepgram_speak_end,
    elevenlabs_listen_end,
    elevenlabs_speak_end,
)
from telephony.rehearsal.speech.deepgram_listen_end import ListenEnd
from telephony.rehearsal.speech.deepgram_speak_end import SpeakEnd
from telephony.rehearsal.speech.elevenlabs_listen_end import RealtimeListenEnd
from telephony.rehearsal.speech.elevenlabs_speak_end import MultiStreamInputEnd, StreamInputEnd
from telephony.rehearsal.speech.far_end import (
    MAX_MESSAGE_BYTES,
    Dropped,
    FarEnd,
    format_of,
)
from telephony.rehearsal.speech.far_end_faults import NO_FAULTS, FarEndFaults
from telephony.rehearsal.speech.openai_http_end import HttpEnd, Refused
from telephony.rehearsal.speech.openai_transcription_end import TranscriptionEnd
from telephony.rehearsal.speech.spoken_text import Mouth

_REMEMBERED_TEXTS = 512
_CLOSE_GRACE_S = 0.2
_MAX_BODY_BYTES = 32 * 1024 * 1024

RunEnd = Callable[[FarEnd, MultiMapping[str]], Awaitable[None]]
AnswerRequest = Callable[[web.Request, FarEndFaults], Awaitable[web.StreamResponse]]
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SpeechServer:
    """Answers until :meth:`close`; ``faults`` may be replaced at any time."""

    def __init__(self, api_key: str | None, prompts: PromptLibrary, ids: Ids) -> None:
        self.api_key = api_key
        self.faults = NO_FAULTS
        self.mouth = Mouth(prompts)
        self.ids = ids
        self.texts_heard: deque[str] = deque(maxlen=_REMEMBERED_TEXTS)
        self.texts_said: deque[str] = deque(maxlen=_REMEMBERED_TEXTS)
        self.requests = 0
        self.host, self.port = "", 0
        self._ears = EarsThread(partial(_ears_for, prompts))
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.add_routes(self._routes())
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=_CLOSE_GRACE_S
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.host, self.port = self._runner.addresses[0][:2]

    @property
    def url(self) -> str:
        """The base of Deepgram's and ElevenLabs' paths, with http for ws."""
        return origin(self.host, self.port)

    @property
    def openai_url(self) -> str:
        """What an OpenAI client takes as its ``base_url``."""
        return f"{self.url}/v1"

    async def close(self) -> None:
        """End every connection and stop listening. Twice is harmless."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for socket in list(self._sockets):
            await socket.close(code=1001, message=b"The rehearsal is over.")
        await runner.cleanup()
        self._ears.close()

    # What far ends ask for

    async def recognise(self, pcm16: bytes) -> str:
        recognised = await self._ears.listen(pcm16)
        return recognised.text or ""

    def heard(self, text: str) -> None:
        self.texts_heard.append(text)

    def said(self, text: str) -> None:
        self.texts_said.append(text)

    # Routes

    def _routes(self) -> list[web.RouteDef]:
        http = HttpEnd(self)
        speech = "/v1/text-to-speech/{voice}"
        return [
            web.get("/v2/listen", self._deepgram_listen),
            web.get("/v2/speak", self._deepgram_speak),
            web.get("/v1/speech-to-text/realtime", self._elevenlabs_listen),
            web.get(f"{speech}/stream-input", self._stream_input),
            web.get(f"{speech}/multi-stream-input", self._multi_stream_input),
            web.get("/v1/realtime", self._transcription),
            web.post("/v1/audio/transcriptions", self._answering(http.transcribe)),
            web.post("/v1/audio/speech", self._answering(http.speak)),
            web.post("/v1/chat/completions", self._answering(http.complete)),
        ]

    async def _deepgram_listen(self, request: web.Request) -> web.StreamResponse:
        async def run(end: FarEnd, query: MultiMapping[str]) -> None:
            audio_format = format_of(query.get("encoding", ""), query.get("sample_rate", ""))
            assert audio_format is not None
            await ListenEnd(end, self, audio_format, query).run()

        reason = deepgram_listen_end.refusal(request.query) or _no_format(request.query)
        return await self._connect(request, _deepgram_refusal, reason, run)

    async def _deepgram_speak(self, request: web.Request) -> web.StreamResponse:
        async def run(end: FarEnd, query: MultiMapping[str]) -> None:
            encoding = query.get("encoding", "linear16")
            audio_format = format_of(encoding, query.get("sample_rate", "24000"))
            assert audio_format is not None
            await SpeakEnd(end, self, audio_format, query).run()

        reason = deepgram_speak_end.refusal(request.query)
        if "encoding" in request.query:
            reason = reason or _no_format(request.query)
        return await self._connect(request, _deepgram_refusal, reason, run)

    async def _elevenlabs_listen(self, request: web.Request) -> web.StreamResponse:
        async def run(end: FarEnd, query: MultiMapping[str]) -> None:
            await RealtimeListenEnd(end, self, query).run()

        reason = elevenlabs_listen_end.refusal(request.query)
        return await self._connect(request, _elevenlabs_refusal, reason, run)

    async def _stream_input(self, request: web.Request) -> web.StreamResponse:
        async def run(end: FarEnd, query: MultiMapping[str]) -> None:
            await StreamInputEnd(end, self, query).run()

        reason = elevenlabs_speak_end.refusal(request.query)
        return await self._connect(request, _elevenlabs_refusal, reason, run)

    async def _multi_stream_input(self, request: web.Request) -> web.StreamResponse:
        async def run(end: FarEnd, query: MultiMapping[str]) -> None:
            await MultiStreamInputEnd(end, self, query).run()

        reason = elevenlabs_speak_end.refusal(request.query)
        return await self._connect(request, _elevenlabs_refusal, reason, run)

    async def _transcription(self, request: web.Request) -> web.StreamResponse:
        async def run(end: FarEnd, query: MultiMapping[str]) -> None:
            await TranscriptionEnd(end, self).run()

        transcribes = request.query.get("intent") == "transcription"
        reason = "" if transcribes else "only intent=transcription is spoken here"
        return await self._connect(request, _openai_refusal, reason, run)

    # Requests

    def _next_faults(self) -> FarEndFaults:
        self.requests += 1
        faults = self.faults
        if faults.requests is not None and self.requests > faults.requests:
            return NO_FAULTS
        return faults

    async def _connect(
        self,
        request: web.Request,
        refuse: Callable[[int, str], web.Response],
        reason: str,
        run: RunEnd,
    ) -> web.StreamResponse:
        faults = self._next_faults()
        if faults.refuse_status is not None:
            return refuse(faults.refuse_status, "the rehearsal scenario refuses this")
        if not self._has_key(request):
            return refuse(401, "invalid credentials")
        if reason:
            return refuse(400, reason)
        socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await run(FarEnd(socket, faults), request.query)
        except* (Dropped, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._sockets.discard(socket)
        return socket

    def _answering(self, answer: AnswerRequest) -> Respond:
        async def respond(request: web.Request) -> web.StreamResponse:
            faults = self._next_faults()
            if faults.slow_ms:
                await asyncio.sleep(faults.slow_ms / 1000)
            if faults.mute:
                await asyncio.Event().wait()
            if faults.refuse_status is not None:
                return _openai_refusal(faults.refuse_status, "the rehearsal scenario refuses this")
            if not self._has_key(request):
                return _openai_refusal(401, "Incorrect API key provided.")
            try:
                return await answer(request, faults)
            except Refused as refused:
                return refused.response()

        return respond

    def _has_key(self, request: web.Request) -> bool:
        if self.api_key is None:
            return True
        given = request.headers.get("xi-api-key", "")
        if not given:
            given = request.headers.get("Authorization", "").partition(" ")[2]
        return hmac.compare_digest(given.encode(), self.api_key.encode())


def _ears_for(prompts: PromptLibrary) -> Ears:
    return Ears([*prompts.spoken_by("caller"), *prompts.spoken_by("model")])


def _no_format(query: MultiMapping[str]) -> str:
    known = format_of(query.get("encoding", ""), query.get("sample_rate", "")) is not None
    return "" if known else "encoding and sample_rate must be ones the rehearsal knows"


def _deepgram_refusal(status: int, reason: str) -> web.Response:
    names = {401: "INVALID_AUTH", 429: "TOO_MANY_REQUESTS"}
    body = {"err_code": names.get(status, "Bad Request"), "err_msg": reason}
    return web.json_response(body, status=status)


def _elevenlabs_refusal(status: int, reason: str) -> web.Response:
    names = {401: "invalid_api_key", 429: "too_many_concurrent_requests"}
    detail = {"status": names.get(status, "invalid_request"), "message": reason}
    return web.json_response({"detail": detail}, status=status)


def _openai_refusal(status: int, reason: str) -> web.Response:
    names = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    return Refused(status, names.get(status, "server_error"), reason).response()


def serve_speech(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    api_key: str | None = None,
    prompts: PromptLibrary | None = None,
    ids: Ids | None = None,
) -> Serving[SpeechServer]:
    """``async with serve_speech(...) as server``; ``api_key`` None accepts any key and none."""
    server = SpeechServer(api_key, prompts or shipped_prompts(), ids or Ids(os.urandom))
    return Serving(server, partial(server.start, host, port))
