"""Keys of short life for clients that talk to a model themselves, such as browsers.

The provider is asked for one with the session's settings in it, so that its holder gets that
session and no other. Functions that run in this process are left out, as the holder could not
run them, and so is what would give away a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, RealtimeModel
from telephony.realtime.hosted.session_body import HOSTED_APIS, opening, session_of
from telephony.realtime.wire import (
    JsonObject,
    number_of,
    object_of,
    objects_of,
    parse_object,
    text_of,
)

TokenWay = Literal["client_secret", "auth_token"]

MIN_EXPIRES_S: Final = 10
MAX_EXPIRES_S: Final = 7_200
SESSION_S: Final = 1_800
"""How long a session with a token of Gemini may last, even one that begins at the last moment."""
_SCHEMES: Final = {"wss": "https", "ws": "http", "https": "https", "http": "http"}


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A POST to the provider; the headers are those of a session's handshake."""

    url: str
    body: JsonObject = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientToken:
    """``expires_at`` is in Unix seconds: a session has to begin by then."""

    value: str = field(repr=False)
    expires_at: int


def token_way(api: str) -> TokenWay | None:
    """Return how tokens for an API are had, None when there are none."""
    if HOSTED_APIS.get(api) == "realtime":
        return "client_secret"
    return "auth_token" if api == "gemini_live" else None


def token_request(
    model: RealtimeModel,
    instructions: str,
    base_url: str,
    expires_s: int,
    ids: Ids,
    unix_now_s: float,
) -> TokenRequest:
    """Return the request for a token with which a session with ``model`` can begin.

    ``expires_s`` is kept within what the provider allows. Raises ValueError for a model without
    tokens and for a URL that is none.
    """
    way = token_way(model.api)
    lifetime_s = min(max(expires_s, MIN_EXPIRES_S), MAX_EXPIRES_S)
    brief = Brief(instructions)
    if way == "client_secret":
        session = _harmless(session_of(model, brief, ids))
        body: JsonObject = {
            "expires_after": {"anchor": "created_at", "seconds": lifetime_s},
            "session": session,
        }
        return TokenRequest(_openai_url(base_url), body)
    if way == "auth_token":
        setup = dict(object_of(opening(model, brief, ids), "setup"))
        # What is not named in fieldMask is locked as well when there is none.
        body = {
            "uses": 1,
            "expireTime": _rfc3339(unix_now_s + lifetime_s + SESSION_S),
            "newSessionExpireTime": _rfc3339(unix_now_s + lifetime_s),
            "bidiGenerateContentSetup": setup,
        }
        return TokenRequest(_gemini_url(base_url), body)
    raise ValueError(f"there are no tokens for {model.api}")


def read_token(way: TokenWay, body: bytes, expires_s: int, unix_now_s: float) -> ClientToken | None:
    """Read the provider's answer; None when there is no token in it."""
    answer = parse_object(body) or {}
    if way == "auth_token":
        value = text_of(answer, "name")
        return ClientToken(value, int(unix_now_s + expires_s)) if value else None
    value = text_of(answer, "value")
    expires_at = number_of(answer, "expires_at")
    if not value:
        return None
    return ClientToken(value, int(unix_now_s + expires_s if expires_at is None else expires_at))


def withheld_tools(session: Mapping[str, Any]) -> list[str]:
    """Return the labels of remote tools whose credentials a token would carry along."""
    tools = objects_of(session, "tools")
    return [text_of(tool, "server_label") for tool in tools if _carries_secret(tool)]


def _harmless(session: JsonObject) -> JsonObject:
    tools = [tool for tool in objects_of(session, "tools") if not _carries_secret(tool)]
    return {**session, "tools": tools}


def _carries_secret(tool: Mapping[str, Any]) -> bool:
    return bool(tool.get("authorization") or tool.get("headers"))


def _openai_url(base_url: str) -> str:
    scheme, netloc, path = _parts(base_url)
    path = path.removesuffix("/realtime") + "/realtime/client_secrets"
    return urlunsplit((scheme, netloc, path, "", ""))


def _gemini_url(base_url: str) -> str:
    scheme, netloc, _ = _parts(base_url)
    return urlunsplit((scheme, netloc, "/v1alpha/auth_tokens", "", ""))


def _parts(base_url: str) -> tuple[str, str, str]:
    parts = urlsplit(base_url)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise ValueError(f"base_url {base_url!r} must be a wss, ws, https or http URL")
    return _SCHEMES[parts.scheme], parts.netloc, parts.path.rstrip("/")


def _rfc3339(unix_s: float) -> str:
    return datetime.fromtimestamp(int(unix_s), UTC).isoformat().replace("+00:00", "Z")
