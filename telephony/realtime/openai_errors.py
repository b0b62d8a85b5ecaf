"""Which of the API's errors matter, and how much."""

from __future__ import annotations

from telephony.realtime.events import ModelError
from telephony.realtime.wire import JsonObject, text_of

RESPONSE_ACTIVE = "conversation_already_has_active_response"

# Races between the server's voice activity detection and us: what we asked for was already so.
_BENIGN = frozenset(
    {
        "response_cancel_not_active",
        RESPONSE_ACTIVE,
        # What Azure Voice Live cut off itself.
        "item_already_truncated",
        "input_audio_buffer_commit_empty",
    }
)
# A new connection with the same key and settings would meet the same answer.
_HOPELESS = frozenset(
    {
        "account_deactivated",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_model",
    }
)
_ENDING = frozenset({"session_expired"})


def is_benign(code: str) -> bool:
    return code in _BENIGN


def is_rate_limit(code: str) -> bool:
    return code.startswith("rate_limit")


def is_hopeless(code: str) -> bool:
    """Return whether trying again is of no use."""
    return code in _HOPELESS


def error_event(details: JsonObject, *, before_ready: bool) -> ModelError:
    """Return the event for an ``error`` object.

    Before the session is ready every error is fatal: what failed is the session's configuration,
    and a caller would hear nothing, or the wrong voice.
    """
    kind = text_of(details, "type")
    code = text_of(details, "code") or kind or "unknown"
    refused_config = before_ready and kind == "invalid_request_error"
    return ModelError(
        code,
        text_of(details, "message"),
        fatal=before_ready or is_hopeless(code) or code in _ENDING,
        event_id=text_of(details, "event_id"),
        retryable=not is_hopeless(code) and not (refused_config and code not in _ENDING),
    )
