"""Requests of ours within a dialog: BYE, re-INVITE with its collisions, INFO, OPTIONS."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    LegEnded,
    OfferReceived,
    ReinviteFailed,
    RequestAnswered,
)
from telephony.sip.flow import Flow
from tests.sip.wire import (
    OTHER_SDP,
    PEER,
    SDP,
    US,
    HandPeer,
    body,
    header,
    headers,
    lines,
    start_line,
    tag,
)


def test_bye_is_in_the_dialog_and_keeps_it_until_answered() -> None:
    peer = HandPeer()
    leg_id, invite = peer.called()
    peer.agent.bye(leg_id, 0.0, (("Reason", "Q.850;cause=16"),))
    (bye,) = peer.sent()
    assert bye.startswith(b"BYE sip:far@192.0.2.20:5060 SIP/2.0\r\n")
    assert header(bye, "CSeq") == "2 BYE"
    assert header(bye, "Call-ID") == header(invite, "Call-ID")
    assert header(bye, "Reason") == "Q.850;cause=16"
    assert peer.events() == [LegEnded(leg_id, "local")]
    assert not peer.agent.bye(leg_id, 0.0)
    assert len(peer.agent.dialogs) == 1
    peer.send(peer.response(bye, 200))
    peer.assert_drained()


@pytest.mark.parametrize("status", [481, 500, 408])
def test_bye_is_final_whatever_it_gets(status: int) -> None:
    peer = HandPeer()
    leg_id, _ = peer.called()
    peer.agent.bye(leg_id, 0.0)
    (bye,) = peer.sent()
    peer.send(peer.response(bye, status))
    assert not peer.agent.dialogs


def test_bye_without_an_answer_is_given_up() -> None:
    peer = HandPeer()
    leg_id, _ = peer.called()
    peer.agent.bye(leg_id, 0.0)
    peer.assert_drained()


def test_routes_of_a_record_routing_proxy_are_followed() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    routes = (
        "Record-Route: <sip:198.51.100.2;lr>, <sip:198.51.100.1:5070;lr;x=a+b>\r\n"
        "Contact: <sip:far@203.0.113.9>\r\n"
    )
    peer.agent.receive_message(
        peer.response(invite, 200, sdp=OTHER_SDP, extra=routes), peer.flow, 0.0
    )
    (ack,) = peer.agent.messages_to_send()
    assert ack.data.startswith(b"ACK sip:far@203.0.113.9 SIP/2.0\r\n")
    assert headers(ack.data, "Route") == [
        "<sip:198.51.100.1:5070;lr;x=a+b>",
        "<sip:198.51.100.2;lr>",
    ]
    assert ack.flow.remote == ("198.51.100.1", 5070)
    peer.agent.bye(leg_id, 0.0)
    assert headers(peer.sent()[0], "Route") == headers(ack.data, "Route")


class TestReinvite:
    def test_answered(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        assert peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        assert (header(invite, "CSeq"), body(invite)) == ("2 INVITE", OTHER_SDP)
        moved = "Contact: <sip:far@192.0.2.20:6060>\r\n"
        ok = peer.response(invite, 200, sdp=SDP, extra=moved)
        (ack,) = peer.send(ok)
        assert ack.startswith(b"ACK sip:far@192.0.2.20:6060 SIP/2.0\r\n")
        assert header(ack, "CSeq") == "2 ACK"
        assert peer.send(ok) == [ack]
        assert peer.events() == [AnswerReceived(leg_id, SDP)]

    def test_without_offer_the_peer_offers(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, None, 0.0)
        (invite,) = peer.sent()
        assert peer.send(peer.response(invite, 200, sdp=OTHER_SDP)) == []
        assert peer.events() == [OfferReceived(leg_id, OTHER_SDP)]
        peer.agent.answer_offer(leg_id, SDP, 0.0)
        (ack,) = peer.sent()
        assert body(ack) == SDP

    def test_refused_keeps_the_call(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        assert lines(peer.send(peer.response(invite, 488))) == ["ACK"]
        assert peer.events() == [ReinviteFailed(leg_id, 488, "Whatever")]
        assert leg_id in peer.agent.legs

    @pytest.mark.parametrize("status", [408, 481])
    def test_a_peer_that_lost_the_dialog_ends_the_call(self, status: int) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        assert lines(peer.send(peer.response(invite, status))) == ["ACK", "BYE"]
        assert peer.events() == [
            ReinviteFailed(leg_id, status, "Whatever"),
            LegEnded(leg_id, "error", status=status),
        ]

    def test_while_the_peer_asks_is_a_known_collision(self) -> None:
        peer = HandPeer()
        leg_id, ours = peer.up()
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        peer.events()
        assert peer.agent.reinvite(leg_id, SDP, 0.0)
        assert peer.events() == [ReinviteFailed(leg_id, 491, "Request Pending")]

    def test_bye_in_the_middle_still_acknowledges(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        peer.agent.bye(leg_id, 0.0)
        assert lines(peer.sent()) == ["BYE"]
        assert lines(peer.send(peer.response(invite, 200, sdp=SDP))) == ["ACK"]
        assert peer.events() == [LegEnded(leg_id, "local")]
        peer.assert_drained()

    def test_without_a_final_response_is_cancelled_and_ends_the_call(self) -> None:
        peer = HandPeer(UserAgentConfig(ring_timeout_s=20), "tcp")
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        peer.send(peer.response(invite, 100))
        assert lines(peer.wait(21)) == ["CANCEL"]
        peer.wait(32)
        assert peer.events() == [
            ReinviteFailed(leg_id, 408, "Request Timeout"),
            LegEnded(leg_id, "error", status=408),
        ]
        peer.assert_drained()

    @pytest.mark.parametrize("ours", [True, False])
    def test_a_provisional_response_and_a_bye_leave_nothing_behind(self, ours: bool) -> None:
        peer = HandPeer()
        leg_id, call = peer.called()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        peer.send(peer.response(invite, 100))
        if ours:
            peer.agent.bye(leg_id, 0.0)
            (bye,) = peer.sent()
            peer.send(peer.response(bye, 200))
        else:
            _bye_from(peer, call)
        peer.wait(32)
        assert peer.agent.transaction_count == 0


def _bye_from(peer: HandPeer, call: bytes) -> None:
    """The callee of ``call`` hangs up."""
    bye = peer.request(
        "BYE", branch="z9hG4bKb", to_tag=tag(header(call, "From")), from_tag="far"
    ).replace(b"call-1", header(call, "Call-ID").encode())
    assert lines(peer.send(bye)) == ["200 BYE"]


class TestCollision:
    @pytest.mark.parametrize(("caller", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
    def test_is_tried_again_after_the_delay_of_the_side(
        self, caller: bool, low: float, high: float
    ) -> None:
        peer = HandPeer(transport="tcp")
        leg_id = peer.called()[0] if caller else peer.up()[0]
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        peer.send(peer.response(invite, 491))
        due = peer.agent.legs[leg_id].retry
        assert due is not None
        assert low <= due.deadline <= high
        sent = peer.wait(high + 0.01)
        assert lines(sent) == ["INVITE"]
        assert body(sent[0]) == OTHER_SDP
        peer.send(peer.response(sent[0], 200, sdp=SDP))
        assert peer.events() == [AnswerReceived(leg_id, SDP)]

    def test_is_reported_after_the_last_try(self) -> None:
        peer = HandPeer(UserAgentConfig(reinvite_attempts=2), "tcp")
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        peer.send(peer.response(peer.sent()[0], 491))
        (again,) = peer.wait(4.1)
        peer.send(peer.response(again, 491))
        assert peer.events() == [ReinviteFailed(leg_id, 491, "Whatever")]
        assert peer.agent.legs[leg_id].retry is None

    def test_is_not_tried_again_with_a_stale_offer(self) -> None:
        """The peer's own re-INVITE got through meanwhile: our SDP no longer fits."""
        peer = HandPeer()
        leg_id, ours = peer.up()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        peer.send(peer.response(peer.sent()[0], 491))
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        peer.agent.answer_offer(leg_id, SDP, 0.0)
        peer.send(peer.request("ACK", branch="z9hG4bK3", cseq=2, to_tag=ours))
        peer.events()
        assert "INVITE" not in lines(peer.wait(5))
        assert peer.events() == [ReinviteFailed(leg_id, 491, "Request Pending")]

    def test_is_forgotten_when_the_call_ends(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        peer.send(peer.response(peer.sent()[0], 491))
        peer.agent.bye(leg_id, 0.0)
        (bye,) = peer.sent()
        peer.send(peer.response(bye, 200))
        assert "INVITE" not in lines(peer.wait(10))
        assert peer.events() == [LegEnded(leg_id, "local")]


class TestRequest:
    def test_info_and_its_outcome(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.request(leg_id, "INFO", 0.0, (), "application/dtmf-relay", b"Signal=1")
        (info,) = peer.sent()
        assert header(info, "Content-Type") == "application/dtmf-relay"
        assert body(info) == b"Signal=1"
        peer.send(peer.response(info, 200))
        assert peer.events() == [RequestAnswered(leg_id, "INFO", 200, "Whatever")]

    def test_options_without_an_answer_ends_the_call(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.request(leg_id, "OPTIONS", 0.0)
        peer.wait(33)
        assert peer.events() == [
            RequestAnswered(leg_id, "OPTIONS", 408, "Request Timeout"),
            LegEnded(leg_id, "error", status=408),
        ]

    def test_other_methods_are_not_sent(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        with pytest.raises(LocalProtocolError):
            peer.agent.request(leg_id, "BYE", 0.0)


def test_an_answer_without_contact_leaves_the_request_uri_as_target() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    (ack,) = peer.send(peer.response(invite, 200, sdp=OTHER_SDP, extra=""))
    assert ack.startswith(b"ACK sip:far@192.0.2.20 SIP/2.0\r\n")
    assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]


@pytest.mark.parametrize("refused", [False, True])
def test_a_bye_that_finds_the_connection_dead_goes_over_another_one(refused: bool) -> None:
    peer = HandPeer(transport="tcp")
    leg_id, ours = peer.up()
    caller = Flow("tcp", (PEER[0], 40000), US)
    peer.send(peer.request("INFO", branch="z9hG4bKi", cseq=2, to_tag=ours), caller)
    peer.agent.bye(leg_id, peer.now, (("Reason", "Q.850;cause=16"),))
    (bye,) = peer.agent.messages_to_send()
    assert bye.flow == caller
    peer.agent.transport_failed(caller, peer.now)
    (again,) = peer.agent.messages_to_send()
    assert (start_line(again.data), again.flow) == ("BYE", Flow("tcp", PEER, US))
    assert header(again.data, "Reason") == "Q.850;cause=16"
    if refused:
        peer.agent.transport_failed(again.flow, peer.now)
        assert not peer.sent()
    else:
        peer.send(peer.response(again.data, 200))
    peer.assert_drained()


def _answered_again(peer: HandPeer) -> tuple[str, str]:
    """Answer a re-INVITE of the peer whose ACK is still on its way."""
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bKr", cseq=2, to_tag=ours))
    peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
    peer.sent()
    peer.events()
    return leg_id, ours


def test_an_offer_waits_for_an_ack_that_is_on_its_way() -> None:
    peer = HandPeer()
    leg_id, ours = _answered_again(peer)
    peer.agent.reinvite(leg_id, SDP, peer.now)
    assert peer.wait(0.2) == []
    peer.send(peer.request("ACK", branch="z9hG4bKra", cseq=2, to_tag=ours))
    assert lines(peer.wait(0.2)) == ["INVITE"]
    assert peer.events() == []


def test_an_offer_that_waited_is_stale_after_one_of_the_peer() -> None:
    peer = HandPeer()
    leg_id, ours = _answered_again(peer)
    peer.agent.reinvite(leg_id, SDP, peer.now)
    peer.send(peer.request("ACK", branch="z9hG4bKra", cseq=2, to_tag=ours))
    peer.send(peer.request(branch="z9hG4bKs", cseq=3, to_tag=ours))
    peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
    peer.send(peer.request("ACK", branch="z9hG4bKsa", cseq=3, to_tag=ours))
    assert peer.wait(0.2) == []
    assert peer.events()[-1] == ReinviteFailed(leg_id, 491, "Request Pending")


def test_an_offer_that_waits_after_a_collision_gives_way_to_the_next() -> None:
    peer = HandPeer()
    leg_id, _ = peer.called()
    peer.agent.reinvite(leg_id, SDP, peer.now)
    peer.send(peer.response(peer.sent()[-1], 491))
    peer.agent.reinvite(leg_id, OTHER_SDP, peer.now)
    (reinvite,) = peer.sent()
    assert body(reinvite) == OTHER_SDP
    peer.send(peer.response(reinvite, 200, sdp=SDP))
    assert peer.events() == [AnswerReceived(leg_id, SDP)]
    assert "INVITE" not in lines(peer.wait(10.0))
