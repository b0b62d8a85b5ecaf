from __future__ import annotations

import pytest

from telephony.stacks.pyvoip.draft import Draft

TEXT = "SIP/2.0 200 OK\r\nVia: one\r\nVIA: two\r\nTo: <sip:a@b>\r\nContent-Length: 9\r\n\r\nv=0\r\n"


def test_it_is_read_and_written_with_the_length_it_has() -> None:
    draft = Draft(TEXT)
    assert (draft.start_line, draft.get("to"), draft.body) == (
        "SIP/2.0 200 OK",
        "<sip:a@b>",
        b"v=0\r\n",
    )
    assert draft.encode() == TEXT.replace("VIA", "VIA").replace(": 9", ": 5").encode()


def test_values_take_the_place_of_others_in_any_case() -> None:
    draft = Draft(TEXT)
    draft.set("via", "three", "four", "five")
    draft.set("To")
    draft.set("Contact", "<sip:c>")
    text = draft.encode().decode()
    assert text.split("\r\n")[1:5] == ["via: three", "via: four", "via: five", "Contact: <sip:c>"]
    assert draft.get("To") is None


def test_a_body_is_counted_in_octets_and_an_empty_one_has_no_type() -> None:
    draft = Draft(TEXT)
    draft.describe("text/plain", "é".encode())
    assert b"Content-Type: text/plain\r\nContent-Length: 2\r\n" in draft.encode()
    draft.describe("text/plain", b"")
    assert b"Content-Type" not in draft.encode()
    assert draft.encode().endswith(b"Content-Length: 0\r\n\r\n")


def test_octets_that_are_no_utf_8_go_back_as_they_came() -> None:
    draft = Draft(TEXT)
    draft.set("From", b'"\xff" <sip:x>'.decode("utf-8", "surrogateescape"))
    assert b'From: "\xff" <sip:x>\r\n' in draft.encode()


@pytest.mark.parametrize("text", ["", "x", "\r\n\r\n", "BYE\r\nno colon\r\n"])
def test_anything_can_be_read(text: str) -> None:
    assert Draft(text).encode().endswith(b"\r\n\r\n")


def test_the_method_of_a_request() -> None:
    assert Draft("BYE sip:a SIP/2.0\r\n\r\n").method == "BYE"
