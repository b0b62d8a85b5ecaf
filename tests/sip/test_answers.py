"""Our answers: 200 until the ACK, offers in re-INVITEs, refusals."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.config import TimerConfig, UserAgentConfig
from telephony.sip.events import (
    AckTimedOut,
    AnswerReceived,
    LegConfirmed,
    LegEnded,
    OfferReceived,
)
from telephony.sip.flow import Transport
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, body, header, lines, tag


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_200_is_repeated_until_the_ack(transport: Transport) -> None:
    """T1 doubling to T2, on streams as well (section 13.3.1.4)."""
    peer = HandPeer(transport=transport)
    leg_id = peer.invited()
    peer.agent.answer(leg_id, SDP, peer.now)
    (ok,) = peer.sent()
    assert peer.timed(12) == [(due, "200 INVITE") for due in (0.5, 1.5, 3.5, 7.5, 11.5)]
    ours = tag(header(ok, "To"))
    peer.send(peer.request("ACK", branch="z9hG4bK2", to_tag=ours))
    assert peer.wait(100) == []
    assert peer.events() == [LegConfirmed(leg_id, None)]


def test_without_an_ack_the_call_ends_after_64_t1() -> None:
    peer = HandPeer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, SDP, peer.now)
    peer.sent()
    sent = peer.wait(31.9)
    assert set(lines(sent)) == {"200 INVITE"}
    assert len(sent) == 10
    (bye,) = peer.wait(0.2)
    assert lines([bye]) == ["BYE"]
    assert peer.events() == [AckTimedOut(leg_id), LegEnded(leg_id, "error", status=408)]
    assert len(peer.agent.dialogs) == 1
    peer.send(peer.response(bye, 200))
    assert not peer.agent.dialogs
    peer.assert_drained()


def test_timers_follow_t1_and_t2() -> None:
    peer = HandPeer(UserAgentConfig(timers=TimerConfig(t1_s=0.1, t2_s=0.4)))
    leg_id = peer.invited()
    peer.agent.answer(leg_id, SDP, peer.now)
    peer.sent()
    assert lines(peer.wait(0.75)) == ["200 INVITE"] * 3
    peer.wait(5.7)
    assert AckTimedOut(leg_id) in peer.events()


def test_bye_waits_for_the_ack() -> None:
    """Section 15: the callee must not send BYE before the ACK of its 2xx."""
    peer = HandPeer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, SDP, peer.now)
    ours = tag(header(peer.sent()[0], "To"))
    peer.agent.bye(leg_id, peer.now, (("Reason", "Q.850;cause=16"),))
    assert peer.sent() == []
    assert peer.events() == [LegEnded(leg_id, "local")]
    (bye,) = peer.send(peer.request("ACK", branch="z9hG4bK2", to_tag=ours))
    assert lines([bye]) == ["BYE"]
    assert header(bye, "Reason") == "Q.850;cause=16"
    assert peer.events() == []
    peer.assert_drained()


def test_bye_that_waits_is_sent_when_no_ack_comes() -> None:
    peer = HandPeer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, SDP, peer.now)
    peer.agent.bye(leg_id, peer.now)
    peer.sent()
    assert "BYE" in lines(peer.wait(33))
    assert peer.events() == [LegEnded(leg_id, "local")]
    peer.assert_drained()


def test_bye_that_waits_is_dropped_when_the_peer_is_faster() -> None:
    peer = HandPeer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, SDP, peer.now)
    ours = tag(header(peer.sent()[0], "To"))
    peer.agent.bye(leg_id, peer.now)
    sent = peer.send(peer.request("BYE", branch="z9hG4bK2", cseq=2, to_tag=ours))
    assert lines(sent) == ["200 BYE"]
    assert peer.wait(100) == []
    assert peer.events() == [LegEnded(leg_id, "local")]


def test_bye_does_not_wait_for_the_ack_of_a_reinvite() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
    peer.agent.answer_offer(leg_id, SDP, peer.now)
    peer.sent()
    peer.agent.bye(leg_id, peer.now)
    (bye,) = peer.sent()
    assert lines([bye]) == ["BYE"]
    peer.send(peer.response(bye, 200))
    assert peer.wait(40) == []


def test_delayed_offer() -> None:
    peer = HandPeer()
    peer.send(peer.request(sdp=None))
    (event,) = peer.events()
    assert event.sdp is None
    peer.agent.answer(event.leg_id, SDP, peer.now)
    (ok,) = peer.sent()
    assert body(ok) == SDP
    ack = peer.request(
        "ACK",
        branch="z9hG4bK2",
        to_tag=tag(header(ok, "To")),
        extra="Content-Type: application/sdp\r\n",
    )
    length = f"Content-Length: {len(OTHER_SDP)}\r\n\r\n".encode()
    peer.send(ack.replace(b"Content-Length: 0\r\n\r\n", length) + OTHER_SDP)
    assert peer.events() == [LegConfirmed(event.leg_id, OTHER_SDP)]


def test_reinvite_is_answered_and_moves_the_target() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    moved = peer.request(
        branch="z9hG4bK2", cseq=2, to_tag=ours, contact="<sip:peer@192.0.2.20:7070>", sdp=OTHER_SDP
    )
    assert lines(peer.send(moved)) == ["100 INVITE"]
    assert peer.events() == [OfferReceived(leg_id, OTHER_SDP)]
    assert peer.agent.answer_offer(leg_id, SDP, peer.now)
    (ok,) = peer.sent()
    assert (lines([ok]), body(ok)) == (["200 INVITE"], SDP)
    peer.send(peer.request("ACK", branch="z9hG4bK3", cseq=2, to_tag=ours))
    assert peer.events() == []
    peer.agent.bye(leg_id, peer.now)
    (bye,) = peer.agent.messages_to_send()
    assert bye.data.startswith(b"BYE sip:peer@192.0.2.20:7070 SIP/2.0\r\n")
    assert bye.flow.remote == ("192.0.2.20", 7070)


def test_reinvite_without_offer_gets_ours_and_reports_the_answer() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours, sdp=None))
    assert peer.events() == [OfferReceived(leg_id, None)]
    peer.agent.answer_offer(leg_id, SDP, peer.now)
    peer.sent()
    ack = peer.request("ACK", branch="z9hG4bK3", cseq=2, to_tag=ours)
    typed = f"Content-Type: application/sdp\r\nContent-Length: {len(OTHER_SDP)}\r\n\r\n".encode()
    peer.send(ack.replace(b"Content-Length: 0\r\n\r\n", typed) + OTHER_SDP)
    assert peer.events() == [AnswerReceived(leg_id, OTHER_SDP)]


def test_reinvite_without_ack_ends_the_call() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
    peer.agent.answer_offer(leg_id, SDP, peer.now)
    peer.events()
    peer.wait(33)
    assert peer.events() == [AckTimedOut(leg_id), LegEnded(leg_id, "error", status=408)]


def test_refused_reinvite_keeps_the_target_and_the_call() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    moved = peer.request(
        branch="z9hG4bK2", cseq=2, to_tag=ours, contact="<sip:peer@192.0.2.20:7070>"
    )
    peer.send(moved)
    assert peer.agent.refuse_offer(leg_id, 488, peer.now)
    assert lines(peer.sent()) == ["488 INVITE"]
    assert not peer.agent.refuse_offer(leg_id, 488, peer.now)
    peer.agent.bye(leg_id, peer.now)
    assert peer.sent()[0].startswith(b"BYE sip:peer@192.0.2.20:5060 SIP/2.0\r\n")


def test_rejection_with_reason_and_headers() -> None:
    peer = HandPeer()
    leg_id = peer.invited()
    peer.agent.reject(leg_id, 503, peer.now, "Full House", (("Retry-After", "5"),))
    (refusal,) = peer.sent()
    assert refusal.startswith(b"SIP/2.0 503 Full House\r\n")
    assert header(refusal, "Retry-After") == "5"
    assert peer.events() == [LegEnded(leg_id, "local", status=503)]
    assert not peer.agent.dialogs
    peer.assert_drained()


def test_misuse_raises() -> None:
    peer = HandPeer()
    leg_id = peer.invited()
    agent = peer.agent
    for misuse in (
        lambda: agent.bye(leg_id, 0.0),
        lambda: agent.cancel(leg_id, 0.0),
        lambda: agent.reinvite(leg_id, SDP, 0.0),
        lambda: agent.answer_offer(leg_id, SDP, 0.0),
        lambda: agent.refuse_offer(leg_id, 488, 0.0),
        lambda: agent.reject(leg_id, 200, 0.0),
        lambda: agent.reject(leg_id, 486, 0.0, "a\r\nb"),
        lambda: agent.reject(leg_id, 486, 0.0, headers=(("X", "a\r\nVia: b"),)),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
    agent.answer(leg_id, SDP, 0.0)
    for misuse in (
        lambda: agent.answer(leg_id, SDP, 0.0),
        lambda: agent.ring(leg_id, 0.0),
        lambda: agent.reject(leg_id, 486, 0.0),
        lambda: agent.request(leg_id, "INVITE", 0.0),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()


def test_commands_to_a_leg_that_is_over_return_false() -> None:
    agent = HandPeer().agent
    assert not agent.ring("gone", 0.0)
    assert not agent.answer("gone", SDP, 0.0)
    assert not agent.reject("gone", 486, 0.0)
    assert not agent.cancel("gone", 0.0)
    assert not agent.bye("gone", 0.0)
    assert not agent.answer_offer("gone", SDP, 0.0)
    assert not agent.refuse_offer("gone", 488, 0.0)
    assert not agent.reinvite("gone", SDP, 0.0)
    assert not agent.request("gone", "INFO", 0.0)
    assert agent.stats.commands_too_late == 9
