"""What a client may say after the setup."""

from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.rehearsal.gemini.client_messages import (
    Blob,
    ClientContent,
    FunctionResponse,
    RealtimeInput,
    decode_blob,
    read_message,
)
from telephony.rehearsal.gemini.refusal import RefusedError
from telephony.rehearsal.gemini.setup_fields import read


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "Invalid JSON payload"),
        ("[]", "no object"),
        ("{}", "exactly one of"),
        ('{"setup":{},"clientContent":{}}', "exactly one of"),
        ('{"session.update":{}}', 'Unknown name "session.update"'),
    ],
)
def test_messages_that_are_none(message: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as caught:
        read_message(message)
    assert caught.value.close_code == 1007


def test_both_spellings() -> None:
    kind, content = read_message(b'{"client_content":{"turn_complete":true}}')
    assert kind == "clientContent"
    assert read(ClientContent, content, kind).turn_complete


@pytest.mark.parametrize("fields", [{}, {"text": "x", "activityEnd": {}}, {"x": 1}, {"text": 1}])
def test_a_realtime_input_has_one_field(fields: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        read(RealtimeInput, fields, "realtimeInput")


def test_audio() -> None:
    blob = Blob(data="AAEC", mimeType="audio/pcm;rate=8000")
    assert decode_blob(blob) == (b"\0\1\2", 8000)
    for data, mime_type in (("A", "audio/pcm"), ("AAAA", "audio/opus")):
        with pytest.raises(RefusedError):
            decode_blob(Blob(data=data, mimeType=mime_type))


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"output": "ok"}, "ok"),
        ({"output": {"a": 1}}, '{"a": 1}'),
        ({"error": "no"}, '{"error": "no"}'),
        ({}, "{}"),
    ],
)
def test_outputs(response: dict[str, Any], text: str) -> None:
    wire = json.loads(json.dumps({"id": "1", "response": response}))
    assert read(FunctionResponse, wire, "").text == text
