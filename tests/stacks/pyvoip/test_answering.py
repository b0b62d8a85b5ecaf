"""Our answers to INVITEs, to a peer that writes every message by hand."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import (
    AckTimedOut,
    AnswerReceived,
    InviteCancelled,
    LegConfirmed,
    LegEnded,
    OfferReceived,
    OfferWithdrawn,
)
from tests.sip.wire import OTHER_SDP, SDP, body, header, headers, lines, with_sdp
from tests.support.pyvoip import faults, hand_peer, require_pyvoip

require_pyvoip()


def test_a_call_is_answered_and_confirmed() -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    peer.agent.ring(leg_id, 0.0)
    peer.agent.progress(leg_id, OTHER_SDP, 0.0)
    peer.agent.answer(leg_id, OTHER_SDP, 0.0)
    ringing, early, ok = peer.sent()
    assert lines([ringing, early, ok]) == ["180 INVITE", "183 INVITE", "200 INVITE"]
    assert (body(ringing), body(early), body(ok)) == (b"", OTHER_SDP, OTHER_SDP)
    assert len({header(answer, "To") for answer in (ringing, early, ok)}) == 1
    assert header(ok, "Content-Type") == "application/sdp"
    assert peer.send(peer.request("ACK", branch="z9hG4bK2", to_tag=leg_id)) == []
    assert peer.events() == [LegConfirmed(leg_id, None)]
    assert faults(peer) == {}


def test_the_200_is_repeated_until_the_ack_and_then_the_call_is_ended() -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, OTHER_SDP, 0.0)
    peer.sent()
    sent = peer.timed(31.9)
    assert [due for due, _ in sent] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert {line for _, line in sent} == {"200 INVITE"}
    assert lines(peer.wait(0.2)) == ["BYE"]
    assert peer.events() == [AckTimedOut(leg_id), LegEnded(leg_id, "error", status=408)]
    peer.assert_drained()


def test_a_call_without_an_offer_gets_ours_and_its_answer_is_in_the_ack() -> None:
    peer = hand_peer()
    peer.send(peer.request(sdp=None))
    (event,) = peer.events()
    peer.agent.progress(event.leg_id, OTHER_SDP, 0.0)
    peer.agent.answer(event.leg_id, OTHER_SDP, 0.0)
    early, ok = peer.sent()
    assert (body(early), body(ok)) == (b"", OTHER_SDP)
    ack = peer.request("ACK", branch="z9hG4bK2", to_tag=event.leg_id)
    peer.send(with_sdp(ack, SDP))
    assert peer.events() == [LegConfirmed(event.leg_id, SDP)]


@pytest.mark.parametrize(("status", "reason"), [(486, ""), (404, "Nobody"), (603, "")])
def test_a_call_is_refused_with_the_true_status(status: int, reason: str) -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    peer.agent.reject(leg_id, status, 0.0, reason, (("Retry-After", "7"),))
    (answer,) = peer.sent()
    assert answer.startswith(f"SIP/2.0 {status} {reason}".encode())
    assert header(answer, "Retry-After") == "7"
    assert header(answer, "To").endswith(f";tag={leg_id}")
    assert headers(answer, "Contact") == []
    assert peer.events() == [LegEnded(leg_id, "local", status=status)]
    assert [line for _, line in peer.timed(1.6)] == [f"{status} INVITE"] * 2
    peer.send(peer.request("ACK", to_tag=leg_id))
    assert peer.timed(30) == []
    peer.assert_drained()


def test_a_caller_gives_up() -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    peer.agent.ring(leg_id, 0.0)
    peer.sent()
    ok, terminated = peer.send(peer.request("CANCEL", extra="Reason: SIP;cause=200\r\n"))
    assert lines([ok, terminated]) == ["200 CANCEL", "487 INVITE"]
    assert header(ok, "To") == header(terminated, "To") == f"<sip:bot@192.0.2.10>;tag={leg_id}"
    assert peer.events() == [InviteCancelled(leg_id, "SIP;cause=200")]
    assert not peer.agent.answer(leg_id, OTHER_SDP, 0.0)
    peer.send(peer.request("ACK", to_tag=leg_id))
    peer.assert_drained()
    assert faults(peer) == {}


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    peer = hand_peer()
    leg_id, _ = peer.up()
    assert lines(peer.send(peer.request("CANCEL"))) == ["200 CANCEL"]
    assert peer.events() == []
    assert leg_id in peer.agent.legs


def test_an_invitation_expires() -> None:
    peer = hand_peer()
    peer.send(peer.request(extra="Expires: 5\r\n"))
    peer.events()
    assert lines(peer.wait(5)) == ["487 INVITE"]
    assert [type(event) for event in peer.events()] == [InviteCancelled]


def test_ringing_is_repeated_for_proxies() -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    assert peer.timed(61) == []
    peer.agent.ring(leg_id, peer.now)
    peer.sent()
    assert [line for _, line in peer.timed(120)] == ["180 INVITE", "180 INVITE"]


def test_the_peer_changes_the_session() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    moved = "<sip:moved@192.0.2.20:5090>"
    invite = peer.request(branch="z9hG4bK3", cseq=2, to_tag=ours, contact=moved)
    assert lines(peer.send(invite)) == ["100 INVITE"]
    assert peer.events() == [OfferReceived(leg_id, SDP)]
    peer.agent.answer_offer(leg_id, OTHER_SDP, 0.0)
    (ok,) = peer.sent()
    assert (lines([ok]), body(ok)) == (["200 INVITE"], OTHER_SDP)
    assert header(ok, "To") == f"<sip:bot@192.0.2.10>;tag={ours}"
    peer.send(peer.request("ACK", branch="z9hG4bK4", cseq=2, to_tag=ours))
    assert peer.events() == []
    assert peer.agent.remote_target(leg_id) == "sip:moved@192.0.2.20:5090"
    assert faults(peer) == {}


def test_an_offer_is_refused_and_the_call_goes_on() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK3", cseq=2, to_tag=ours))
    peer.events()
    peer.agent.refuse_offer(leg_id, 488, 0.0, (("Warning", '305 a "b"'),))
    (answer,) = peer.sent()
    assert lines([answer]) == ["488 INVITE"]
    assert headers(answer, "Warning") == ['305 a "b"']
    assert leg_id in peer.agent.legs


def test_a_peer_that_wants_our_offer_answers_it_in_the_ack() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK3", cseq=2, to_tag=ours, sdp=None))
    assert peer.events() == [OfferReceived(leg_id, None)]
    peer.agent.answer_offer(leg_id, OTHER_SDP, 0.0)
    peer.sent()
    # Another offer of theirs would collide with ours now.
    again = peer.request(branch="z9hG4bK5", cseq=3, to_tag=ours)
    assert lines(peer.send(again)) == ["491 INVITE"]
    ack = peer.request("ACK", branch="z9hG4bK4", cseq=2, to_tag=ours)
    peer.send(with_sdp(ack, SDP))
    assert peer.events() == [AnswerReceived(leg_id, SDP)]


def test_an_offer_is_withdrawn() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK3", cseq=2, to_tag=ours))
    peer.events()
    sent = peer.send(peer.request("CANCEL", branch="z9hG4bK3", cseq=2))
    assert lines(sent) == ["200 CANCEL", "487 INVITE"]
    assert peer.events() == [OfferWithdrawn(leg_id)]
    assert not peer.agent.answer_offer(leg_id, OTHER_SDP, 0.0)
    assert leg_id in peer.agent.legs


def test_misuse_raises() -> None:
    peer = hand_peer()
    leg_id, _ = peer.up()
    for wrong in (
        lambda: peer.agent.answer(leg_id, SDP, 0.0),
        lambda: peer.agent.reject(leg_id, 486, 0.0),
        lambda: peer.agent.cancel(leg_id, 0.0),
        lambda: peer.agent.bye(leg_id, 0.0, (("X", "a\r\nb"),)),
    ):
        with pytest.raises(LocalProtocolError):
            wrong()


def test_a_fault_of_pyvoip_costs_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from telephony.stacks.pyvoip.client import Client

    peer = hand_peer(UserAgentConfig())
    leg_id = peer.invited()
    peer.sent()
    monkeypatch.setattr(Client, "gen_answer", lambda *_: {}["x"])
    peer.agent.answer(leg_id, OTHER_SDP, 0.0)
    assert lines(peer.sent()) == ["500 INVITE"]
    assert peer.events() == [LegEnded(leg_id, "error", status=500)]
    assert faults(peer) == {"KeyError": 1}
    peer.send(peer.request("ACK", to_tag="x"))
    peer.assert_drained()
