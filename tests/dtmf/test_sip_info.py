from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.dtmf.sip_info import (
    PLAIN,
    RELAY,
    InfoDigit,
    info_body,
    is_dtmf,
    parse_info_digit,
    says_signal,
)
from telephony.dtmf.telephone_event import DIGITS


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
        ("application/dtmf", b"Signal=7\r\nDuration=160", "7"),
        ("text/plain", b"Signal=5\r\n", None),
        ("", b"", None),
    ],
)
def test_bodies(content_type: str, body: bytes, digit: str | None) -> None:
    parsed = parse_info_digit(content_type, body)
    assert (parsed.digit if parsed else None) == digit


@pytest.mark.parametrize(
    ("body", "duration_ms"),
    [
        (b"Signal=5\r\nDuration=160\r\n", 160),
        (b"duration = 2000\nsignal=5", 2000),
        (b"Signal=5", 0),
        (b"Signal=5\nDuration=-1", 0),
        (b"Signal=5\nDuration=\xb2", 0),
        (b"Signal=5\nDuration=999999", 60_000),
        (b"Signal=5\nDuration=99999999999", 0),
    ],
)
def test_durations(body: bytes, duration_ms: int) -> None:
    assert parse_info_digit(RELAY, body) == InfoDigit("5", duration_ms)


def test_what_is_sent_is_understood() -> None:
    for digit in DIGITS:
        assert parse_info_digit(RELAY, info_body(RELAY, digit, 160)) == InfoDigit(digit, 160)
        assert parse_info_digit(PLAIN, info_body(PLAIN, digit, 160)) == InfoDigit(digit)
    assert info_body(RELAY, "#", 250) == b"Signal=#\r\nDuration=250\r\n"
    assert info_body(PLAIN, "*", 250) == b"*"


@pytest.mark.parametrize("digit", ["", "12", "E", "é"])
def test_only_keys_are_sent(digit: str) -> None:
    with pytest.raises(LocalProtocolError):
        info_body(RELAY, digit, 160)


@pytest.mark.parametrize(
    ("content_type", "body", "says"),
    [
        (RELAY, b"Signal=5\r\nDuration=160", True),
        (RELAY, b"Signal=16\r\n", True),
        (RELAY, b"Signal= !", True),
        (PLAIN, b"16", True),
        (RELAY, b"Signal=17", False),
        (RELAY, b"Signal=5x", False),
        (RELAY, b"Duration=160", False),
        (RELAY, b"Signal=5" + b" " * 256, False),
        (PLAIN, b"\xff", False),
        ("text/plain", b"5", False),
    ],
)
def test_what_says_a_signal(content_type: str, body: bytes, says: bool) -> None:
    assert says_signal(content_type, body) is says


@pytest.mark.parametrize(
    ("content_type", "dtmf"),
    [(RELAY, True), (PLAIN, True), ("Application/DTMF-Relay; x=y", True), ("text/plain", False)],
)
def test_types_of_digits(content_type: str, dtmf: bool) -> None:
    assert is_dtmf(content_type) is dtmf
