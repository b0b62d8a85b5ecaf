"""Messages as octets."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.writer import (
    RequestParts,
    check_addresses,
    check_headers,
    check_routes,
    name_addr,
    write_request,
    write_response,
)

_PARTS = RequestParts(
    method="BYE",
    uri="sip:a@b;x=a+b",
    via="SIP/2.0/UDP h;branch=z9hG4bK1;rport",
    routes=("<sip:p1;lr>", "<sip:p2;lr>"),
    from_value="<sip:me@h>;tag=1",
    to_value='"Jos\udce9" <sip:a@b>;tag=2',
    call_id="id",
    cseq=3,
)


def test_request_is_written_octet_for_octet() -> None:
    data = write_request(_PARTS, (("X-A", "1"),), "text/plain", b"body")
    assert data == (
        b"BYE sip:a@b;x=a+b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
        b"Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nMax-Forwards: 70\r\n"
        b'From: <sip:me@h>;tag=1\r\nTo: "Jos\xe9" <sip:a@b>;tag=2\r\nCall-ID: id\r\n'
        b"CSeq: 3 BYE\r\nX-A: 1\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert isinstance(parse_message(data), RawRequest)


def test_response_has_a_type_only_with_a_body() -> None:
    head = "Via: v\r\nFrom: f\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
    assert write_response(486, head, "t") == (
        b"SIP/2.0 486 Busy Here\r\nVia: v\r\nFrom: f\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nTo: t\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert b"Content-Type: application/sdp\r\n" in write_response(200, head, "t", body=b"v=0")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é"])
def test_names_that_are_no_tokens_raise(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        check_headers(((name, "x"),))


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b"])
def test_values_that_would_break_the_message_raise(value: str) -> None:
    with pytest.raises(LocalProtocolError):
        check_headers((("X", value),))
    with pytest.raises(LocalProtocolError):
        check_headers((), value)


@pytest.mark.parametrize(
    ("uri", "address"),
    [("nothing", "sip:a@b"), ("sip:a@b", "nothing"), ("sip:a@b", '"x\r\nVia: y" <sip:a@b>')],
)
def test_addresses_that_would_break_a_request_raise(uri: str, address: str) -> None:
    with pytest.raises(LocalProtocolError):
        check_addresses(uri, address)


@pytest.mark.parametrize("route", ["sip:a.example", "<nothing>", "<sip:a>\r\nX: y"])
def test_routes_that_are_none_raise(route: str) -> None:
    check_routes(("<sip:a.example;lr>",))
    with pytest.raises(LocalProtocolError):
        check_routes(("<sip:a.example;lr>", route))


def test_a_uri_is_put_in_brackets() -> None:
    assert name_addr("sip:a@b") == "<sip:a@b>"
    assert name_addr('"A" <sip:a@b>') == '"A" <sip:a@b>'
