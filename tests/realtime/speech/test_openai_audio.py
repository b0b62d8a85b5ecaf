from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.base.speech import SpeechFailure
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


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def test_requests() -> None:
    config = TranscriptionsConfig.model_validate({"language": "en", "keywords": ["a", "b"]})
    assert transcription_fields(config) == [
        ("model", "gpt-transcribe"),
        ("response_format", "json"),
        ("stream", "true"),
        ("language", "en"),
        ("keywords[]", "a"),
        ("keywords[]", "b"),
    ]
    speech = SpeechConfig.model_validate({"speed": 1.5})
    body = speech_body(speech, "x" * 5000)
    assert len(body["input"]) == 4096
    assert (body["response_format"], body["speed"]) == ("pcm", 1.5)
    assert request_headers("k", {"X-A": "b"}) == {"X-A": "b", "Authorization": "Bearer k"}
    assert request_headers("", {}) == {}


def test_a_stream() -> None:
    reader = TranscriptionReader(streamed=True)
    stream = (
        event(type="transcript.text.delta", delta="Hel")
        + event(type="transcript.text.delta", delta="lo.")
        + event(type="new.event")
        + b"data: {\n\n"
        + event(type="transcript.text.done", text="Hello.")
        + b"data: [DONE]\n\n"
    )
    assert reader.receive(stream) == [
        TranscriptionText("Hel", False),
        TranscriptionText("Hello.", False),
        TranscriptionText("Hello.", True),
    ]
    assert reader.finish() == []
    assert reader.malformed == 1


def test_an_error_in_the_stream() -> None:
    reader = TranscriptionReader(streamed=True)
    (failure,) = reader.receive(event(type="error", error={"code": "busy", "message": "later"}))
    assert failure == SpeechFailure("busy", "later", False, True)


def test_one_object() -> None:
    reader = TranscriptionReader(streamed=False)
    assert reader.receive(b'{"text": " Hel') == []
    assert reader.receive(b'lo. "}') == []
    assert reader.finish() == [TranscriptionText("Hello.", True)]
    broken = TranscriptionReader(streamed=False)
    broken.receive(b"<html>")
    assert broken.finish() == [SpeechFailure("bad_answer", "the answer holds no text", False, True)]


@pytest.mark.parametrize(
    ("status", "fatal", "retryable"),
    [
        (401, True, False),
        (404, True, False),
        (400, False, False),
        (429, False, True),
        (503, False, True),
    ],
)
def test_refusals(status: int, fatal: bool, retryable: bool) -> None:
    failure = failure_of(status, b'{"error": {"code": "x", "message": "why"}}')
    assert failure == SpeechFailure("x", f"HTTP {status}: why", fatal, retryable)


def test_a_refusal_without_sense() -> None:
    failure = failure_of(500, b"\xff" * 1000)
    assert failure.code == "http_500"
    assert len(failure.message) <= 300
    quota = failure_of(429, b'{"error": {"code": "insufficient_quota", "message": "m"}}')
    assert (quota.fatal, quota.retryable) == (True, False)
