"""Errors that matter, and those that don't."""

from __future__ import annotations

import pytest

from telephony.realtime.openai_errors import error_event, is_benign, is_hopeless


@pytest.mark.parametrize(
    ("code", "kind", "before_ready", "fatal", "retryable"),
    [
        ("invalid_value", "invalid_request_error", False, False, True),
        ("invalid_value", "invalid_request_error", True, True, False),
        ("server_error", "server_error", True, True, True),
        ("session_expired", "invalid_request_error", False, True, True),
        ("session_expired", "invalid_request_error", True, True, True),
        ("insufficient_quota", "insufficient_quota", False, True, False),
        ("invalid_api_key", "invalid_request_error", True, True, False),
        ("invalid_model", "invalid_request_error", True, True, False),
        ("", "", False, False, True),
    ],
)
def test_what_an_error_means(
    code: str, kind: str, before_ready: bool, fatal: bool, retryable: bool
) -> None:
    details = {"code": code, "type": kind, "message": "m", "event_id": "e"}
    event = error_event(details, before_ready=before_ready)
    assert (event.fatal, event.retryable) == (fatal, retryable)
    assert event.code == (code or kind or "unknown")
    assert (event.message, event.event_id) == ("m", "e")


def test_races_are_benign_and_empty_accounts_hopeless() -> None:
    assert is_benign("response_cancel_not_active")
    assert is_benign("conversation_already_has_active_response")
    assert not is_benign("invalid_value")
    assert is_hopeless("billing_hard_limit_reached")
    assert not is_hopeless("session_expired")
