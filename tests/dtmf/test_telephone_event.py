from __future__ import annotations

import pytest

from telephony.dtmf.telephone_event import TelephoneEvent, TelephoneEventParseError, parse_event


def test_an_event_on_the_wire() -> None:
    assert parse_event(bytes.fromhex("058a0320")) == TelephoneEvent(5, True, -10, 800)
    assert parse_event(bytes.fromhex("103f0000ff")) == TelephoneEvent(16, False, -63, 0)
    assert TelephoneEvent(5, True, -10, 800).serialize() == bytes.fromhex("058a0320")


def test_events_beyond_the_keys_are_no_digits() -> None:
    assert [TelephoneEvent(code, False, 0, 0).digit for code in (0, 9, 10, 11, 15)] == list("09*#D")
    assert TelephoneEvent(16, False, 0, 0).digit is None


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x0a\x00"])
def test_what_is_too_short(data: bytes) -> None:
    with pytest.raises(TelephoneEventParseError):
        parse_event(data)
