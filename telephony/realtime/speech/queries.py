"""URLs of speech services: a base, a path, a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from pydantic import Field

_WEBSOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

Texts = Annotated[tuple[str, ...], Field(strict=False)]
"""A list in YAML."""

QueryValue = str | int | float | bool | None | list[str] | tuple[str, ...]


def websocket_url(base_url: str, path: Iterable[str], query: Mapping[str, QueryValue]) -> str:
    """Return the ws or wss URL of ``path`` under ``base_url``; None leaves a parameter out."""
    return _url(base_url, path, query, _WEBSOCKET)


def http_url(base_url: str, path: Iterable[str]) -> str:
    """Return the http or https URL of ``path`` under ``base_url``."""
    return _url(base_url, path, {}, _HTTP)


def _url(
    base_url: str,
    path: Iterable[str],
    query: Mapping[str, QueryValue],
    schemes: Mapping[str, str],
) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"{base_url!r} is no URL of a server")
    below = "/".join(quote(step, safe="") for step in path)
    pairs = [(name, _text(one)) for name, value in query.items() for one in _each(value)]
    whole_path = f"{parts.path.rstrip('/')}/{below}"
    return urlunsplit((schemes[parts.scheme], parts.netloc, whole_path, urlencode(pairs), ""))


def _each(value: QueryValue) -> list[str | int | float | bool]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
