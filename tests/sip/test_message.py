"""Reading what the machines need out of a message."""

from __future__ import annotations

import pytest

from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, SipParseError, parse_message
from telephony.sip.message import (
    HeaderView,
    IncomingRequest,
    contact_uri,
    read_request,
    read_response,
)
from tests.sip.wire import PEER, US, HandPeer

_FLOW = Flow("udp", PEER, US)


def _request(data: bytes) -> IncomingRequest:
    message = parse_message(data)
    assert isinstance(message, RawRequest)
    return read_request(message, _FLOW)


def test_request() -> None:
    request = _request(HandPeer().request("BYE", to_tag="ours", cseq=7))
    assert (request.method, request.uri, request.cseq) == ("BYE", "sip:bot@192.0.2.10", 7)
    assert request.dialog_key == ("call-1", "ours", "peer")
    assert request.merge_key == ("call-1", "peer", "7", "BYE")


def test_transaction_key_with_and_without_the_cookie() -> None:
    invite = _request(HandPeer().request())
    assert invite.transaction_key("ACK") == ("z9hG4bK1", "192.0.2.20:5060", "ACK")
    old = _request(HandPeer().request(branch="1"))
    later = _request(HandPeer().request(branch="1", cseq=2))
    assert old.transaction_key("INVITE") != later.transaction_key("INVITE")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Via: ", b"X: ", "no-via"),
        (b"SIP/2.0/UDP", b"SIP/9.0/UDP", "bad-via"),
        (b"Call-ID: call-1", b"Call-ID: ", "no-call-id"),
        (b"From: ", b"Form: ", "no-from"),
        (b"To: ", b"To: <sip:x@y>\r\nTo: ", "repeated-to"),
        (b"CSeq: 1 INVITE", b"CSeq: 1 BYE", "cseq-method-mismatch"),
        (b"CSeq: 1 INVITE", b"CSeq: 2147483648 INVITE", "bad-cseq"),
        (b"CSeq: 1 INVITE", b"CSeq: INVITE", "bad-cseq"),
        (b"Max-Forwards: 70", b"Max-Forwards: 256", "bad-max-forwards"),
        (b"To: <sip:bot@192.0.2.10>", b"To: <>", "bad-address"),
    ],
)
def test_broken_requests_name_their_fault_and_keep_their_headers(
    old: bytes, new: bytes, reason: str
) -> None:
    data = HandPeer().request()
    assert old in data
    with pytest.raises(SipParseError) as error:
        _request(data.replace(old, new))
    assert error.value.reason == reason
    assert error.value.method == "INVITE"
    assert error.value.headers is not None


def test_response() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    message = parse_message(peer.response(invite, 180))
    assert not isinstance(message, RawRequest)
    response = read_response(message)
    assert (response.status, response.method, response.cseq) == (180, "INVITE", 1)
    assert (response.from_tag, response.to_tag) == (leg_id, "far")


def test_header_view() -> None:
    request = _request(HandPeer().request(extra="X-A: one\r\nx-a: tw\xc3\r\n"))
    view = HeaderView(request.headers)
    assert view["x-A"] == "one"
    assert view.get("missing") is None
    assert ("X-a" in view, 1 in view) == (True, False)
    assert view.get_all("X-A") == ["one", "twÃ"]
    assert set(view) >= {"Via", "From", "To"}
    assert len(view) == len(list(view))


@pytest.mark.parametrize(
    ("contact", "uri"),
    [
        ("<sip:a@b;x=a+b>;expires=3, <sip:c@d>", "sip:a@b;x=a+b"),
        ("sip:a@b", "sip:a@b"),
        ("<sip:a@b?Replaces=x>", "sip:a@b"),
        ("*", None),
        ("<sip:a@b:0>", None),
    ],
)
def test_contact_uri(contact: str, uri: str | None) -> None:
    assert contact_uri(_request(HandPeer().request(contact=contact)).headers) == uri
