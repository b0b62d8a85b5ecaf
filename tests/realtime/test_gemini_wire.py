"""Both spellings, durations, audio types and bytes."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.realtime.gemini_wire import (
    camel_keys,
    decode_bytes,
    rate_of,
    resource_name,
    seconds_of,
    short_name,
)


def test_both_spellings_are_one() -> None:
    snake = {"server_content": {"model_turn": {"parts": [{"inline_data": {"mime_type": "a_b"}}]}}}
    camel = {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": "a_b"}}]}}}
    assert camel_keys(snake) == camel
    assert camel_keys(camel) == camel
    assert camel_keys({"_x": 1, "a__b": 2, "a_1": 3}) == {"_x": 1, "a__b": 2, "a1": 3}


@pytest.mark.parametrize("key", ["args", "parameters", "response", "labels"])
def test_keys_of_users_are_left_alone(key: str) -> None:
    data = {"tool_call": {key: {"for_whom": {"last_name": 1}}}}
    assert camel_keys(data) == {"toolCall": {key: {"for_whom": {"last_name": 1}}}}


def test_what_nests_too_deep_ends() -> None:
    data: Any = 1
    for _ in range(900):
        data = [data]
    assert camel_keys(data)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10.0), ("9.5s", 9.5), ("s", None), ("10", None), ("-1s", None), (7, None)],
)
def test_durations(text: Any, seconds: float | None) -> None:
    assert seconds_of({"timeLeft": text}, "timeLeft") == seconds


@pytest.mark.parametrize(
    ("mime_type", "rate_hz"),
    [
        ("audio/pcm;rate=16000", 16000),
        ("audio/pcm; rate=24000", 24000),
        ("audio/pcm", 24000),
        ("AUDIO/PCM;rate=8000", 8000),
        ("audio/pcm;rate=99999999", 24000),
        ("audio/opus", None),
        ("", None),
    ],
)
def test_rates(mime_type: str, rate_hz: int | None) -> None:
    assert rate_of(mime_type) == rate_hz


def test_bytes_of_either_alphabet() -> None:
    assert decode_bytes({"data": "-_8="}, "data") == b"\xfb\xff"
    assert decode_bytes({"data": "+/8"}, "data") == b"\xfb\xff"
    for wrong in ("é", "a b", 7, None):
        assert decode_bytes({"data": wrong}, "data") is None


def test_names_of_models() -> None:
    assert resource_name("gemini-x") == "models/gemini-x"
    assert resource_name("models/gemini-x") == "models/gemini-x"
    assert short_name("projects/p/models/gemini-x") == "gemini-x"
