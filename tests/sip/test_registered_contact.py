"""Which time a registrar granted us."""

from __future__ import annotations

import pytest
import sipmessage

from telephony.sip.message import HeaderView
from telephony.sip.registered_contact import (
    GrantedExpires,
    granted_expires,
    read_delta_seconds,
)

_OURS = "<sip:bot@192.0.2.10:5060>"


def _headers(*lines: tuple[str, str]) -> HeaderView:
    found = sipmessage.Headers()
    for name, value in lines:
        found.add(name, value)
    return HeaderView(found)


@pytest.mark.parametrize(
    ("contacts", "expires_s", "listed"),
    [
        (["<sip:bot@192.0.2.10:5060>;expires=60"], 60, True),
        (['"Bot, the" <sip:bot@192.0.2.10>;q=0.5;Expires=61'], 61, True),
        (["sip:bot@192.0.2.10;expires=62"], 62, True),
        (["<sip:other@198.51.100.1>;expires=10, <sip:bot@192.0.2.10>;expires=63"], 63, True),
        (["<sip:other@198.51.100.1>;expires=10", "<sip:bot@192.0.2.10>;expires=64"], 64, True),
        (
            ["<sip:bot@192.0.2.10;transport=tcp>;expires=9", "<sip:bot@192.0.2.10>;expires=65"],
            65,
            True,
        ),
        (["<sip:bot@192.0.2.10>"], 1800, True),
        (["<sip:bot@192.0.2.10>;expires=soon"], 1800, True),
        (["<sip:bot@192.0.2.10>;expires=0"], 0, True),
        (["<sip:bot@203.0.113.1:61000>;expires=66"], 66, False),
        (["<sip:a@203.0.113.1>;expires=90", "<sip:b@203.0.113.1>;expires=67"], 67, False),
        ([], 1800, False),
        (["*", "garbage", "<>"], 1800, False),
    ],
)
def test_granted(contacts: list[str], expires_s: int, listed: bool) -> None:
    headers = _headers(("Expires", "1800"), *(("Contact", value) for value in contacts))
    assert granted_expires(headers, _OURS, 3600) == GrantedExpires(expires_s, listed)
    bare = granted_expires(headers, "sip:bot@192.0.2.10:5060", 3600)
    assert bare == GrantedExpires(expires_s, listed)


def test_an_answer_without_any_time_grants_what_was_asked() -> None:
    assert granted_expires(_headers(), _OURS, 3600) == GrantedExpires(3600, False)
    contact = ("Contact", "<sip:bot@192.0.2.10>")
    assert granted_expires(_headers(contact), _OURS, 3600) == GrantedExpires(3600, True)
    assert granted_expires(_headers(contact), "", 3600) == GrantedExpires(3600, False)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 18000;duration=3600", 18000),
        ("120 (I'm in a meeting)", 120),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("9999999999", 2**32 - 1),
    ],
)
def test_seconds(value: str, seconds: int | None) -> None:
    assert read_delta_seconds(_headers(("Retry-After", value)), "Retry-After") == seconds
    assert read_delta_seconds(_headers(), "Retry-After") is None
