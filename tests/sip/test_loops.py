"""Requests of ours that come back."""

from __future__ import annotations

from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.loops import came_back
from telephony.sip.message import read_request
from tests.sip.wire import PEER, US, HandPeer, header, lines


def _came_back(data: bytes, *ours: tuple[str, str]) -> bool:
    message = parse_message(data)
    assert isinstance(message, RawRequest)
    return came_back(read_request(message, Flow("udp", PEER, US)), set(ours))


def _through_a_proxy(request: bytes, *, method: bytes = b"INVITE") -> bytes:
    via = b"\r\nVia: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bKproxy\r\nVia: "
    return request.replace(b"\r\nVia: ", via, 1).replace(b"INVITE", method)


def test_branches_tell_ours() -> None:
    data = _through_a_proxy(HandPeer().request(branch="z9hG4bKours"))
    assert _came_back(data, ("z9hG4bKours", "INVITE"))
    assert _came_back(data, ("z9hG4bKproxy", "INVITE"))
    assert not _came_back(data, ("z9hG4bKours", "OPTIONS"), ("z9hG4bKother", "INVITE"))
    assert not _came_back(data)


def test_a_call_of_ours_that_a_proxy_sends_back() -> None:
    peer = HandPeer()
    _, invite = peer.calling()
    sent = peer.send(_through_a_proxy(invite))
    assert lines(sent) == ["482 INVITE"]
    assert peer.agent.stats.refused[482] == 1
    assert peer.events() == []


def test_a_call_of_another_with_our_address() -> None:
    peer = HandPeer()
    _, invite = peer.calling()
    branch = header(invite, "Via").partition("branch=")[2].partition(";")[0]
    other = _through_a_proxy(invite).replace(branch.encode(), b"z9hG4bKtheirs")
    assert lines(peer.send(other)) == ["100 INVITE"]


def test_a_call_that_comes_back_when_ours_is_over() -> None:
    """It can no longer go round and round."""
    peer = HandPeer()
    _, invite = peer.calling()
    peer.send(peer.response(invite, 486))
    peer.wait(64)
    peer.events()
    assert lines(peer.send(_through_a_proxy(invite))) == ["100 INVITE"]
