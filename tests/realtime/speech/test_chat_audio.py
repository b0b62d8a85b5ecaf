from __future__ import annotations

import base64

import pytest

from telephony.realtime.speech.chat_audio import answer_text, summary_body, transcription_body


def test_requests() -> None:
    body = transcription_body("gpt-audio-1.5", b"RIFF", "de")
    text, audio = body["messages"][0]["content"]
    assert "language is de" in text["text"]
    assert audio["input_audio"] == {"data": base64.b64encode(b"RIFF").decode(), "format": "wav"}
    summary = summary_body("m", "caller: Hello.")
    assert summary["messages"][-1] == {"role": "user", "content": "caller: Hello."}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"choices":[{"message":{"content":" Hello. "}}]}', "Hello."),
        (b'{"choices":[{"message":{"content":null}}]}', ""),
        (b'{"choices":[{"message":{"content":[]}}]}', None),
        (b'{"choices":[]}', None),
        (b'{"error":{}}', None),
        (b"<html>", None),
    ],
)
def test_answers(body: bytes, text: str | None) -> None:
    assert answer_text(body) == text
