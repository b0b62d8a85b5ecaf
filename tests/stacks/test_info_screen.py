"""Which INFO is taken."""

from __future__ import annotations

import pytest

from telephony.stacks.info_screen import screen_info

RELAY = "application/dtmf-relay"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", None),
        (RELAY, b"Signal=11", None),
        ("application/dtmf", b"#", None),
        (RELAY, b"", None),
        ("", b"", None),
        ("application/media_control+xml", b"", None),
        (RELAY, b"Signal=99", 400),
        (RELAY, b"Signal=", 400),
        (RELAY, b"hello", 400),
        ("application/dtmf", b"five", 400),
        ("text/plain", b"5", 415),
        ("", b"5", 415),
        ("application/media_control+xml", b"<media_control/>", 415),
    ],
)
def test_what_is_refused(content_type: str, body: bytes, status: int | None) -> None:
    refusal = screen_info(content_type, body)
    assert (refusal.status if refusal is not None else None) == status


def test_a_refusal_says_what_is_taken() -> None:
    refusal = screen_info("text/plain", b"5")
    assert refusal is not None
    assert refusal.headers == (("Accept", "application/dtmf-relay, application/dtmf"),)
