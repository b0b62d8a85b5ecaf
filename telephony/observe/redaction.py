"""What must not be read in a log: secrets, and the numbers of people.

The call-detail records have the numbers in full; logs travel further.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN = "[hidden]"

_SECRET_KEY = re.compile(
    r"(?:^|[_\-.])(?:(?:api|access|private|secret)[_-]?key|authorization|token|secret|password|passwd|credentials?)s?$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"\b(?:sk|ek|rk|pk)[-_][A-Za-z0-9_\-]{6,}"
    r"|\bAIza[A-Za-z0-9_\-]{20,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_SCHEME_VALUE = re.compile(
    r"\b(?:(Bearer)\s+[^\s\"',]{4,}|(Basic)\s+[A-Za-z0-9+/=]{12,}|(Digest)\s+\w+=[^\r\n]*)"
)
_QUERY_SECRET = re.compile(r"([?&](?:api_?key|key|token|secret)=)[^&\s\"']+", re.IGNORECASE)

# Identifiers and times, whose digits are nobody's number.
_NOT_NUMBERS = frozenset(
    (
        "call",
        "call_id",
        "sip_call_id",
        "timestamp",
        "started_at",
        "answered_at",
        "ended_at",
        "level",
    )
)
_NUMBER_KEY = re.compile(r"(?:^|_)(?:caller|called|from|to|number|uri|user|caller_id|did)$")
_URI_USER = re.compile(r"\b((?:sips?|tel):)(\+?[0-9][0-9.\-()]{4,})", re.IGNORECASE)
_E164 = re.compile(r"(?<![\w+])\+[0-9](?:[ .\-()]{0,2}[0-9]){5,14}(?!\w)")
_BARE = re.compile(r"(?<![\w.+\-])[0-9]{8,15}(?![\w.\-])")
_ANY_NUMBER = re.compile(r"(?<![\w.:])\+?[0-9](?:[ .\-()]{0,2}[0-9]){4,14}(?![\w.:])")
_IP_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def mask_number(number: str) -> str:
    """Keep the beginning and the last two digits: ``+15555550100`` is ``+1555***00``."""
    digits = re.sub(r"[^0-9]", "", number)
    kept = max(0, min(4, len(digits) - 5))
    return f"{'+' if number.startswith('+') else ''}{digits[:kept]}***{digits[-2:]}"


def redact(key: str, value: Any) -> Any:
    """Return ``value`` fit for a log; containers are searched, numbers and None stay."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return HIDDEN if value and _SECRET_KEY.search(key) else _redact_text(key, value)
    if isinstance(value, Mapping):
        return {k: redact(str(k), v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(key, item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _redact_text(key, str(value))


def redact_event(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor that passes every value through :func:`redact`.

    Keys that begin with an underscore belong to structlog and are taken off before rendering.
    """
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = redact(key, value)
    return event


def _redact_text(key: str, text: str) -> str:
    text = _SECRET_VALUE.sub(HIDDEN, text)
    text = _SCHEME_VALUE.sub(lambda found: f"{found[found.lastindex or 0]} {HIDDEN}", text)
    text = _QUERY_SECRET.sub(rf"\1{HIDDEN}", text)
    if key in _NOT_NUMBERS:
        return text
    text = _URI_USER.sub(lambda found: found[1] + _mask_unless_address(found[2]), text)
    text = _E164.sub(lambda found: mask_number(found[0]), text)
    if _NUMBER_KEY.search(key):
        return _ANY_NUMBER.sub(lambda found: _mask_unless_address(found[0]), text)
    return _BARE.sub(lambda found: mask_number(found[0]), text)


def _mask_unless_address(text: str) -> str:
    return text if _IP_ADDRESS.fullmatch(text) else mask_number(text)
