"""Pieces of recordings to text, and text to summaries, by an OpenAI-compatible server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Annotated, Any, Literal

import aiohttp
from pydantic import Field

from telephony.audio.wav import write_wav
from telephony.base.speech import SpeechFailure
from telephony.net.speech.http_speech import open_client, refuse_unless_ok, unreachable
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.realtime.speech.chat_audio import answer_text, summary_body, transcription_body
from telephony.realtime.speech.openai_audio import (
    TranscriptionReader,
    TranscriptionsConfig,
    TranscriptionText,
    request_headers,
    transcription_fields,
)
from telephony.realtime.speech.queries import http_url
from telephony.realtime.strict_model import StrictModel

DEFAULT_MODELS = {"transcriptions": "gpt-transcribe", "chat": "gpt-audio-1.5"}
_TRIES = 3
_RETRY_S = 2.0


class FileTranscriberConfig(StrictModel):
    """``via``: ``/audio/transcriptions``, or Chat Completions with audio."""

    via: Literal["transcriptions", "chat"] = "transcriptions"
    api_key: str = Field("", repr=False)
    base_url: str = "https://api.openai.com/v1"
    model: str | None = None
    language: str | None = None
    summary_model: str = "gpt-5.4-mini"
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0

    @property
    def used_model(self) -> str:
        return self.model or DEFAULT_MODELS[self.via]


class FileTranscriber:
    """An async context; what may do better another time is tried three times."""

    def __init__(self, config: FileTranscriberConfig, retry_s: float = _RETRY_S) -> None:
        self._config = config
        self._retry_s = retry_s
        self._headers = request_headers(config.api_key, {})
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> FileTranscriber:
        self._client = open_client(self._config.timeout_s)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def transcribe(self, pcm16: bytes, sample_rate_hz: int) -> str:
        """Return what is said; raises SpeechError."""
        wav = write_wav(pcm16, sample_rate_hz)
        config = self._config
        if config.via == "chat":
            return await self._complete(transcription_body(config.used_model, wav, config.language))
        asked = TranscriptionsConfig.model_validate(
            {"model": config.used_model, "language": config.language, "stream": False}
        )

        def form() -> aiohttp.FormData:
            # Made anew for each try: a form is sent once.
            data = aiohttp.FormData(transcription_fields(asked))
            data.add_field("file", wav, filename="piece.wav", content_type="audio/wav")
            return data

        body = await self._post(("audio", "transcriptions"), lambda: {"data": form()})
        reader = TranscriptionReader(streamed=False)
        reader.receive(body)
        for item in reader.finish():
            if isinstance(item, TranscriptionText):
                return item.text
            raise SpeechError(item)
        return ""

    async def summarise(self, dialogue: str) -> str:
        """Return a summary; raises SpeechError."""
        return await self._complete(summary_body(self._config.summary_model, dialogue))

    async def _complete(self, body: Mapping[str, Any]) -> str:
        answer = await self._post(("chat", "completions"), lambda: {"json": body})
        text = answer_text(answer)
        if text is None:
            failure = SpeechFailure("bad_answer", "the answer is no completion", False, True)
            raise SpeechError(failure)
        return text

    async def _post(self, path: tuple[str, ...], content: Any) -> bytes:
        for left in reversed(range(_TRIES)):
            try:
                return await self._post_once(path, content())
            except SpeechError as error:
                if not left or not error.failure.retryable:
                    raise
                await asyncio.sleep(self._retry_s)
        raise AssertionError

    async def _post_once(self, path: tuple[str, ...], content: Mapping[str, Any]) -> bytes:
        assert self._client is not None
        url = http_url(self._config.base_url, path)
        try:
            async with (
                asyncio.timeout(self._config.timeout_s),
                self._client.post(url, headers=self._headers, **content) as response,
            ):
                await refuse_unless_ok(response)
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise unreachable(error) from error
