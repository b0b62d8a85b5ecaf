"""What is wrong with the URL of a speech service."""

from __future__ import annotations

from urllib.parse import urlsplit

from telephony.realtime.config_problems import FieldProblem

_LOCAL = ("localhost", "127.0.0.1", "::1")


def url_problem(url: str, *, has_key: bool) -> FieldProblem | None:
    """Return what is wrong with the ``base_url`` of a service; None when nothing is."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        return FieldProblem(
            "base_url", "this is no URL of a server", "write https://... or wss://..."
        )
    if parts.username or parts.password:
        return FieldProblem("base_url", "a URL must not hold a secret", "use api_key")
    if has_key and parts.scheme in ("http", "ws") and parts.hostname not in _LOCAL:
        return FieldProblem(
            "base_url", "the key would travel unencrypted", "use https:// or wss://"
        )
    return None
