"""Telephone numbers as they stand in URIs (RFC 3966, RFC 3261 section 19.1.6)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from telephony.sip.values import printable, read_uri, uri_scheme

_TELEPHONE = re.compile(r"\+?\(?[0-9*#][0-9*#\-.() ]*")
_GLOBAL_PREFIX = re.compile(r"\+[0-9]{1,15}")
_GLOBAL = re.compile(r"\+[1-9][0-9]{4,14}")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_SEPARATORS: Final = str.maketrans("", "", "-.() ")
# What a user part may hold unescaped besides letters and digits (RFC 3261 section 25.1).
_USER_SAFE: Final = "-_.!~*'()&=+$,/"


def is_telephone(text: str) -> bool:
    """True for digits, ``*`` and ``#`` with an optional ``+`` and visual separators."""
    return _TELEPHONE.fullmatch(text) is not None and _IPV4.fullmatch(text) is None


def bare_number(text: str) -> str:
    """Return a telephone number without its visual separators; any other text as it is."""
    return text.translate(_SEPARATORS) if is_telephone(text) else text


def is_global(text: str) -> bool:
    """True for a number with its country code: ``+`` and 5 to 15 digits, no zero first."""
    return _GLOBAL.fullmatch(text) is not None


def number_of(uri: str) -> str:
    """Return the number, or else the user name, that a SIP, SIPS or TEL URI names; "" if none.

    Escapes are resolved, visual separators and parameters taken off. A local number whose
    ``phone-context`` is a global prefix is returned with it (RFC 3966 section 5.1.4).
    """
    if read_uri(uri) is None:
        return ""
    rest = uri.partition(":")[2].partition("?")[0]
    if uri_scheme(uri) == "tel":
        return _subscriber(rest)
    userinfo, at, _host = rest.partition("@")
    return _subscriber(userinfo.partition(":")[0]) if at else ""


def _subscriber(text: str) -> str:
    subscriber, _, parameters = text.partition(";")
    number = bare_number(printable(unquote(subscriber)))
    for parameter in parameters.split(";"):
        name, _, context = parameter.partition("=")
        if name.strip().lower() == "phone-context" and is_telephone(number):
            prefix = bare_number(unquote(context.strip()))
            if _GLOBAL_PREFIX.fullmatch(prefix) and number[:1] != "+":
                return prefix + number
    return number


def user_of(number: str) -> str:
    """Return ``number``, or a user name, escaped for the user part of a SIP URI."""
    return quote(number, safe=_USER_SAFE, errors="replace")
