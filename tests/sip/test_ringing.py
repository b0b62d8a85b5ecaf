"""180 and early media: what is sent how, and what the 200 then says."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import (
    AnswerReceived,
    InviteCancelled,
    InviteReceived,
    LegConfirmed,
    LegEnded,
    OfferReceived,
)
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, body, header, lines, tag, with_sdp

SUPPORTED = "Supported: timer, 100rel\r\n"
REQUIRED = "Require: 100rel\r\n"


def _invited(peer: HandPeer, extra: str = "", sdp: bytes | None = SDP) -> str:
    peer.send(peer.request(extra=extra, sdp=sdp))
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    return event.leg_id


def _early(peer: HandPeer, extra: str = SUPPORTED) -> tuple[str, bytes]:
    """Receive an INVITE and send early media; return the leg id and the 183."""
    leg_id = _invited(peer, extra)
    peer.agent.progress(leg_id, OTHER_SDP, peer.now)
    (progress,) = peer.sent()
    return leg_id, progress


def _prack(peer: HandPeer, response: bytes, sdp: bytes = b"", cseq: int = 2) -> bytes:
    rack = f"RAck: {header(response, 'RSeq')} 1 INVITE\r\n"
    ours = tag(header(response, "To"))
    data = peer.request("PRACK", branch=f"z9hG4bKp{cseq}", cseq=cseq, to_tag=ours, extra=rack)
    return with_sdp(data, sdp) if sdp else data


def _ack(peer: HandPeer, response: bytes) -> bytes:
    return peer.request("ACK", branch="z9hG4bKa", to_tag=tag(header(response, "To")))


def test_ring_is_not_reliable_unless_it_has_to_be() -> None:
    peer = HandPeer()
    leg_id = _invited(peer, SUPPORTED)
    peer.agent.ring(leg_id, peer.now)
    (ringing,) = peer.sent()
    assert (header(ringing, "Require"), header(ringing, "RSeq")) == ("", "")
    assert peer.wait(30) == []


def test_early_media_to_a_caller_that_knows_nothing_of_100rel() -> None:
    """The 200 says again what the 183 said: that one may have been lost."""
    peer = HandPeer()
    leg_id, progress = _early(peer, "")
    assert (lines([progress]), body(progress)) == (["183 INVITE"], OTHER_SDP)
    assert header(progress, "RSeq") == ""
    assert header(progress, "Contact")
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    assert body(peer.sent()[0]) == OTHER_SDP


def test_early_media_can_be_kept_unreliable() -> None:
    peer = HandPeer(UserAgentConfig(reliable_provisional=False))
    _, progress = _early(peer)
    assert (header(progress, "RSeq"), body(progress)) == ("", OTHER_SDP)
    _, required = _early(HandPeer(UserAgentConfig(reliable_provisional=False)), REQUIRED)
    assert header(required, "RSeq")


def test_the_200_waits_for_the_prack_of_the_answer_and_does_not_repeat_it() -> None:
    peer = HandPeer()
    leg_id, progress = _early(peer)
    assert (header(progress, "Require"), body(progress)) == ("100rel", OTHER_SDP)
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    assert peer.sent() == []
    assert lines(peer.wait(0.6)) == ["183 INVITE"]
    prack_ok, ok = peer.send(_prack(peer, progress))
    assert lines([prack_ok, ok]) == ["200 PRACK", "200 INVITE"]
    assert body(ok) == b""
    peer.send(_ack(peer, ok))
    assert peer.events() == [LegConfirmed(leg_id, None)]
    assert peer.wait(40) == []


def test_the_200_after_the_prack_goes_at_once() -> None:
    peer = HandPeer()
    leg_id, progress = _early(peer)
    assert lines(peer.send(_prack(peer, progress))) == ["200 PRACK"]
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    (ok,) = peer.sent()
    assert (lines([ok]), body(ok)) == (["200 INVITE"], b"")


def test_a_200_that_waits_can_be_taken_back() -> None:
    peer = HandPeer()
    leg_id, progress = _early(peer)
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    peer.agent.bye(leg_id, peer.now, (("Reason", "Q.850;cause=16"),))
    (refusal,) = peer.sent()
    assert (lines([refusal]), header(refusal, "Reason")) == (["480 INVITE"], "Q.850;cause=16")
    assert peer.events() == [LegEnded(leg_id, "local", status=480)]
    assert lines(peer.send(_prack(peer, progress))) == ["200 PRACK"]
    peer.assert_drained()


def test_a_200_that_waits_and_its_prack_never_comes() -> None:
    peer = HandPeer()
    leg_id, _ = _early(peer)
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    sent = lines(peer.wait(40))
    assert (sent.count("200 INVITE"), "504 INVITE" in sent) == (0, True)
    assert peer.events() == [LegEnded(leg_id, "error", status=504)]
    peer.assert_drained()


def test_a_call_cancelled_while_its_200_waits() -> None:
    peer = HandPeer()
    leg_id, _ = _early(peer)
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    assert lines(peer.send(peer.request("CANCEL"))) == ["200 CANCEL", "487 INVITE"]
    assert peer.events() == [InviteCancelled(leg_id)]
    peer.assert_drained()


def test_a_caller_without_an_offer_answers_ours_in_the_prack() -> None:
    peer = HandPeer()
    leg_id = _invited(peer, SUPPORTED, sdp=None)
    peer.agent.progress(leg_id, OTHER_SDP, peer.now)
    (progress,) = peer.sent()
    assert body(progress) == OTHER_SDP
    assert lines(peer.send(_prack(peer, progress, SDP))) == ["200 PRACK"]
    assert peer.events() == [AnswerReceived(leg_id, SDP)]
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    (ok,) = peer.sent()
    assert body(ok) == b""
    peer.send(_ack(peer, ok))
    assert peer.events() == [LegConfirmed(leg_id, None)]


def test_a_prack_that_does_not_answer_our_offer_gets_it_again_in_the_200() -> None:
    peer = HandPeer()
    leg_id = _invited(peer, SUPPORTED, sdp=None)
    peer.agent.progress(leg_id, OTHER_SDP, peer.now)
    (progress,) = peer.sent()
    peer.send(_prack(peer, progress))
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    (ok,) = peer.sent()
    assert body(ok) == OTHER_SDP
    peer.send(with_sdp(_ack(peer, ok), SDP))
    assert peer.events() == [LegConfirmed(leg_id, SDP)]


def test_without_an_offer_and_without_100rel_early_media_is_not_described() -> None:
    """An offer in a response that can get lost could never be answered."""
    peer = HandPeer()
    leg_id = _invited(peer, sdp=None)
    peer.agent.progress(leg_id, OTHER_SDP, peer.now)
    (progress,) = peer.sent()
    assert (lines([progress]), body(progress)) == (["183 INVITE"], b"")


def test_the_first_reliable_response_to_an_offerless_invite_has_an_offer() -> None:
    peer = HandPeer()
    leg_id = _invited(peer, REQUIRED, sdp=None)
    peer.agent.ring(leg_id, peer.now)
    assert peer.sent() == []
    peer.agent.progress(leg_id, OTHER_SDP, peer.now, 180)
    (ringing,) = peer.sent()
    assert (lines([ringing]), body(ringing)) == (["180 INVITE"], OTHER_SDP)


class TestOfferInPrack:
    def test_is_answered_in_its_200(self) -> None:
        peer = HandPeer()
        leg_id, progress = _early(peer)
        assert peer.send(_prack(peer, progress, SDP)) == []
        assert peer.events() == [OfferReceived(leg_id, SDP)]
        assert peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
        (ok,) = peer.sent()
        assert (lines([ok]), body(ok)) == (["200 PRACK"], OTHER_SDP)
        assert not peer.agent.legs[leg_id].offered

    def test_keeps_the_200_of_the_call_back(self) -> None:
        peer = HandPeer()
        leg_id, progress = _early(peer)
        peer.agent.answer(leg_id, OTHER_SDP, peer.now)
        peer.send(_prack(peer, progress, SDP))
        assert peer.sent() == []
        peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
        assert lines(peer.sent()) == ["200 PRACK", "200 INVITE"]

    def test_can_be_refused_and_the_call_goes_on(self) -> None:
        peer = HandPeer()
        leg_id, progress = _early(peer)
        peer.agent.answer(leg_id, OTHER_SDP, peer.now)
        peer.send(_prack(peer, progress, SDP))
        assert peer.agent.refuse_offer(leg_id, 488, peer.now)
        assert lines(peer.sent()) == ["488 PRACK", "200 INVITE"]

    def test_before_the_first_answer_comes_too_early(self) -> None:
        peer = HandPeer()
        leg_id = _invited(peer, REQUIRED)
        peer.agent.ring(leg_id, peer.now)
        (ringing,) = peer.sent()
        (refusal,) = peer.send(_prack(peer, ringing, SDP))
        assert lines([refusal]) == ["500 PRACK"]
        assert 0 <= int(header(refusal, "Retry-After")) <= 10
        assert peer.wait(40) == []

    def test_of_another_kind_gets_415(self) -> None:
        peer = HandPeer()
        _, progress = _early(peer)
        data = _prack(peer, progress, SDP).replace(b"application/sdp", b"text/plain")
        assert lines(peer.send(data)) == ["415 PRACK"]


def test_misuse_raises() -> None:
    peer = HandPeer()
    leg_id, _ = _early(peer)
    with pytest.raises(LocalProtocolError):
        peer.agent.progress(leg_id, SDP, 0.0, 200)
    peer.agent.answer(leg_id, SDP, 0.0)
    for misuse in (
        lambda: peer.agent.ring(leg_id, 0.0),
        lambda: peer.agent.progress(leg_id, SDP, 0.0),
        lambda: peer.agent.answer(leg_id, SDP, 0.0),
        lambda: peer.agent.reinvite(leg_id, SDP, 0.0),
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
    assert not peer.agent.progress("gone", SDP, 0.0)
