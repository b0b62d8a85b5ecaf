"""Our INVITE: progress, answers, forks, CANCEL and its races."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    CallFailed,
    CallProgressed,
    LegEnded,
)
from tests.sip.challenging import ALICE, challenge_lines
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, body, header, headers, lines, tag


def test_the_invite_has_what_section_8_1_1_asks_for() -> None:
    peer = HandPeer()
    leg_id = peer.agent.invite(
        "sip:far@192.0.2.20",
        '"Bot" <sip:bot@example.com>',
        SDP,
        peer.flow,
        0.0,
        (("X-Call", "1"),),
        to="sip:+15550100@example.com",
    )
    (invite,) = peer.sent()
    assert invite.startswith(b"INVITE sip:far@192.0.2.20 SIP/2.0\r\n")
    assert header(invite, "From") == f'"Bot" <sip:bot@example.com>;tag={leg_id}'
    assert header(invite, "To") == "<sip:+15550100@example.com>"
    assert header(invite, "Via").startswith("SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK")
    assert header(invite, "Via").endswith(";rport")
    assert header(invite, "Max-Forwards") == "70"
    assert header(invite, "Contact") == "<sip:192.0.2.10:5060>"
    assert header(invite, "X-Call") == "1"
    assert body(invite) == SDP


def test_a_call_answered() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    assert peer.send(peer.response(invite, 100)) == []
    peer.send(peer.response(invite, 180))
    peer.send(peer.response(invite, 183, sdp=OTHER_SDP))
    ok = peer.response(invite, 200, sdp=OTHER_SDP)
    (ack,) = peer.send(ok)
    assert ack.startswith(b"ACK sip:far@192.0.2.20:5060 SIP/2.0\r\n")
    assert header(ack, "CSeq") == "1 ACK"
    assert header(ack, "Via") != header(invite, "Via")
    assert header(ack, "To").endswith(";tag=far")
    assert peer.events() == [
        CallProgressed(leg_id, 180, None, "far"),
        CallProgressed(leg_id, 183, OTHER_SDP, "far"),
        CallAnswered(leg_id, OTHER_SDP),
    ]
    assert peer.send(ok) == [ack]
    assert peer.events() == []


def test_a_repeated_200_is_acknowledged_after_the_bye_too() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    ok = peer.response(invite, 200, sdp=OTHER_SDP)
    (ack,) = peer.send(ok)
    peer.agent.bye(leg_id, 0.0)
    (bye,) = peer.sent()
    peer.send(peer.response(bye, 200))
    assert not peer.agent.dialogs
    assert peer.send(ok) == [ack]
    peer.assert_drained()


def test_a_refusal_is_acknowledged_in_the_transaction() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    refusal = peer.response(invite, 486)
    (ack,) = peer.send(refusal)
    assert header(ack, "Via") == header(invite, "Via")
    assert header(ack, "To") == header(refusal, "To")
    assert ack.startswith(b"ACK sip:far@192.0.2.20 SIP/2.0\r\n")
    (event,) = peer.events()
    assert event == CallFailed(leg_id, 486, "Whatever")
    assert event.headers["call-id"] == header(invite, "Call-ID")
    assert peer.send(refusal) == [ack]
    peer.assert_drained()


def test_no_answer_at_all_is_408() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    assert peer.wait(33) == [invite] * 6
    assert peer.events() == [CallFailed(leg_id, 408, "Request Timeout")]
    peer.assert_drained()


def test_a_broken_transport_is_503() -> None:
    peer = HandPeer(transport="tcp")
    leg_id, _ = peer.calling()
    peer.agent.transport_failed(peer.flow, 1.0)
    assert peer.events() == [CallFailed(leg_id, 503, "Service Unavailable")]
    peer.assert_drained()


def test_delayed_offer_is_answered_in_the_ack() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling(sdp=None)
    assert body(invite) == b""
    ok = peer.response(invite, 200, sdp=OTHER_SDP)
    assert peer.send(ok) == []
    assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]
    assert peer.send(ok) == []
    assert peer.agent.answer_offer(leg_id, SDP, 1.0)
    (ack,) = peer.sent()
    assert (lines([ack]), body(ack)) == (["ACK"], SDP)
    assert peer.send(ok) == [ack]


@pytest.mark.parametrize("refuse", [True, False])
def test_delayed_offer_refused_is_acknowledged_and_ended(refuse: bool) -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling(sdp=None)
    peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
    peer.events()
    if refuse:
        peer.agent.refuse_offer(leg_id, 488, 1.0)
    else:
        peer.agent.bye(leg_id, 1.0)
    assert lines(peer.sent()) == ["ACK", "BYE"]
    assert peer.events() == [LegEnded(leg_id, "local")]


def test_extra_forks_are_acknowledged_and_ended() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    peer.send(peer.response(invite, 180, to_tag="one"))
    peer.send(peer.response(invite, 180, to_tag="two"))
    peer.send(peer.response(invite, 200, to_tag="two", sdp=OTHER_SDP))
    late = peer.response(invite, 200, to_tag="one", sdp=OTHER_SDP)
    ack, bye = peer.send(late)
    assert lines([ack, bye]) == ["ACK", "BYE"]
    assert header(bye, "To").endswith(";tag=one")
    assert peer.send(late) == [ack]
    assert len(peer.agent.dialogs) == 1
    assert peer.agent.stats.extra_forks_ended == 1
    assert [type(e) for e in peer.events()] == [CallProgressed, CallProgressed, CallAnswered]
    assert leg_id in peer.agent.legs


class TestAnswersToAnEarlierTry:
    """A callee whose To tag is the same for every try: its answers are told by the try."""

    @staticmethod
    def _challenged(peer: HandPeer) -> tuple[str, bytes, bytes]:
        """Return the leg id and the INVITE of both tries."""
        leg_id, first = peer.calling(credentials=ALICE)
        extra = challenge_lines(407)
        _, second = peer.send(peer.response(first, 407, to_tag="same", extra=extra))
        return leg_id, first, second

    @pytest.mark.parametrize("ringing", [False, True])
    def test_a_tag_that_answers_both_tries_leaves_no_leg(self, ringing: bool) -> None:
        peer = HandPeer()
        leg_id, first, second = self._challenged(peer)
        if ringing:
            peer.send(peer.response(second, 180, to_tag="same"))
            peer.events()
        early = peer.response(first, 200, to_tag="same", sdp=OTHER_SDP)
        first_ack, first_bye = peer.send(early)
        assert header(first_ack, "CSeq") == "1 ACK"
        assert peer.events() == []
        late = peer.response(second, 200, to_tag="same", sdp=OTHER_SDP)
        second_ack, second_bye = peer.send(late)
        assert header(second_ack, "CSeq") == "2 ACK"
        assert lines([first_bye, second_bye]) == ["BYE", "BYE"]
        numbers = [int(header(bye, "CSeq").split()[0]) for bye in (first_bye, second_bye)]
        assert 2 < numbers[0] < numbers[1]
        assert peer.events() == [CallFailed(leg_id, 487, "Request Terminated")]
        # Each 2xx comes again: each gets its own ACK.
        assert peer.send(early) == [first_ack]
        assert peer.send(late) == [second_ack]
        peer.assert_drained()

    def test_another_callee_still_answers_the_call(self) -> None:
        peer = HandPeer()
        leg_id, first, second = self._challenged(peer)
        assert lines(peer.send(peer.response(first, 200, to_tag="same"))) == ["ACK", "BYE"]
        answer = peer.response(second, 200, to_tag="other", sdp=OTHER_SDP)
        assert lines(peer.send(answer)) == ["ACK"]
        assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]

    def test_a_third_try_counts_on_from_the_bye(self) -> None:
        peer = HandPeer()
        _, first, second = self._challenged(peer)
        _, bye = peer.send(peer.response(first, 200, to_tag="same"))
        extra = challenge_lines(407, "n2", stale=True)
        _, third = peer.send(peer.response(second, 407, to_tag="gate", extra=extra))
        assert (header(bye, "CSeq"), header(third, "CSeq")) == ("3 BYE", "4 INVITE")
        ack, bye = peer.send(peer.response(third, 200, to_tag="same"))
        assert (header(ack, "CSeq"), header(bye, "CSeq")) == ("4 ACK", "5 BYE")
        peer.assert_drained()

    def test_one_with_the_tags_of_the_call_does_not_end_it(self) -> None:
        peer = HandPeer()
        leg_id, first, second = self._challenged(peer)
        (answered,) = peer.send(peer.response(second, 200, to_tag="same", sdp=OTHER_SDP))
        late = peer.response(first, 200, to_tag="same", sdp=OTHER_SDP)
        (ack,) = peer.send(late)
        assert (header(answered, "CSeq"), header(ack, "CSeq")) == ("2 ACK", "1 ACK")
        assert peer.send(late) == [ack]
        assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]
        assert peer.agent.stats.extra_forks_ended == 0
        peer.agent.bye(leg_id, 0.0)
        assert lines(peer.sent()) == ["BYE"]
        peer.assert_drained()

    def test_within_the_dialog_is_acknowledged(self) -> None:
        peer = HandPeer()
        leg_id, _, invite = self._challenged(peer)
        peer.send(peer.response(invite, 200, to_tag="same", sdp=OTHER_SDP))
        peer.agent.reinvite(leg_id, SDP, 0.0)
        (first,) = peer.sent()
        extra = challenge_lines(407, "n2", stale=True)
        _, second = peer.send(peer.response(first, 407, extra=extra))
        peer.events()
        (ack,) = peer.send(peer.response(first, 200, sdp=OTHER_SDP))
        assert header(ack, "CSeq") == header(first, "CSeq").replace("INVITE", "ACK")
        assert peer.events() == []
        (ack,) = peer.send(peer.response(second, 200, sdp=OTHER_SDP))
        assert header(ack, "CSeq") == header(second, "CSeq").replace("INVITE", "ACK")
        assert peer.events() == [AnswerReceived(leg_id, OTHER_SDP)]
        peer.agent.bye(leg_id, 0.0)
        peer.assert_drained()


def test_a_200_under_a_wrong_cseq_leaves_no_leg() -> None:
    """Branch and method find the transaction (section 17.1.3): it is the answer."""
    peer = HandPeer()
    leg_id, invite = peer.calling()
    answer = peer.response(invite, 200, sdp=OTHER_SDP).replace(b"CSeq: 1 ", b"CSeq: 5 ")
    (ack,) = peer.send(answer)
    assert header(ack, "CSeq") == "1 ACK"
    assert peer.send(answer) == [ack]
    assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]
    peer.agent.bye(leg_id, 0.0)
    peer.assert_drained()


class TestCancel:
    def test_waits_for_a_provisional_response(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        assert peer.agent.cancel(leg_id, 0.0)
        assert peer.sent() == []
        (cancel,) = peer.send(peer.response(invite, 180))
        assert lines([cancel]) == ["CANCEL"]
        assert header(cancel, "CSeq") == "1 CANCEL"
        for name in ("Via", "From", "To", "Call-ID"):
            assert headers(cancel, name) == headers(invite, name)
        assert peer.send(peer.response(cancel, 200)) == []
        assert lines(peer.send(peer.response(invite, 487))) == ["ACK"]
        assert peer.events() == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()

    def test_crossing_the_200_ends_the_call_with_bye(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180))
        peer.agent.cancel(leg_id, 0.0)
        sent = peer.sent() + peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
        assert lines(sent) == ["CANCEL", "ACK", "BYE"]
        assert peer.events()[1:] == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()

    def test_when_just_answered_is_a_bye(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.cancel(leg_id, 0.0)
        assert lines(peer.sent()) == ["BYE"]
        assert peer.events() == [LegEnded(leg_id, "local")]

    def test_bye_of_a_ringing_call_is_a_cancel(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180))
        peer.agent.bye(leg_id, 0.0)
        assert lines(peer.sent()) == ["CANCEL"]

    def test_repeated_is_sent_once(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180))
        peer.agent.cancel(leg_id, 0.0)
        peer.agent.cancel(leg_id, 0.0)
        assert lines(peer.sent()) == ["CANCEL"]
        assert peer.send(peer.response(invite, 180)) == []

    def test_without_any_final_response_is_given_up_after_64_t1(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180))
        peer.events()
        peer.agent.cancel(leg_id, 0.0)
        peer.wait(33)
        assert peer.events() == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()


def test_endless_ringing_is_cancelled_as_408() -> None:
    peer = HandPeer(UserAgentConfig(ring_timeout_s=10))
    leg_id, invite = peer.calling()
    peer.send(peer.response(invite, 180))
    assert "CANCEL" in lines(peer.wait(10.1))
    peer.send(peer.response(invite, 487))
    assert peer.events()[1:] == [CallFailed(leg_id, 408, "Request Timeout")]
    peer.assert_drained()


@pytest.mark.parametrize(
    ("uri", "caller"),
    [
        ("nothing", "sip:a@b"),
        ("sip:a@b", "nothing"),
        ("sip:a@b\r\nX: y", "sip:a@b"),
        ("sip:a@b", '"x\r\nVia: y" <sip:a@b>'),
    ],
)
def test_addresses_that_would_break_the_message_raise(uri: str, caller: str) -> None:
    peer = HandPeer()
    with pytest.raises(LocalProtocolError):
        peer.agent.invite(uri, caller, SDP, peer.flow, 0.0)
    assert not peer.agent.legs
    assert peer.agent.next_timer() is None


def test_early_media_of_an_unknown_kind_is_no_sdp() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    progress = peer.response(invite, 183, sdp=b"<x/>").replace(b"application/sdp", b"text/xml")
    peer.send(progress)
    assert peer.events() == [CallProgressed(leg_id, 183, None, "far")]
    assert tag(header(progress, "To")) == "far"


def test_a_200_without_the_offer_that_was_asked_for_is_no_offer() -> None:
    peer = HandPeer()
    leg_id, _ = peer.called()
    peer.agent.reinvite(leg_id, None, peer.now)
    reinvite = peer.sent()[-1]
    assert lines(peer.send(peer.response(reinvite, 200))) == ["ACK"]
    assert peer.events() == [AnswerReceived(leg_id, None)]
