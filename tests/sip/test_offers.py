"""Offers outside of INVITE: when they come, and when nobody answers them."""

from __future__ import annotations

from telephony.sip.events import OfferReceived, OfferWithdrawn
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, header, lines, with_sdp


def _update(peer: HandPeer, ours: str, cseq: int = 2) -> bytes:
    data = peer.request("UPDATE", branch=f"z9hG4bKu{cseq}", cseq=cseq, to_tag=ours)
    return with_sdp(data, SDP)


def test_an_offer_that_nobody_answers_gets_504() -> None:
    """RFC 3311 section 5.2: UPDATE is no request that waits for a person."""
    peer = HandPeer()
    leg_id, ours = peer.up()
    assert peer.send(_update(peer, ours)) == []
    assert lines(peer.wait(20)) == ["504 UPDATE"]
    assert peer.events() == [OfferReceived(leg_id, SDP), OfferWithdrawn(leg_id)]
    assert not peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)


def test_an_offer_whose_call_ends_is_answered_all_the_same() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    peer.send(_update(peer, ours))
    peer.agent.bye(leg_id, peer.now)
    (bye,) = peer.sent()
    peer.send(peer.response(bye, 200))
    assert lines(peer.wait(20)) == ["504 UPDATE"]
    assert not any(isinstance(event, OfferWithdrawn) for event in peer.events())
    peer.assert_drained()


def test_a_second_offer_before_the_first_is_answered_gets_500() -> None:
    peer = HandPeer()
    _, ours = peer.up()
    peer.send(_update(peer, ours))
    (refusal,) = peer.send(_update(peer, ours, cseq=3))
    assert lines([refusal]) == ["500 UPDATE"]
    assert 0 <= int(header(refusal, "Retry-After")) <= 10
    empty = peer.request("UPDATE", branch="z9hG4bKu4", cseq=4, to_tag=ours)
    assert lines(peer.send(empty)) == ["500 UPDATE"]
    invite = peer.request(branch="z9hG4bKi", cseq=5, to_tag=ours)
    assert lines(peer.send(invite)) == ["500 INVITE"]


def test_an_offer_while_ours_is_open_gets_491() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    peer.agent.reinvite(leg_id, OTHER_SDP, peer.now)
    peer.sent()
    assert lines(peer.send(_update(peer, ours))) == ["491 UPDATE"]


def test_an_update_while_a_reinvite_waits_gets_500() -> None:
    peer = HandPeer()
    _, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
    assert lines(peer.send(_update(peer, ours, cseq=3))) == ["500 UPDATE"]


def test_an_offer_in_our_200_without_its_answer_makes_others_collide() -> None:
    peer = HandPeer()
    peer.send(peer.request(sdp=None))
    (event,) = peer.events()
    peer.agent.answer(event.leg_id, SDP, peer.now)
    ours = header(peer.sent()[0], "To").rpartition(";tag=")[2]
    assert lines(peer.send(_update(peer, ours))) == ["491 UPDATE"]
