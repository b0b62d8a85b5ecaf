"""Odd messages in files, and what the user agent makes of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telephony.sip.events import InviteReceived
from tests.sip.wire import HandPeer, header, lines

_FOLDER = Path(__file__).parent.parent / "fixtures" / "sip"

# The answer, and the counter of malformed messages it goes with.
_OUTCOMES: dict[str, tuple[str, str]] = {
    "good_folded_compact_spaced": ("481 INVITE", ""),
    "good_max_forwards_zero": ("200 OPTIONS", ""),
    "good_escaped_user_and_semicolons": ("100 INVITE", ""),
    "good_host_names_with_digits_and_underscores": ("100 INVITE", ""),
    "good_latin1_display_name": ("100 INVITE", ""),
    "good_unquoted_utf8_display_name": ("100 INVITE", ""),
    "good_lower_case_version": ("200 OPTIONS", ""),
    "good_multipart_with_sdp": ("100 INVITE", ""),
    "good_ipv6_via_and_contact": ("100 INVITE", ""),
    "bad_cseq_method_mismatch": ("400 NEWMETHOD", "cseq-method-mismatch"),
    "bad_cseq_overflow": ("400 OPTIONS", "bad-cseq"),
    "bad_max_forwards_not_a_number": ("400 OPTIONS", "bad-max-forwards"),
    "bad_max_forwards_too_high": ("400 OPTIONS", "bad-max-forwards"),
    "bad_content_length_negative": ("400 OPTIONS", "bad-content-length"),
    "bad_content_length_beyond_the_body": ("400 OPTIONS", "short-body"),
    "bad_content_length_twice": ("400 OPTIONS", "content-length-conflict"),
    "bad_content_length_huge": ("513 OPTIONS", "too-large"),
    "bad_uri_in_brackets": ("400 OPTIONS", "bad-request-uri"),
    "bad_uri_with_spaces": ("400 OPTIONS", "bad-request-uri"),
    "bad_uri_port": ("400 OPTIONS", "bad-request-uri"),
    "bad_uri_scheme": ("416 OPTIONS", "bad-request-uri"),
    "bad_version": ("505 OPTIONS", "bad-version"),
    "bad_header_without_colon": ("400 OPTIONS", "bad-header-line"),
    "bad_two_different_call_ids": ("400 OPTIONS", "repeated-call-id"),
    "bad_from_without_uri": ("400 OPTIONS", "bad-address"),
    "good_zero_octet_in_a_header": ("200 OPTIONS", ""),
    "bad_no_blank_line": ("400 OPTIONS", "no-end-of-headers"),
    "bad_no_call_id": ("400 OPTIONS", "no-call-id"),
    "bad_no_via": ("", "no-via"),
    "bad_via_garbage": ("", "bad-via"),
    "bad_ack_with_wrong_cseq": ("", "cseq-method-mismatch"),
    "bad_start_line": ("", "bad-start-line"),
    "bad_line_feed_in_a_header": ("400 OPTIONS", "bad-header-line"),
    "bad_http": ("", "bad-start-line"),
    "bad_response_status_overflow": ("", "bad-status-line"),
    "bad_response_for_someone_else": ("", "misrouted-response"),
}


def load(name: str) -> bytes:
    text = (_FOLDER / f"{name}.sip").read_bytes().replace(b"\n", b"\r\n")
    return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match.group(1), 16)]), text)


def test_every_file_has_an_outcome() -> None:
    assert {path.stem for path in _FOLDER.glob("*.sip")} == set(_OUTCOMES)


@pytest.mark.parametrize("name", _OUTCOMES)
def test_outcome(name: str) -> None:
    answer, reason = _OUTCOMES[name]
    peer = HandPeer()
    sent = peer.send(load(name))
    assert lines(sent) == ([answer] if answer else [])
    assert list(peer.agent.stats.malformed) == ([reason] if reason else [])


def _invite(name: str) -> tuple[InviteReceived, bytes]:
    peer = HandPeer()
    (trying,) = peer.send(load(name))
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    return event, trying


def test_octets_that_are_not_utf8_go_back_as_they_came() -> None:
    event, trying = _invite("good_latin1_display_name")
    assert event.from_display == "Jos�"
    assert b'From: "Jos\xe9" <sip:jose@192.0.2.1>;tag=lat\r\n' in trying


def test_display_name_without_quotes() -> None:
    event, _ = _invite("good_unquoted_utf8_display_name")
    assert event.from_display == "Jörg (Büro)"


def test_sdp_is_found_in_a_multipart_body() -> None:
    event, _ = _invite("good_multipart_with_sdp")
    assert event.sdp == b"v=0\r\ns=-"


def test_request_uri_is_reported_as_written() -> None:
    event, _ = _invite("good_host_names_with_digits_and_underscores")
    assert event.request_uri == "sip:*55#@bot_1:5060;self=1"
    assert event.from_uri == "sip:1001@pbx1"


def test_copies_of_a_broken_request_get_the_same_tag() -> None:
    peer = HandPeer()
    data = load("bad_cseq_method_mismatch")
    (one,), (two,) = peer.send(data), peer.send(data)
    assert header(one, "To") == header(two, "To")
    assert ";tag=" in header(one, "To")
    assert peer.agent.transaction_count == 0
