"""Speech services over HTTP: transcriptions and speech as OpenAI and local servers have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import aiohttp

from telephony.audio.wav import write_wav
from telephony.base.speech import SpeechFailure
from telephony.net.speech.piece_synthesizer import VoiceAudio
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.realtime.speech.openai_audio import (
    SpeechConfig,
    TranscriptionReader,
    TranscriptionsConfig,
    TranscriptionText,
    failure_of,
    request_headers,
    speech_body,
    transcription_fields,
)
from telephony.realtime.speech.queries import http_url
from telephony.realtime.speech.turn_audio import TurnAudio

_CHUNK_BYTES = 16 * 1024
_MAX_REFUSAL_BYTES = 64 * 1024
# A server keeps an idle connection for a while; a new one costs two round trips more.
_KEEP_ALIVE_S = 60.0


def open_client(timeout_s: float) -> aiohttp.ClientSession:
    """Return a client of one session; a request ends within ``timeout_s`` of silence.

    Nothing is stored: no cookies, and no proxy or password from the environment.
    """
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s),
        connector=aiohttp.TCPConnector(limit=4, keepalive_timeout=_KEEP_ALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def refuse_unless_ok(response: aiohttp.ClientResponse) -> None:
    """Raise SpeechError with the server's reason for any status but 200."""
    if response.status != 200:
        body = await response.content.read(_MAX_REFUSAL_BYTES)
        raise SpeechError(failure_of(response.status, body))


def unreachable(error: BaseException) -> SpeechError:
    """Return the error of a request that got no answer."""
    reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
    return SpeechError(SpeechFailure("unreachable", reason or type(error).__name__, False, True))


class HttpRecogniser:
    """``POST /audio/transcriptions``, one request a turn."""

    def __init__(self, config: TranscriptionsConfig) -> None:
        self._config = config
        self._client = open_client(config.timeout_s)
        self._url = http_url(config.base_url, ("audio", "transcriptions"))
        self._headers = request_headers(config.api_key, config.headers)

    async def recognise(self, turn: TurnAudio, on_partial: Callable[[str], None]) -> str:
        form = aiohttp.FormData(transcription_fields(self._config))
        wav = write_wav(turn.pcm16, turn.sample_rate_hz)
        form.add_field("file", wav, filename="turn.wav", content_type="audio/wav")
        try:
            async with (
                asyncio.timeout(self._config.timeout_s),
                self._client.post(self._url, data=form, headers=self._headers) as response,
            ):
                await refuse_unless_ok(response)
                return await self._read(response, on_partial)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise unreachable(error) from error

    async def _read(
        self, response: aiohttp.ClientResponse, on_partial: Callable[[str], None]
    ) -> str:
        reader = TranscriptionReader(streamed=response.content_type == "text/event-stream")
        text = ""
        async for item in _through(response, reader):
            if isinstance(item, SpeechFailure):
                raise SpeechError(item)
            text = item.text
            if item.is_final:
                return text
            on_partial(text)
        return text

    async def close(self) -> None:
        await self._client.close()


async def _through(
    response: aiohttp.ClientResponse, reader: TranscriptionReader
) -> AsyncIterator[TranscriptionText | SpeechFailure]:
    async for chunk in response.content.iter_any():
        for item in reader.receive(chunk):
            yield item
    for item in reader.finish():
        yield item


class HttpVoice:
    """``POST /audio/speech``, one request a piece."""

    def __init__(self, config: SpeechConfig) -> None:
        self._config = config
        self._client = open_client(config.timeout_s)
        self._url = http_url(config.base_url, ("audio", "speech"))
        self._headers = request_headers(config.api_key, config.headers)

    async def say(self, text: str) -> AsyncGenerator[VoiceAudio, None]:
        body = speech_body(self._config, text)
        rate_hz = self._config.sample_rate_hz
        try:
            async with self._client.post(self._url, json=body, headers=self._headers) as response:
                await refuse_unless_ok(response)
                if response.content_type in ("application/json", "text/html"):
                    failure = SpeechFailure("bad_answer", "the answer is no audio", False, True)
                    raise SpeechError(failure)
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    yield VoiceAudio(chunk, rate_hz)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise unreachable(error) from error

    async def close(self) -> None:
        await self._client.close()
