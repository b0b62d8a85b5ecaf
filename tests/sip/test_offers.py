"""Offers outside of INVITE: when they come, and when nobody answers them."""

from __future__ import annotations

from telephony.sip.events import OfferReceived, OfferWithdrawn
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, header, lines, tag, with_sdp


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


def test_an_offer_of_a_callee_out_of_the_race_gets_481() -> None:
    peer = HandPeer()
    contact = "Contact: <sip:far@192.0.2.20:5060>\r\n"
    leg_id, invite = peer.calling()
    reliable = f"{contact}Require: 100rel\r\nRSeq: 5\r\n"
    early = peer.response(invite, 183, to_tag="one", sdp=OTHER_SDP, extra=reliable)
    (prack,) = peer.send(early)
    peer.send(peer.response(prack, 200))
    call_id, ours = header(invite, "Call-ID"), tag(header(invite, "From"))
    moved = "<sip:one@192.0.2.20:7070>"
    offer = peer.request(
        "UPDATE", to_tag=ours, from_tag="one", call_id=call_id, contact=moved, branch="z9hG4bKu"
    )
    assert peer.send(with_sdp(offer, SDP)) == []
    peer.send(peer.response(invite, 200, to_tag="other", sdp=OTHER_SDP))
    assert not peer.agent.answer_offer(leg_id, SDP, peer.now)
    assert lines(peer.sent()) == ["481 UPDATE"]
    peer.agent.bye(leg_id, peer.now)
    assert peer.sent()[0].startswith(b"BYE sip:far@192.0.2.20:5060 SIP/2.0\r\n")
