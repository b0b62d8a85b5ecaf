"""Reading what the machines need out of a message."""

from __future__ import annotations

import pytest

from telephony.sip.config import MessageLimits
from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, SipParseError, parse_message
from telephony.sip.message import (
    HeaderView,
    IncomingRequest,
    contact_uri,
    read_request,
    read_response,
    remote_target,
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


def test_the_bare_cookie_identifies_nothing() -> None:
    one, two = (_request(HandPeer().request(branch="z9hG4bK", cseq=n)) for n in (1, 2))
    assert not one.has_cookie
    assert one.transaction_key("INVITE") != two.transaction_key("INVITE")
    assert _request(HandPeer().request(branch="Z9HG4BK1")).has_cookie


@pytest.mark.parametrize("name", ["Via", "Route", "Record-Route"])
@pytest.mark.parametrize("separator", [",", "\r\n"])
def test_hops_are_bounded(name: str, separator: str) -> None:
    value = "SIP/2.0/UDP h" if name == "Via" else "<sip:h;lr>"
    between = f",{value}" if separator == "," else f"\r\n{name}: {value}"
    limits = MessageLimits(max_hop_count=10)

    def read(count: int) -> IncomingRequest:
        extra = f"{name}: {value}{between * (count - 1)}\r\n" if count else ""
        message = parse_message(HandPeer().request(extra=extra), limits)
        assert isinstance(message, RawRequest)
        return read_request(message, _FLOW, limits)

    allowed = 9 if name == "Via" else 10  # The request has a Via of its own.
    assert len(read(allowed).values(name)) == 10
    with pytest.raises(SipParseError) as error:
        read(allowed + 1)
    assert (error.value.reason, error.value.status) == ("too-many-hops", 513)


def test_hops_of_responses_are_bounded() -> None:
    peer = HandPeer()
    _, invite = peer.calling()
    extra = "Record-Route: <sip:h;lr>\r\n" * 101
    assert peer.send(peer.response(invite, 200, extra=extra)) == []
    assert peer.agent.stats.malformed["too-many-hops"] == 1


@pytest.mark.parametrize("second", [";", "SIP/2.0/UDP", "SIP/2.0 h", "h"])
def test_every_via_has_the_shape_of_one(second: str) -> None:
    data = HandPeer().request(extra=f"Via: {second}\r\n")
    with pytest.raises(SipParseError, match="bad-via"):
        _request(data)


@pytest.mark.parametrize("second", ["SIP/2.0/TLS-SCTP h:1;x", "sip / 3.0 / x  h", "X/1/y [::1]"])
def test_vias_of_others_may_be_of_any_kind(second: str) -> None:
    assert len(_request(HandPeer().request(extra=f"Via: {second}\r\n")).via_lines) == 2


@pytest.mark.parametrize(("method", "status"), [("INVITE", 400), ("NEWMETHOD", 501)])
def test_cseq_of_another_method(method: str, status: int) -> None:
    data = HandPeer().request(method).replace(f"1 {method}".encode(), b"1 OPTIONS")
    with pytest.raises(SipParseError) as error:
        _request(data)
    assert (error.value.reason, error.value.status) == ("cseq-method-mismatch", status)


@pytest.mark.parametrize(
    ("branch", "contact", "target"),
    [
        ("z9hG4bK1", "<sip:c@d>", "sip:c@d"),
        ("1", "<sip:c@d>", "sip:c@d"),
        ("1", "*", None),
        ("1", "", "sip:peer@192.0.2.20"),
        ("z9hG4bK1", "", None),
    ],
)
def test_remote_target(branch: str, contact: str, target: str | None) -> None:
    data = HandPeer().request(branch=branch, contact=contact)
    if not contact:
        data = data.replace(b"Contact: \r\n", b"")
    assert remote_target(_request(data)) == target
