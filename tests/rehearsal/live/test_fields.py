"""What a Live client may say, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.rehearsal.live.fields import read_event
from telephony.rehearsal.outbox import ClientError


def code_of(data: dict[str, Any]) -> str | None:
    with pytest.raises(ClientError) as raised:
        read_event(data)
    return raised.value.code


@pytest.mark.parametrize(
    "data",
    [
        {"type": "session.close"},
        {"type": "session.input_audio.append", "audio": "AAAA", "event_id": "e"},
        {"type": "session.thinking.append", "content": "x", "delegation_id": None},
        {"type": "response.create"},
    ],
)
def test_events(data: dict[str, Any]) -> None:
    assert read_event(data).type == data["type"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "invalid_value"),
        ({"type": "response.cancel"}, "invalid_value"),
        ({"type": "session.close", "now": True}, "unknown_parameter"),
        ({"type": "session.input_audio.append"}, "missing_required_parameter"),
        ({"type": "session.input_audio.append", "audio": 3}, "invalid_value"),
        ({"type": "session.start", "session": {}}, "missing_required_parameter"),
    ],
)
def test_events_that_are_none(data: dict[str, Any], code: str) -> None:
    assert code_of(data) == code


@pytest.mark.parametrize(
    ("role", "kind", "fits"),
    [
        ("user", "input_text", True),
        ("developer", "input_text", True),
        ("assistant", "output_text", True),
        ("assistant", "text", True),
        ("assistant", "input_text", False),
        ("user", "output_text", False),
    ],
)
def test_each_role_has_its_parts(role: str, kind: str, fits: bool) -> None:
    item = {"role": role, "content": [{"type": kind, "text": "x"}]}
    start = {"type": "session.start", "session": {"model": "gpt-live-1", "input": [item]}}
    if fits:
        read_event(start)
    else:
        assert code_of(start) == "invalid_value"


def test_history_has_its_limits() -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "x"}]}
    long = {"role": "user", "content": [{"type": "input_text", "text": "x" * 40_000}]}
    for given in ([item] * 129, [long]):
        start = {"type": "session.start", "session": {"model": "gpt-live-1", "input": given}}
        assert code_of(start) == "invalid_value"
