"""An INVITE that waits for our answer: what may happen to it meanwhile."""

from __future__ import annotations

from telephony.sip.events import InviteCancelled, LegEnded, OfferReceived, OfferWithdrawn
from tests.sip.wire import SDP, HandPeer, lines


def test_expires_withdraws_the_invite() -> None:
    peer = HandPeer()
    peer.send(peer.request(extra="Expires: 20\r\n"))
    (event,) = peer.events()
    assert peer.wait(19.9) == []
    assert lines(peer.wait(0.2))[:1] == ["487 INVITE"]
    assert peer.events() == [InviteCancelled(event.leg_id)]


def test_a_ringing_call_repeats_180_each_minute() -> None:
    peer = HandPeer()
    leg_id = peer.invited()
    assert peer.wait(61) == []
    peer.agent.ring(leg_id, peer.now)
    peer.sent()
    assert lines(peer.wait(130)) == ["180 INVITE", "180 INVITE"]


def test_a_stream_that_breaks_before_the_answer_ends_the_leg() -> None:
    peer = HandPeer(transport="tcp")
    leg_id = peer.invited()
    peer.agent.transport_failed(peer.flow, 1.0)
    assert peer.events() == [LegEnded(leg_id, "error", status=503)]
    peer.assert_drained()


def test_a_stream_that_breaks_during_a_reinvite_withdraws_the_offer() -> None:
    peer = HandPeer(transport="tcp")
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
    peer.agent.transport_failed(peer.flow, 1.0)
    assert peer.events() == [OfferReceived(leg_id, SDP), OfferWithdrawn(leg_id)]
    assert leg_id in peer.agent.legs


def test_expires_after_the_answer_changes_nothing() -> None:
    peer = HandPeer()
    peer.send(peer.request(extra="Expires: 20\r\n"))
    (event,) = peer.events()
    peer.agent.answer(event.leg_id, SDP, peer.now)
    sent = peer.wait(25)
    assert "487 INVITE" not in lines(sent)
    assert peer.events() == []
