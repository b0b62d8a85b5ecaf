"""Handles of sessions and ephemeral tokens."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.base.ids import Ids
from telephony.rehearsal.gemini.grants import HANDLE_LIFE_S, Handles, Tokens, constrained
from telephony.rehearsal.gemini.refusal import RefusedError
from telephony.rehearsal.gemini.said import Conversation, Said

NOW = 1_800_000_000.0


def test_a_handle_keeps_what_was_said_until_then() -> None:
    handles = Handles(Ids.seeded(1))
    conversation = Conversation([Said("user", "text", "One.")])
    handle = handles.keep(conversation, 0.0)
    conversation.add(Said("user", "text", "Two."))
    conversation[0].text = "changed"
    resumed = handles.resume(handle, HANDLE_LIFE_S - 1)
    assert [entry.text for entry in resumed] == ["One."]
    with pytest.raises(RefusedError):
        handles.resume(handle, HANDLE_LIFE_S)
    with pytest.raises(RefusedError):
        handles.resume("unknown", 0.0)


def test_a_token_is_used_up() -> None:
    tokens = Tokens(Ids.seeded(1))
    token = tokens.admit(tokens.issue({}, NOW), NOW + 59)
    tokens.use(token, NOW + 59)
    with pytest.raises(RefusedError, match="used up"):
        tokens.use(token, NOW + 59)


def test_a_token_without_end_of_uses() -> None:
    tokens = Tokens(Ids.seeded(1))
    token = tokens.admit(tokens.issue({"uses": 0}, NOW), NOW)
    for _ in range(5):
        tokens.use(token, NOW)
    with pytest.raises(RefusedError, match="no new session"):
        tokens.use(token, NOW + 60)


def test_a_token_expires() -> None:
    tokens = Tokens(Ids.seeded(1))
    name = tokens.issue({}, NOW)
    with pytest.raises(RefusedError):
        tokens.admit(name, NOW + 1801)
    with pytest.raises(RefusedError):
        tokens.admit("auth_tokens/unknown", NOW)
    soon = tokens.issue({"expireTime": "2027-01-15T08:00:30Z"}, NOW)
    tokens.admit(soon, NOW + 29)
    with pytest.raises(RefusedError):
        tokens.admit(soon, NOW + 30)


@pytest.mark.parametrize(
    "body",
    [
        {"uses": -1},
        {"expireTime": "tomorrow"},
        {"expireTime": "2030-01-01T00:00:00Z"},
        {"newSessionExpireTime": "2030-01-01T00:00:00Z"},
        {"expireTime": "2020-01-01T00:00:00Z"},
        {"more": 1},
        [],
    ],
)
def test_bodies_that_are_refused(body: Any) -> None:
    with pytest.raises(RefusedError):
        Tokens(Ids.seeded(1)).issue(body, NOW)


def test_constraints_win() -> None:
    wanted = {"model": "a", "generationConfig": {"seed": 1, "topK": 2}}
    fixed = {"model": "b", "generationConfig": {"seed": 3}, "tools": []}
    assert constrained(wanted, fixed) == {
        "model": "b",
        "generationConfig": {"seed": 3, "topK": 2},
        "tools": [],
    }
    tokens = Tokens(Ids.seeded(1))
    name = tokens.issue({"bidi_generate_content_setup": {"setup": {"model": "b"}}}, NOW)
    assert tokens.admit(name, NOW).setup == {"model": "b"}
