from __future__ import annotations

import pytest

from telephony.stacks.pjsip.messages import header_of, headers_of, replacing_uri

OK = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:bot@h>;tag=ours\r\n"
    b"To: <sip:agent@h>;tag=theirs\r\nCall-ID: a/b@h\r\nCSeq: 1 INVITE\r\n\r\n"
)


def test_headers_of_what_is_no_message_are_none() -> None:
    assert header_of(OK, "call-id") == "a/b@h"
    assert header_of(OK, "Reason") == ""
    assert len(headers_of(b"\x00garbage")) == 0


def test_the_dialog_to_be_replaced_is_named_as_its_other_end_sees_it() -> None:
    uri = replacing_uri("sip:agent@192.0.2.1:5062", headers_of(OK))
    replaces = "a%2Fb%40h%3Bto-tag%3Dtheirs%3Bfrom-tag%3Dours"
    assert uri == f"sip:agent@192.0.2.1:5062?Replaces={replaces}"


@pytest.mark.parametrize("line", [b";tag=ours", b";tag=theirs", b"Call-ID: a/b@h\r\n"])
def test_without_its_names_no_dialog_is_named(line: bytes) -> None:
    assert replacing_uri("sip:agent@h", headers_of(OK.replace(line, b""))) == ""
