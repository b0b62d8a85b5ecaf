from __future__ import annotations

import pytest

from telephony.dtmf.sip_info import parse_info_digit


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("Application/DTMF-Relay; charset=x", b"Duration=160\nsignal = *\n", "*"),
        ("application/dtmf-relay", b"Signal=11\r\n", "#"),
        ("application/dtmf-relay", b"Signal=a\r\n", "A"),
        ("application/dtmf-relay", b"Signal=\r\n", None),
        ("application/dtmf-relay", b"Signal=16\r\n", None),
        ("application/dtmf-relay", b"Signal=55\r\n", None),
        ("application/dtmf-relay", b"", None),
        ("application/dtmf-relay", b"\xff\x00=", None),
        ("application/dtmf-relay", b"Signal=5\r\n" + b"x" * 300, None),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b" # \r\n", "#"),
        ("application/dtmf", b"77", None),
        ("text/plain", b"Signal=5\r\n", None),
        ("", b"", None),
    ],
)
def test_bodies(content_type: str, body: bytes, digit: str | None) -> None:
    assert parse_info_digit(content_type, body) == digit
