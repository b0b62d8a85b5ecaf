"""What must not be read in a log: secrets, and the numbers of people.

The call-detail records have the numbers in full; logs travel further.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN = "[hidden]"

_SECRET_KEY = re.compile(
    r"(?:^|[_\-.])(?:(?:api|access|private|secret|send|receive|master|srtp|signing)[_-]?key"
    r"|authorization|token|secret|password|passwd|credentials?)s?$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"\b(?:sk|ek|rk|pk)[-_][A-Za-z0-9_\-]{6,}"
    r"|\bAIza[A-Za-z0-9_\-]{20,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    # A PASSporT (RFC 8225) or any other JWT: its claims are only encoded, not encrypted.
    r"|\beyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*){0,2}"
)
_SCHEME_VALUE = re.compile(
    r"\b(?:(Bearer)\s+[^\s\"',]{4,}|(Basic)\s+[A-Za-z0-9+/=]{12,}|(Digest)\s+\w+=[^\r\n]*)"
)
# Headers of any scheme; parts of a digest that were cut out of one; SDES keys (RFC 4568); the
# password in a SIP URI.
_AUTHORIZATION = re.compile(
    r"(\bAuthorization[ \t]*:[ \t]*(?:[A-Za-z][\w\-]*[ \t]+)?)[^\r\n]+", re.IGNORECASE
)
_DIGEST_PART = re.compile(r"\b(response|rspauth)(\s*=\s*)\"?[0-9a-f]{32,}\"?", re.IGNORECASE)
_SRTP_KEY = re.compile(r"(\binline\s*:\s*)[A-Za-z0-9+/=]{8,}", re.IGNORECASE)
_URI_PASSWORD = re.compile(
    r"(\bsips?:[^\s:@;<>\"']{1,128}:)[^\s@;<>\"']{1,128}(?=@)", re.IGNORECASE
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
# Names of ours, and the headers that carry numbers (Refer-To, P-Asserted-Identity, ...).
_NUMBER_KEY = re.compile(
    r"(?:^|[_\-])(?:caller|called|from|to|by|number|uri|user|caller_id|did|target|identity"
    r"|remote-party-id|diversion|history-info|contact)$",
    re.IGNORECASE,
)
_URI_USER = re.compile(r"\b((?:sips?|tel):)((?:\+|%2B)?[0-9][0-9.\-()]{4,})", re.IGNORECASE)
_E164 = re.compile(r"(?<![\w+])\+[0-9](?:[ .\-()]{0,2}[0-9]){5,14}(?!\w)")
_BARE = re.compile(r"(?<![\w.+\-])[0-9]{8,15}(?![\w.\-])")
_ANY_NUMBER = re.compile(r"(?<![\w.:])\+?[0-9](?:[ .\-()]{0,2}[0-9]){4,14}(?![\w.:])")
_IP_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


def mask_number(number: str) -> str:
    """Keep the beginning and the last two digits: ``+15555550100`` is ``+1555***00``."""
    sign = "+" if number.startswith(("+", "%2B", "%2b")) else ""
    digits = re.sub(r"[^0-9]", "", number[3:] if number[:1] == "%" else number)
    kept = max(0, min(4, len(digits) - 5))
    return f"{sign}{digits[:kept]}***{digits[-2:]}"


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
    text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", text)
    text = _SECRET_VALUE.sub(HIDDEN, text)
    text = _SCHEME_VALUE.sub(lambda found: f"{found[found.lastindex or 0]} {HIDDEN}", text)
    text = _QUERY_SECRET.sub(rf"\1{HIDDEN}", text)
    text = _DIGEST_PART.sub(rf"\1\2{HIDDEN}", text)
    text = _SRTP_KEY.sub(rf"\1{HIDDEN}", text)
    text = _URI_PASSWORD.sub(rf"\1{HIDDEN}", text)
    if key in _NOT_NUMBERS:
        return text
    text = _URI_USER.sub(lambda found: found[1] + _mask_unless_address(found[2]), text)
    text = _E164.sub(lambda found: mask_number(found[0]), text)
    if _NUMBER_KEY.search(key):
        return _ANY_NUMBER.sub(lambda found: _mask_unless_address(found[0]), text)
    return _BARE.sub(lambda found: mask_number(found[0]), text)


def _mask_unless_address(text: str) -> str:
    return text if _IP_ADDRESS.fullmatch(text) else mask_number(text)
