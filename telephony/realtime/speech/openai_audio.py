"""OpenAI's HTTP audio API, which local servers speak as well: transcriptions and speech.

``POST /audio/transcriptions`` takes a file in a form; with ``stream`` it answers in server-sent
events, and models (and servers) that know no streaming answer with one JSON object all the same.
``POST /audio/speech`` answers with the audio as it is made; ``pcm`` is 16 bits, 24 kHz, mono.
OpenAI's own ``/audio/speech`` ends on 2027-01-06; as a protocol of local servers it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from telephony.audio.format import L16_24K
from telephony.base.speech import SpeechFailure
from telephony.realtime.openai_errors import is_hopeless
from telephony.realtime.speech.event_stream import EventStream
from telephony.realtime.speech.queries import Texts
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.wire import JsonObject, object_of, parse_object, text_of

MAX_INPUT_CHARACTERS = 4096
SPEECH_FORMAT = L16_24K

_HOPELESS_STATUSES = frozenset({400, 401, 402, 403, 404, 413, 415, 422})
_MAX_REASON = 300


class TranscriptionsConfig(StrictModel):
    """``min_level_dbfs``: a turn in which nothing is so loud is not sent at all."""

    api_key: str = Field("", repr=False)
    base_url: str = "https://api.openai.com/v1"
    model: str = "gpt-transcribe"
    language: str | None = None
    prompt: str | None = None
    keywords: Texts = ()
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    stream: bool = True
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 15.0
    max_turn_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    min_level_dbfs: Annotated[float, Field(ge=-96, le=0)] = -55.0


class SpeechConfig(StrictModel):
    """``sample_rate_hz`` is that of the server's ``pcm``, where it is not OpenAI's 24 kHz."""

    api_key: str = Field("", repr=False)
    base_url: str = "https://api.openai.com/v1"
    model: str = "gpt-4o-mini-tts"
    voice: str = "marin"
    instructions: str | None = None
    speed: Annotated[float, Field(ge=0.25, le=4.0)] | None = None
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    sample_rate_hz: Annotated[int, Field(ge=8000, le=48000)] = 24000
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0


def request_headers(api_key: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request; without a key (a local server) no authorization."""
    headers = dict(more)
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    return headers


def transcription_fields(config: TranscriptionsConfig) -> list[tuple[str, str]]:
    """Return the fields of the form, the file aside."""
    fields = [("model", config.model), ("response_format", "json")]
    if config.stream:
        fields.append(("stream", "true"))
    if config.language is not None:
        fields.append(("language", config.language))
    if config.prompt is not None:
        fields.append(("prompt", config.prompt))
    return fields + [("keywords[]", keyword) for keyword in config.keywords]


def speech_body(config: SpeechConfig, text: str) -> JsonObject:
    """Return the body of a request for speech in raw PCM."""
    body: JsonObject = {
        "model": config.model,
        "input": text[:MAX_INPUT_CHARACTERS],
        "voice": config.voice,
        "response_format": "pcm",
        "stream_format": "audio",
    }
    for name in ("instructions", "speed"):
        if (value := getattr(config, name)) is not None:
            body[name] = value
    return body


@dataclass(frozen=True, slots=True)
class TranscriptionText:
    """``text`` is that of the whole turn so far, or of the whole turn."""

    text: str
    is_final: bool


class TranscriptionReader:
    """Reads the response to a request for a transcription, streamed or not."""

    def __init__(self, *, streamed: bool) -> None:
        self._stream = EventStream() if streamed else None
        self._body = b""
        self._text = ""
        self.malformed = 0

    def receive(self, chunk: bytes) -> list[TranscriptionText | SpeechFailure]:
        """Return what is known after ``chunk``."""
        if self._stream is None:
            self._body += chunk
            return []
        return self._read(self._stream.receive(chunk))

    def finish(self) -> list[TranscriptionText | SpeechFailure]:
        """Return what is known at the end of the response."""
        if self._stream is not None:
            return self._read(self._stream.finish())
        answer = parse_object(self._body)
        if answer is None or not isinstance(answer.get("text"), str):
            self.malformed += 1
            return [SpeechFailure("bad_answer", "the answer holds no text", False, True)]
        return [TranscriptionText(text_of(answer, "text").strip(), True)]

    def _read(self, events: list[bytes]) -> list[TranscriptionText | SpeechFailure]:
        texts: list[TranscriptionText | SpeechFailure] = []
        for data in events:
            if data == b"[DONE]":
                continue
            event = parse_object(data)
            if event is None:
                self.malformed += 1
                continue
            kind = text_of(event, "type")
            if kind == "transcript.text.delta":
                self._text += text_of(event, "delta")
                texts.append(TranscriptionText(self._text.strip(), False))
            elif kind == "transcript.text.done":
                texts.append(TranscriptionText(text_of(event, "text").strip(), True))
            elif kind == "error" or "error" in event:
                texts.append(failure_of(0, data))
        return texts


def failure_of(status: int, body: bytes) -> SpeechFailure:
    """Return what a refusal means; ``status`` 0 is an error in the middle of an answer.

    A refused turn or piece is not the end of the session, unless the next one must be refused too.
    """
    answer = parse_object(body) or {}
    error = object_of(answer, "error") or answer
    code = text_of(error, "code") or text_of(error, "type") or f"http_{status}"
    reason = text_of(error, "message") or body[:_MAX_REASON].decode("utf-8", "replace").strip()
    hopeless = status in (401, 402, 403, 404) or is_hopeless(code)
    retryable = not hopeless and status not in _HOPELESS_STATUSES
    message = f"HTTP {status}: {reason}" if status else reason
    return SpeechFailure(code, message[:_MAX_REASON], hopeless, retryable)
