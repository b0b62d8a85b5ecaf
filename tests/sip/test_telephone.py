"""Telephone numbers in URIs."""

from __future__ import annotations

import pytest

from telephony.sip.telephone import bare_number, is_global, is_telephone, number_of, user_of


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:+15550100@192.0.2.1", "+15550100"),
        ("sips:%2B1-555-0100;npdi@h;user=phone", "+15550100"),
        ("sip:alice@example.org", "alice"),
        ("sip:al%69ce:secret@example.org", "alice"),
        ("sip:john.doe@h", "john.doe"),
        ("sip:10.0.0.1@h", "10.0.0.1"),
        ("sip:*55%23@h", "*55#"),
        ("sip:192.0.2.1", ""),
        ("tel:+1-201-555-0123", "+12015550123"),
        ("tel:7042;phone-context=example.com", "7042"),
        ("tel:863-1234;phone-context=+1-914-555", "+19145558631234"),
        ("tel:+44123;phone-context=+1", "+44123"),
        ("sip:5550100;phone-context=+1212@h;user=phone", "+12125550100"),
        ("sip:(030)%20123@h", "030123"),
        ("http://example.org", ""),
        ("sip:a b@h", ""),
        ("", ""),
        ("sip:%00%0A@h", "��"),
    ],
)
def test_number_of(uri: str, number: str) -> None:
    assert number_of(uri) == number


def test_separators() -> None:
    assert bare_number("+49 (30) 123-45.6") == "+4930123456"
    assert bare_number("ext-12") == "ext-12"
    assert is_telephone("#31#")
    assert not is_telephone("")
    assert not is_telephone("+")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("+15550100", True), ("+1234", False), ("15550100", False), ("+1٣٤٥٦٧", False)],
)
def test_is_global(text: str, expected: bool) -> None:
    assert is_global(text) is expected


def test_user_part_is_escaped() -> None:
    assert user_of("+15550100") == "+15550100"
    assert user_of("a@b c\r\n#") == "a%40b%20c%0D%0A%23"
    assert number_of(f"sip:{user_of('*55#')}@h") == "*55#"
    assert user_of("\udcff") == "%3F"
