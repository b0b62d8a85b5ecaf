"""Calls of ours, to a peer that writes every message by hand."""

from __future__ import annotations

import pytest

from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.events import CallAnswered, CallFailed, CallProgressed, LegEnded
from telephony.sip.flow import Flow
from tests.sip.challenging import challenge_lines
from tests.sip.wire import OTHER_SDP, PEER, SDP, US, body, header, headers, lines, tag
from tests.support.pyvoip import faults, hand_peer, require_pyvoip

require_pyvoip()

SECRET = Credentials("bot", "secret")


def test_the_invite_is_what_was_asked_for() -> None:
    peer = hand_peer()
    leg_id = peer.agent.invite(
        "sip:*55;x=1@192.0.2.20;user=phone",
        '"Bö: t" <sip:+4930@example.com>',
        SDP,
        peer.flow,
        0.0,
        (("P-Asserted-Identity", "<sip:+4930@example.com>"),),
        "sip:far@example.com",
        routes=("<sip:proxy.example.com;lr>",),
    )
    (invite,) = peer.sent()
    assert invite.startswith(b"INVITE sip:*55;x=1@192.0.2.20;user=phone SIP/2.0\r\n")
    assert header(invite, "From") == f'"Bö: t" <sip:+4930@example.com>;tag={leg_id}'
    assert header(invite, "To") == "<sip:far@example.com>"
    assert header(invite, "Route") == "<sip:proxy.example.com;lr>"
    assert header(invite, "P-Asserted-Identity") == "<sip:+4930@example.com>"
    assert header(invite, "Contact") == "<sip:192.0.2.10:5060>"
    assert body(invite) == SDP
    assert faults(peer) == {}


def test_a_call_that_is_answered() -> None:
    peer = hand_peer()
    leg_id, invite = peer.calling()
    assert not peer.agent.is_heard(leg_id)
    peer.send(peer.response(invite, 100))
    assert peer.agent.is_heard(leg_id)
    assert peer.events() == []
    peer.send(peer.response(invite, 183, sdp=OTHER_SDP))
    (progressed,) = peer.events()
    assert progressed == CallProgressed(leg_id, 183, OTHER_SDP, "far")
    route = "Contact: <sip:there@192.0.2.30:5070>\r\nRecord-Route: <sip:p;lr>\r\n"
    (ack,) = peer.send(peer.response(invite, 200, sdp=OTHER_SDP, extra=route))
    assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]
    assert ack.startswith(b"ACK sip:there@192.0.2.30:5070 SIP/2.0\r\n")
    assert header(ack, "To").endswith(";tag=far")
    assert header(ack, "Route") == "<sip:p;lr>"
    assert header(ack, "CSeq") == "1 ACK"
    assert header(ack, "Via") != header(invite, "Via")
    # The 200 comes again: so does the same ACK.
    assert peer.send(peer.response(invite, 200, sdp=OTHER_SDP, extra=route)) == [ack]
    peer.agent.bye(leg_id, 0.0)
    (bye,) = peer.sent()
    assert header(bye, "CSeq") == "2 BYE"
    peer.send(peer.response(bye, 200))
    assert peer.events() == [LegEnded(leg_id, "local")]
    peer.assert_drained()


def test_a_callee_that_described_the_session_early_need_not_do_it_again() -> None:
    peer = hand_peer()
    leg_id, invite = peer.calling()
    peer.send(peer.response(invite, 183, sdp=OTHER_SDP))
    peer.send(peer.response(invite, 200))
    assert peer.events()[-1] == CallAnswered(leg_id, OTHER_SDP)


@pytest.mark.parametrize("status", [302, 404, 486, 488, 500, 503, 600, 603, 699])
def test_a_call_that_is_refused(status: int) -> None:
    peer = hand_peer()
    leg_id, invite = peer.calling()
    (ack,) = peer.send(peer.response(invite, status))
    assert ack.startswith(b"ACK sip:far@192.0.2.20 SIP/2.0\r\n")
    assert header(ack, "Via") == header(invite, "Via")
    assert header(ack, "CSeq") == "1 ACK"
    (failed,) = peer.events()
    assert failed == CallFailed(leg_id, status, "Whatever")
    assert failed.headers.get("Call-ID") == header(invite, "Call-ID")
    peer.assert_drained()
    assert faults(peer) == {}


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_is_answered_with_qop(status: int) -> None:
    peer = hand_peer()
    leg_id, invite = peer.calling(credentials=SECRET)
    ack, again = peer.send(peer.response(invite, status, extra=challenge_lines(status)))
    assert lines([ack, again]) == ["ACK", "INVITE"]
    assert header(again, "CSeq") == "2 INVITE"
    assert header(again, "Call-ID") == header(invite, "Call-ID")
    assert header(again, "From") == header(invite, "From")
    assert body(again) == SDP
    answer = header(again, "Authorization" if status == 401 else "Proxy-Authorization")
    assert 'uri="sip:far@192.0.2.20"' in answer
    assert "qop=auth" in answer
    (ack,) = peer.send(peer.response(again, 200, sdp=OTHER_SDP))
    assert header(ack, "CSeq") == "2 ACK"
    assert [type(event) for event in peer.events()] == [CallAnswered]
    peer.agent.bye(leg_id, 0.0)
    (bye,) = peer.sent()
    assert header(bye, "CSeq") == "3 BYE"
    assert headers(bye, "Proxy-Authorization") + headers(bye, "Authorization")


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_without_a_password_or_with_a_wrong_one_fails_the_call(status: int) -> None:
    for options in ({}, {"credentials": SECRET}):
        peer = hand_peer()
        _, invite = peer.calling(**options)
        sent = peer.send(peer.response(invite, status, extra=challenge_lines(status)))
        if options:
            again = challenge_lines(status, "n2")
            sent = peer.send(peer.response(sent[1], status, extra=again))
        assert lines(sent) == ["ACK"]
        assert [event.status for event in peer.events()] == [status]
        peer.assert_drained()


