"""Responses without state."""

from __future__ import annotations

import pytest
import sipmessage

from telephony.sip.framing import parse_message
from telephony.sip.stateless import answerable_via, write_stateless
from tests.sip.wire import header, headers, start_line


def _headers(**changes: str) -> sipmessage.Headers:
    values = {
        "Via": "SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/UDP far",
        "From": "<sip:a@b>;tag=1",
        "To": "<sip:c@d>",
        "Call-ID": "id",
        "CSeq": "1 OPTIONS",
    } | changes
    result = sipmessage.Headers()
    for name, value in values.items():
        if value:
            result.add(name, value)
    return result


@pytest.mark.parametrize("missing", ["Via", "CSeq"])
def test_what_can_not_be_answered(missing: str) -> None:
    assert answerable_via("OPTIONS", _headers()) is not None
    assert answerable_via("OPTIONS", _headers(**{missing: ""})) is None
    assert answerable_via("ACK", _headers()) is None


@pytest.mark.parametrize("missing", ["From", "To", "Call-ID"])
def test_what_is_missing_is_missing_in_the_response(missing: str) -> None:
    copied = _headers(**{missing: ""})
    via = answerable_via("OPTIONS", copied)
    assert via is not None
    data = write_stateless(400, via, copied, ("192.0.2.1", 5), b"s")
    assert headers(data, missing) == []
    assert start_line(data) == "400 OPTIONS"
    assert parse_message(data).body == b""


def test_request_of_another_version_can_be_told_so() -> None:
    copied = _headers(Via="SIP/7.0/UDP h;branch=z9hG4bK1")
    assert answerable_via("OPTIONS", copied) is not None


def test_tag_is_the_same_for_copies_and_differs_otherwise() -> None:
    def tag_of(secret: bytes = b"s", **changes: str) -> str:
        copied = _headers(**changes)
        via = answerable_via("OPTIONS", copied)
        assert via is not None
        return header(write_stateless(400, via, copied, ("192.0.2.1", 5), secret), "To")

    assert tag_of() == tag_of()
    assert tag_of() != tag_of(CSeq="2 OPTIONS")
    assert tag_of() != tag_of(secret=b"other")
    assert tag_of(To="<sip:c@d>;tag=theirs") == "<sip:c@d>;tag=theirs"


def test_vias_and_extra_headers() -> None:
    copied = _headers()
    via = answerable_via("OPTIONS", copied)
    assert via is not None
    data = write_stateless(503, via, copied, ("192.0.2.1", 5), b"s", (("Retry-After", "1"),))
    assert headers(data, "Via") == [
        "SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.1",
        "SIP/2.0/UDP far",
    ]
    assert header(data, "Retry-After") == "1"
