"""Whether two URIs name the same place (RFC 3261 section 19.1.4, without the parameters)."""

from __future__ import annotations

from typing import Final

from telephony.sip.values import read_uri

_DEFAULT_PORTS: Final = {"sip": 5060, "sips": 5061}


def same_uri(one: str, other: str) -> bool:
    """Compare scheme, user, host and port: parameters are lost and gained on the way."""
    if one == other:
        return True
    first, second = read_uri(one), read_uri(other)
    if first is None or second is None:
        return False
    port = _DEFAULT_PORTS.get(first.scheme)
    return (
        first.scheme == second.scheme
        and first.user == second.user
        and (first.host or "").lower() == (second.host or "").lower()
        and (first.port or port) == (second.port or port)
    )