def test_a_call_is_cancelled_once_somebody_was_heard() -> None:
    peer = hand_peer()
    leg_id, invite = peer.calling()
    peer.agent.cancel(leg_id, 0.0, (("Reason", "SIP;cause=200"),))
    assert peer.sent() == []
    (cancel,) = peer.send(peer.response(invite, 180))
    assert cancel.startswith(b"CANCEL sip:far@192.0.2.20 SIP/2.0\r\n")
    assert header(cancel, "Via") == header(invite, "Via")
    assert header(cancel, "CSeq") == "1 CANCEL"
    assert header(cancel, "To") == "<sip:far@192.0.2.20>"
    assert header(cancel, "Reason") == "SIP;cause=200"
    peer.send(peer.response(cancel, 200))
    peer.send(peer.response(invite, 487))
    (failed,) = peer.events()
    assert (failed.status, failed.reason) == (487, "Request Terminated")
    peer.assert_drained()


def test_a_call_that_is_answered_as_it_is_cancelled_is_hung_up() -> None:
    peer = hand_peer()
    leg_id, invite = peer.calling()
    peer.send(peer.response(invite, 180))
    peer.events()
    peer.agent.cancel(leg_id, 0.0)
    peer.sent()
    ack, bye = peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
    assert lines([ack, bye]) == ["ACK", "BYE"]
    assert [event.status for event in peer.events()] == [487]
    peer.assert_drained()


def test_a_second_callee_that_answers_is_hung_up() -> None:
    peer = hand_peer()
    leg_id, invite = peer.calling()
    peer.send(peer.response(invite, 200, to_tag="one", sdp=OTHER_SDP))
    ack, bye = peer.send(peer.response(invite, 200, to_tag="two", sdp=OTHER_SDP))
    assert (tag(header(ack, "To")), tag(header(bye, "To"))) == ("two", "two")
    assert lines([ack, bye]) == ["ACK", "BYE"]
    assert lines(peer.send(peer.response(invite, 200, to_tag="two"))) == ["ACK"]
    peer.send(peer.response(bye, 200))
    assert set(peer.agent.legs) == {leg_id}


def test_nobody_answers_and_the_invite_is_repeated() -> None:
    peer = hand_peer()
    leg_id, _ = peer.calling()
    assert peer.timed(40) == [(due, "INVITE") for due in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    (failed,) = peer.events()
    assert (failed.leg_id, failed.status) == (leg_id, 408)
    assert failed.headers.get("Call-ID") is None
    peer.assert_drained()


def test_ringing_for_too_long_is_cancelled() -> None:
    peer = hand_peer(UserAgentConfig(ring_timeout_s=20))
    _, invite = peer.calling()
    peer.send(peer.response(invite, 180))
    peer.events()
    (cancel,) = peer.wait(20.1)
    assert cancel.startswith(b"CANCEL ")
    peer.send(peer.response(invite, 487))
    assert [event.status for event in peer.events()] == [408]


def test_another_transport_is_refused() -> None:
    peer = hand_peer()
    with pytest.raises(OSError, match="UDP only"):
        peer.agent.invite("sip:a@192.0.2.20", "sip:b@c", SDP, Flow("tcp", PEER, US), 0.0)
    assert not peer.agent.legs


def test_a_fault_of_pyvoip_costs_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from telephony.stacks.pyvoip.client import Client

    peer = hand_peer()
    _, other = peer.calling()
    with monkeypatch.context() as broken:
        broken.setattr(Client, "gen_ack", lambda *_: 1 / 0)
        _, invite = peer.calling()
        (bye,) = peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
        assert bye.startswith(b"BYE ")
    assert [event.status for event in peer.events()] == [500]
    assert faults(peer) == {"ZeroDivisionError": 1}
    assert lines(peer.send(peer.response(other, 200, sdp=OTHER_SDP))) == ["ACK"]


def test_an_invite_that_pyvoip_can_not_write_is_a_call_that_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from telephony.stacks.pyvoip.client import Client

    monkeypatch.setattr(Client, "gen_invite", lambda *_: [][0])
    peer = hand_peer()
    leg_id = peer.agent.invite("sip:a@192.0.2.20", "sip:b@c", SDP, peer.flow, 0.0)
    assert peer.agent.legs[leg_id].call_id
    assert peer.events() == []
    peer.agent.handle_timer(0.0)
    assert [event.status for event in peer.events()] == [500]
    peer.assert_drained()
