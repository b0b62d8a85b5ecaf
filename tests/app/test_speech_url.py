"""URLs of speech services."""

from __future__ import annotations

from telephony.app.speech_url import url_problem


def test_urls() -> None:
    assert url_problem("https://a.test/v1", has_key=True) is None
    assert url_problem("http://[::1]:8000", has_key=True) is None
    assert url_problem("https://[", has_key=True) is not None
