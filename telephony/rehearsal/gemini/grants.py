"""What outlives a connection: sessions that may be resumed, and ephemeral tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import Field

from telephony.base.ids import Ids
from telephony.realtime.gemini_wire import camel_keys
from telephony.rehearsal.gemini.refusal import POLICY_VIOLATION, RefusedError, invalid
from telephony.rehearsal.gemini.said import Conversation
from telephony.rehearsal.gemini.setup_fields import Wire, read

HANDLE_LIFE_S = 7200.0
_TOKEN_LIFE_S = 30 * 60.0
_NEW_SESSION_LIFE_S = 60.0
_MAX_LIFE_S = 20 * 3600.0
_MAX_KEPT = 1024


@dataclass(slots=True)
class _Kept:
    conversation: Conversation
    until: float


class Handles:
    """Conversations by the handle under which a client may go on with them."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._kept: dict[str, _Kept] = {}

    def keep(self, conversation: Conversation, now: float) -> str:
        handle = f"handle-{self._ids.token(12)}"
        self._kept[handle] = _Kept(conversation.copy(), now + HANDLE_LIFE_S)
        if len(self._kept) > _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return handle

    def resume(self, handle: str, now: float) -> Conversation:
        """Return what was said until then; raises RefusedError when nobody knows any more."""
        kept = self._kept.get(handle)
        if kept is None or now >= kept.until:
            invalid("The session resumption handle is invalid or has expired.")
        return kept.conversation.copy()


class TokenRequest(Wire):
    """The body of ``POST /v1alpha/auth_tokens``; times are RFC 3339."""

    uses: int = Field(1, ge=0)
    expire_time: datetime | None = None
    new_session_expire_time: datetime | None = None
    bidi_generate_content_setup: dict[str, Any] | None = None
    field_mask: str | None = None


@dataclass(slots=True)
class Token:
    """``uses_left`` None is without end; ``setup`` overrides what a client asks for."""

    uses_left: int | None
    until_unix_s: float
    new_session_until_unix_s: float
    setup: dict[str, Any] = field(default_factory=dict)


class Tokens:
    """Issues ephemeral tokens and lets sessions begin with them."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._tokens: dict[str, Token] = {}

    def issue(self, body: Any, unix_time_s: float) -> str:
        """Return a new token's name; raises RefusedError for a body that is none."""
        request = read(TokenRequest, camel_keys(body), "auth_token")
        until = _unix_s(request.expire_time, unix_time_s + _TOKEN_LIFE_S)
        begin_until = _unix_s(request.new_session_expire_time, unix_time_s + _NEW_SESSION_LIFE_S)
        if not unix_time_s < until <= unix_time_s + _MAX_LIFE_S:
            invalid("expire_time must be in the next 20 hours.")
        if begin_until > unix_time_s + _MAX_LIFE_S:
            invalid("new_session_expire_time must be in the next 20 hours.")
        name = f"auth_tokens/{self._ids.token(16)}"
        setup = request.bidi_generate_content_setup or {}
        # A constraint may come as the whole message or as the setup in it.
        setup = setup.get("setup", setup)
        self._tokens[name] = Token(request.uses or None, until, begin_until, setup)
        if len(self._tokens) > _MAX_KEPT:
            del self._tokens[next(iter(self._tokens))]
        return name

    def admit(self, name: str, unix_time_s: float) -> Token:
        """Return the token of a connection; raises RefusedError for one that is none."""
        token = self._tokens.get(name)
        if token is None or unix_time_s >= token.until_unix_s:
            raise RefusedError(POLICY_VIOLATION, "The ephemeral token is unknown or has expired.")
        return token

    @staticmethod
    def use(token: Token, unix_time_s: float) -> None:
        """Begin a new session with a token; a session that is resumed uses up nothing."""
        if unix_time_s >= token.new_session_until_unix_s:
            raise RefusedError(POLICY_VIOLATION, "The token may begin no new session any more.")
        if token.uses_left is not None:
            if token.uses_left == 0:
                raise RefusedError(POLICY_VIOLATION, "The ephemeral token is used up.")
            token.uses_left -= 1


def _unix_s(given: datetime | None, otherwise: float) -> float:
    return otherwise if given is None else given.timestamp()


def constrained(setup: dict[str, Any], constraints: dict[str, Any]) -> dict[str, Any]:
    """Return a setup with the fields that a token fixes, whatever the client wrote there."""
    merged = dict(setup)
    for key, value in constraints.items():
        before = merged.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[key] = constrained(before, value)
        else:
            merged[key] = value
    return merged
