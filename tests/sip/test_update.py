"""UPDATE in both directions, before and after the answer."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.events import (
    AnswerReceived,
    InviteReceived,
    LegEnded,
    OfferReceived,
    ReinviteFailed,
)
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, body, header, lines, tag, with_sdp

ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, update\r\n"
NEW_SDP = b"v=0\r\no=- 3 3 IN IP4 192.0.2.3\r\ns=-\r\n"


def _up(peer: HandPeer, extra: str = ALLOW) -> tuple[str, str]:
    """Receive a call of a peer that allows UPDATE, answer and confirm it."""
    peer.send(peer.request(extra=extra))
    (event,) = peer.events()
    peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
    ours = tag(header(peer.sent()[-1], "To"))
    peer.send(peer.request("ACK", branch="z9hG4bK1a", to_tag=ours))
    peer.events()
    return event.leg_id, ours


def _update(peer: HandPeer, ours: str, sdp: bytes = b"", cseq: int = 2, **more: str) -> bytes:
    data = peer.request("UPDATE", branch=f"z9hG4bKu{cseq}", cseq=cseq, to_tag=ours, **more)
    return with_sdp(data, sdp) if sdp else data


class TestTheirs:
    def test_with_an_offer_is_answered_by_answer_offer(self) -> None:
        peer = HandPeer()
        leg_id, ours = _up(peer)
        moved = _update(peer, ours, NEW_SDP, contact="<sip:peer@192.0.2.20:7070>")
        assert peer.send(moved) == []
        assert peer.events() == [OfferReceived(leg_id, NEW_SDP)]
        assert peer.agent.answer_offer(leg_id, SDP, peer.now)
        (ok,) = peer.sent()
        assert (lines([ok]), body(ok)) == (["200 UPDATE"], SDP)
        assert header(ok, "Contact")
        peer.agent.bye(leg_id, peer.now)
        assert peer.sent()[0].startswith(b"BYE sip:peer@192.0.2.20:7070 SIP/2.0\r\n")

    def test_refused_changes_nothing(self) -> None:
        peer = HandPeer()
        leg_id, ours = _up(peer)
        peer.send(_update(peer, ours, NEW_SDP, contact="<sip:peer@192.0.2.20:7070>"))
        assert peer.agent.refuse_offer(leg_id, 488, peer.now, (("Warning", '399 a "b"'),))
        (refusal,) = peer.sent()
        assert (lines([refusal]), header(refusal, "Warning")) == (["488 UPDATE"], '399 a "b"')
        peer.agent.bye(leg_id, peer.now)
        assert peer.sent()[0].startswith(b"BYE sip:peer@192.0.2.20:5060 SIP/2.0\r\n")

    def test_without_an_offer_moves_the_target_and_is_not_reported(self) -> None:
        peer = HandPeer()
        leg_id, ours = _up(peer)
        (ok,) = peer.send(_update(peer, ours, contact="<sip:peer@192.0.2.20:7070>"))
        assert (lines([ok]), body(ok)) == (["200 UPDATE"], b"")
        assert peer.events() == []
        peer.agent.bye(leg_id, peer.now)
        assert peer.sent()[0].startswith(b"BYE sip:peer@192.0.2.20:7070 SIP/2.0\r\n")

    def test_with_a_body_of_another_kind_gets_415(self) -> None:
        peer = HandPeer()
        _, ours = _up(peer)
        data = _update(peer, ours, SDP).replace(b"application/sdp", b"text/plain")
        assert lines(peer.send(data)) == ["415 UPDATE"]

    def test_outside_of_a_dialog_gets_481(self) -> None:
        peer = HandPeer()
        assert lines(peer.send(peer.request("UPDATE"))) == ["481 UPDATE"]

    def test_before_the_answer_only_after_a_reliable_one(self) -> None:
        peer = HandPeer()
        peer.send(peer.request(extra="Supported: 100rel\r\n"))
        (event,) = peer.events()
        assert isinstance(event, InviteReceived)
        peer.agent.ring(event.leg_id, peer.now)
        ours = tag(header(peer.sent()[-1], "To"))
        assert lines(peer.send(_update(peer, ours, NEW_SDP))) == ["500 UPDATE"]
        assert lines(peer.send(_update(peer, ours, cseq=3))) == ["200 UPDATE"]
        peer.agent.progress(event.leg_id, OTHER_SDP, peer.now)
        peer.sent()
        peer.send(_update(peer, ours, NEW_SDP, cseq=4))
        assert peer.events() == [OfferReceived(event.leg_id, NEW_SDP)]
        peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
        assert peer.agent.answer_offer(event.leg_id, OTHER_SDP, peer.now)
        assert lines(peer.sent()) == ["200 UPDATE"]

    def test_from_a_callee_before_its_answer(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180))
        ours = tag(header(invite, "From"))
        call = {"from_tag": "far", "call_id": header(invite, "Call-ID")}
        assert lines(peer.send(_update(peer, ours, NEW_SDP, 1, **call))) == ["491 UPDATE"]
        assert lines(peer.send(_update(peer, ours, b"", 2, **call))) == ["200 UPDATE"]
        reliable = "Require: 100rel\r\nRSeq: 5\r\nContact: <sip:far@192.0.2.20>\r\n"
        peer.send(peer.response(invite, 183, sdp=OTHER_SDP, extra=reliable))
        peer.events()
        peer.send(_update(peer, ours, NEW_SDP, 3, **call))
        assert peer.events() == [OfferReceived(leg_id, NEW_SDP)]
        assert peer.agent.answer_offer(leg_id, SDP, peer.now)
        assert lines(peer.sent()) == ["200 UPDATE"]

    @pytest.mark.parametrize(("method", "status"), [("BYE", 481), ("INVITE", 481), ("INFO", 200)])
    def test_other_requests_of_a_callee_before_its_answer(self, method: str, status: int) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        peer.send(peer.response(invite, 180))
        data = peer.request(
            method,
            branch="z9hG4bKe",
            to_tag=tag(header(invite, "From")),
            from_tag="far",
            call_id=header(invite, "Call-ID"),
        )
        assert lines(peer.send(data)) == [f"{status} {method}"]


class TestOurs:
    def test_offers_a_changed_session(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        assert peer.agent.update(leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        assert (lines([update]), body(update)) == (["UPDATE"], NEW_SDP)
        assert header(update, "Contact")
        assert "UPDATE" in header(update, "Allow")
        extra = "Contact: <sip:peer@192.0.2.20:7070>\r\n"
        peer.send(peer.response(update, 200, sdp=SDP, extra=extra))
        assert peer.events() == [AnswerReceived(leg_id, SDP)]
        assert peer.agent.legs[leg_id].local_sdp == NEW_SDP
        peer.agent.bye(leg_id, peer.now)
        assert peer.sent()[0].startswith(b"BYE sip:peer@192.0.2.20:7070 SIP/2.0\r\n")

    def test_without_a_description(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        peer.agent.update(leg_id, None, peer.now)
        (update,) = peer.sent()
        assert header(update, "Content-Length") == "0"
        peer.send(peer.response(update, 200))
        assert peer.events() == [AnswerReceived(leg_id, None)]

    def test_is_not_sent_to_a_peer_that_does_not_allow_it(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer, "")
        assert peer.agent.update(leg_id, NEW_SDP, peer.now)
        assert peer.sent() == []
        assert peer.events() == [ReinviteFailed(leg_id, 405, "Method Not Allowed")]

    @pytest.mark.parametrize("status", [488, 420, 503])
    def test_refused_keeps_the_session(self, status: int) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        peer.send(peer.response(update, status))
        assert peer.events() == [ReinviteFailed(leg_id, status, "Whatever")]
        assert peer.agent.legs[leg_id].local_sdp == OTHER_SDP

    def test_in_a_dialog_that_is_gone_ends_the_call(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        assert lines(peer.send(peer.response(update, 481))) == ["BYE"]
        failed = ReinviteFailed(leg_id, 481, "Whatever")
        assert peer.events() == [failed, LegEnded(leg_id, "error", status=481)]

    def test_a_collision_is_tried_again(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        assert peer.send(peer.response(update, 491)) == []
        again = peer.wait(2.1)[0]
        assert (lines([again]), body(again)) == (["UPDATE"], NEW_SDP)
        assert int(header(again, "CSeq").split()[0]) == int(header(update, "CSeq").split()[0]) + 1
        peer.send(peer.response(again, 200, sdp=SDP))
        assert peer.events() == [AnswerReceived(leg_id, SDP)]

    def test_a_busy_peer_says_when_to_try_again(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        peer.send(peer.response(update, 500, extra="Retry-After: 7 (busy)\r\n"))
        assert peer.wait(6.9) == []
        assert lines(peer.wait(0.2)) == ["UPDATE"]

    def test_collisions_without_end_are_given_up(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        sent = peer.sent()
        for _ in range(4):
            peer.send(peer.response(sent[0], 491))
            sent = peer.wait(3)
        assert sent == []
        assert peer.events() == [ReinviteFailed(leg_id, 491, "Whatever")]

    def test_an_offer_that_a_newer_one_overtook_is_not_repeated(self) -> None:
        peer = HandPeer()
        leg_id, ours = _up(peer)
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        peer.send(peer.response(update, 491))
        peer.send(_update(peer, ours, SDP))
        peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
        peer.sent()
        assert peer.wait(3) == []
        assert ReinviteFailed(leg_id, 491, "Request Pending") in peer.events()

    def test_what_is_known_to_collide_is_not_sent(self) -> None:
        peer = HandPeer()
        leg_id, ours = _up(peer)
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        peer.events()
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        assert peer.sent() == []
        assert peer.events() == [ReinviteFailed(leg_id, 491, "Request Pending")]
        peer.agent.update(leg_id, None, peer.now)
        assert lines(peer.sent()) == ["UPDATE"]
        peer.agent.update(leg_id, None, peer.now)
        assert peer.events() == [ReinviteFailed(leg_id, 491, "Request Pending")]

    def test_before_the_answer_once_the_caller_has_the_dialog(self) -> None:
        peer = HandPeer()
        peer.send(peer.request(extra=f"{ALLOW}Supported: 100rel\r\n"))
        (event,) = peer.events()
        with pytest.raises(LocalProtocolError):
            peer.agent.update(event.leg_id, None, peer.now)
        peer.agent.progress(event.leg_id, OTHER_SDP, peer.now)
        (progress,) = peer.sent()
        rack = f"RAck: {header(progress, 'RSeq')} 1 INVITE\r\n"
        ours = tag(header(progress, "To"))
        peer.send(peer.request("PRACK", branch="z9hG4bKp", cseq=2, to_tag=ours, extra=rack))
        peer.agent.update(event.leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        assert header(update, "Session-Expires") == ""
        peer.send(peer.response(update, 200, sdp=SDP))
        assert peer.events() == [AnswerReceived(event.leg_id, SDP)]
        peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
        assert body(peer.sent()[0]) == b""

    def test_the_outcome_of_a_call_that_is_over_is_not_reported(self) -> None:
        peer = HandPeer()
        leg_id, _ = _up(peer)
        peer.agent.update(leg_id, NEW_SDP, peer.now)
        peer.agent.bye(leg_id, peer.now)
        update, bye = peer.sent()
        peer.send(peer.response(update, 200, sdp=SDP))
        peer.send(peer.response(bye, 200))
        assert peer.events() == [LegEnded(leg_id, "local")]
        peer.assert_drained()

    def test_of_a_leg_that_is_over(self) -> None:
        assert not HandPeer().agent.update("gone", None, 0.0)


class TestForks:
    """Our UPDATE goes to one callee of several, and another one may answer the call."""

    def _early(self, peer: HandPeer) -> tuple[str, bytes, bytes]:
        """Call, agree on early media with callee ``one`` and send it an UPDATE."""
        contact = "Contact: <sip:far@192.0.2.20:5060>\r\n"
        leg_id, invite = peer.calling()
        reliable = f"{contact}{ALLOW}Require: 100rel\r\nRSeq: 5\r\n"
        early = peer.response(invite, 183, to_tag="one", sdp=OTHER_SDP, extra=reliable)
        (prack,) = peer.send(early)
        peer.send(peer.response(prack, 200))
        assert peer.agent.update(leg_id, NEW_SDP, peer.now)
        (update,) = peer.sent()
        peer.events()
        return leg_id, invite, update

    @pytest.mark.parametrize("status", [200, 408, 481])
    def test_a_callee_out_of_the_race_changes_nothing(self, status: int) -> None:
        peer = HandPeer()
        leg_id, invite, update = self._early(peer)
        peer.send(peer.response(invite, 200, to_tag="other", sdp=SDP))
        peer.events()
        peer.send(peer.response(update, status, sdp=OTHER_SDP))
        assert peer.events() == [ReinviteFailed(leg_id, 481, "Call/Transaction Does Not Exist")]
        leg = peer.agent.legs[leg_id]
        assert (leg.local_sdp, leg.remote_sdp) == (SDP, SDP)

    def test_a_collision_with_one_of_two_callees_is_tried_again_with_that_one(self) -> None:
        peer = HandPeer()
        _, invite, update = self._early(peer)
        peer.send(peer.response(update, 491))
        peer.send(peer.response(invite, 180, to_tag="other"))
        (again,) = peer.wait(4.0)[:1]
        assert (lines([again]), tag(header(again, "To"))) == (["UPDATE"], "one")

    def test_a_collision_is_not_tried_again_when_the_call_is_placed_anew(self) -> None:
        peer = HandPeer()
        leg_id, invite, update = self._early(peer)
        peer.send(peer.response(update, 491))
        more = peer.response(invite, 422, to_tag="other", extra="Min-SE: 3600\r\n")
        assert lines(peer.send(more)) == ["ACK", "INVITE"]
        assert "UPDATE" not in lines(peer.wait(10.0))
        assert [type(event) for event in peer.events()] == [ReinviteFailed]
        peer.agent.cancel(leg_id, peer.now)
        peer.assert_drained()
