"""Every message's way in: read, matched, admitted."""

from __future__ import annotations

from telephony.sip.config import MessageLimits, UserAgentConfig
from telephony.sip.flow import Flow
from tests.sip.wire import US, HandPeer, header, lines


def test_garbage_is_counted_by_reason_and_never_raises() -> None:
    peer = HandPeer()
    for data in (b"\xff\xfe\x00", b"INVITE", b"SIP/2.0 200 OK\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        assert peer.send(data) == []
    assert peer.agent.stats.malformed == {"bad-start-line": 3, "no-via": 1}
    assert peer.agent.stats.messages_received == 4


def test_keepalives_are_not_messages() -> None:
    peer = HandPeer()
    assert peer.send(b"\r\n\r\n") == []
    assert peer.agent.stats.keepalives_received == 1
    assert peer.agent.stats.messages_received == 0


def test_a_response_of_nobody_is_dropped_and_counted() -> None:
    peer = HandPeer()
    _, invite = peer.calling()
    stray = peer.response(invite, 200).replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")
    assert peer.send(stray) == []
    assert peer.events() == []
    assert peer.agent.stats.responses_unmatched == 1


def test_an_oversized_message_gets_513() -> None:
    peer = HandPeer(UserAgentConfig(limits=MessageLimits(max_body_bytes=10)))
    assert lines(peer.send(peer.request())) == ["513 INVITE"]
    assert peer.agent.stats.refused == {513: 1}


def test_retransmitted_invite_gets_the_last_response() -> None:
    peer = HandPeer()
    invite = peer.request()
    first = peer.send(invite)
    assert peer.send(invite) == first
    (event,) = peer.events()
    peer.agent.ring(event.leg_id, 0.0)
    ringing = peer.sent()
    assert peer.send(invite) == ringing
    peer.agent.reject(event.leg_id, 486, 0.0)
    busy = peer.sent()
    assert peer.send(invite) == busy
    assert peer.agent.stats.retransmissions_received == 3


def test_a_merged_request_gets_482() -> None:
    peer = HandPeer()
    peer.send(peer.request())
    sent = peer.send(peer.request(branch="z9hG4bKother"))
    assert lines(sent) == ["482 INVITE"]
    assert len(peer.events()) == 1


def test_new_requests_are_refused_without_state_when_the_table_is_full() -> None:
    peer = HandPeer(UserAgentConfig(max_server_transactions=2))
    for number in range(5):
        sent = peer.send(peer.request(branch=f"z9hG4bK{number}", call_id=f"c{number}"))
        expected = "100 INVITE" if number < 2 else "503 INVITE"
        assert lines(sent) == [expected]
    assert header(sent[0], "Retry-After")
    assert peer.agent.transaction_count == 2


def test_responses_take_the_stream_they_came_on() -> None:
    peer = HandPeer(transport="tcp")
    flow = Flow("tcp", ("192.0.2.20", 40000), US)
    peer.agent.receive_message(peer.request(rport=False), flow, 0.0)
    assert [outgoing.flow for outgoing in peer.agent.messages_to_send()] == [flow]
