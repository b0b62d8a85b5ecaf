from __future__ import annotations

import pytest

from telephony.realtime.speech.queries import http_url, websocket_url


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://a.test", "wss://a.test/x/y"),
        ("http://a.test:80/v1/", "ws://a.test:80/v1/x/y"),
        ("ws://a.test", "ws://a.test/x/y"),
    ],
)
def test_schemes_and_paths(base: str, url: str) -> None:
    assert websocket_url(base, ("x", "y"), {}) == url
    assert http_url(url.removesuffix("/x/y"), ("x", "y")) == url.replace("ws", "http", 1)


def test_queries_and_steps_are_quoted() -> None:
    url = websocket_url(
        "wss://a.test", ("v", "a/b ?"), {"a": "x&y", "b": None, "c": True, "d": ["1", "2"], "e": 1}
    )
    assert url == "wss://a.test/v/a%2Fb%20%3F?a=x%26y&c=true&d=1&d=2&e=1"


@pytest.mark.parametrize("base", ["", "a.test", "ftp://a.test", "https://"])
def test_what_is_no_server(base: str) -> None:
    with pytest.raises(ValueError, match="no URL of a server"):
        http_url(base, ())
