"""Early dialogs: forks, reliable provisional responses and their PRACKs, 199, early media."""

from __future__ import annotations

import pytest

from telephony.sip.config import UserAgentConfig
from telephony.sip.events import CallAnswered, CallFailed, CallProgressed, LegEnded
from tests.sip.challenging import ALICE, challenge_lines
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, header, headers, lines, start_line

THIRD_SDP = b"v=0\r\no=- 3 3 IN IP4 192.0.2.3\r\ns=-\r\n"
_CONTACT = "Contact: <sip:far@192.0.2.20:5060>\r\n"


def reliable(
    peer: HandPeer, invite: bytes, rseq: int, status: int = 183, **options: object
) -> bytes:
    extra = f"{_CONTACT}Require: 100rel\r\nRSeq: {rseq}\r\n"
    return peer.response(invite, status, extra=extra, **options)  # type: ignore[arg-type]


def test_we_say_what_we_understand() -> None:
    peer = HandPeer()
    _, invite = peer.calling()
    tags = header(invite, "Supported").split(", ")
    assert tags[:2] == ["100rel", "199"]
    _, without_offer = peer.calling(sdp=None)
    assert "100rel" not in header(without_offer, "Supported")


class TestPrack:
    def test_acknowledges_a_reliable_response_in_its_early_dialog(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        extra = (
            "Contact: <sip:far@192.0.2.20:6060>\r\nRequire: 100rel\r\nRSeq: 4711\r\n"
            "Record-Route: <sip:192.0.2.20;lr>\r\n"
        )
        (prack,) = peer.send(peer.response(invite, 183, sdp=OTHER_SDP, extra=extra))
        assert prack.startswith(b"PRACK sip:far@192.0.2.20:6060 SIP/2.0\r\n")
        assert header(prack, "RAck") == "4711 1 INVITE"
        assert header(prack, "CSeq") == "2 PRACK"
        assert header(prack, "To").endswith(";tag=far")
        assert header(prack, "Call-ID") == header(invite, "Call-ID")
        assert header(prack, "Route") == "<sip:192.0.2.20;lr>"
        assert peer.events() == [CallProgressed(leg_id, 183, OTHER_SDP, "far")]

    def test_a_repeated_response_is_absorbed(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        progress = reliable(peer, invite, 7)
        assert lines(peer.send(progress)) == ["PRACK"]
        peer.events()
        assert peer.send(progress) == []
        assert peer.events() == []
        assert peer.agent.stats.provisionals_ignored == 1

    def test_a_lost_prack_repeats_itself(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        (prack,) = peer.send(reliable(peer, invite, 7))
        assert peer.wait(0.6) == [prack]
        peer.send(peer.response(prack, 200))
        assert peer.wait(20) == []

    def test_what_comes_after_a_gap_waits_for_what_was_lost(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        assert lines(peer.send(reliable(peer, invite, 7))) == ["PRACK"]
        assert peer.send(reliable(peer, invite, 9)) == []
        assert header(peer.send(reliable(peer, invite, 8))[0], "RAck") == "8 1 INVITE"
        assert header(peer.send(reliable(peer, invite, 9))[0], "RAck") == "9 1 INVITE"

    def test_every_fork_counts_for_itself(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        (one,) = peer.send(reliable(peer, invite, 7, to_tag="one"))
        (two,) = peer.send(reliable(peer, invite, 90, to_tag="two"))
        (more,) = peer.send(reliable(peer, invite, 8, to_tag="one"))
        assert [header(data, "RAck").split()[0] for data in (one, two, more)] == ["7", "90", "8"]
        assert [header(data, "CSeq") for data in (one, two, more)] == [
            "2 PRACK",
            "2 PRACK",
            "3 PRACK",
        ]

    @pytest.mark.parametrize(
        "extra",
        [
            "RSeq: 7\r\n",
            "Require: 100rel\r\n",
            "Require: 100rel\r\nRSeq: 0\r\n",
            "Require: 100rel\r\nRSeq: seven\r\n",
            "Require: 100rel\r\nRSeq: 4294967296\r\n",
        ],
    )
    def test_is_not_sent_for_what_is_not_reliable(self, extra: str) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        assert peer.send(peer.response(invite, 183, extra=_CONTACT + extra)) == []
        assert peer.events() == [CallProgressed(leg_id, 183, None, "far")]

    def test_is_not_sent_for_100_nor_without_our_offer(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        assert peer.send(reliable(peer, invite, 7, 100)) == []
        _, delayed = peer.calling(sdp=None)
        assert peer.send(reliable(peer, delayed, 7, sdp=OTHER_SDP)) == []

    @pytest.mark.parametrize("status", [481, 500, 408])
    def test_refused_leaves_the_call_to_the_invite(self, status: int) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        (prack,) = peer.send(reliable(peer, invite, 7))
        peer.send(peer.response(prack, status))
        assert peer.agent.stats.pracks_refused == 1
        peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
        assert peer.events()[-1] == CallAnswered(leg_id, OTHER_SDP)

    def test_is_sent_after_a_cancel_too(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.agent.cancel(leg_id, 0.0)
        assert sorted(lines(peer.send(reliable(peer, invite, 7)))) == ["CANCEL", "PRACK"]
        assert peer.events() == []

    def test_is_challenged(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling(credentials=ALICE)
        (prack,) = peer.send(reliable(peer, invite, 7))
        (again,) = peer.send(peer.response(prack, 407, extra=challenge_lines()))
        assert (header(again, "CSeq"), header(again, "RAck")) == ("3 PRACK", "7 1 INVITE")
        assert header(again, "Proxy-Authorization") != ""

    def test_names_the_invite_that_was_sent_again(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling(credentials=ALICE)
        (prack,) = peer.send(reliable(peer, invite, 7))
        (again,) = (
            data
            for data in peer.send(peer.response(invite, 407, extra=challenge_lines()))
            if start_line(data) == "INVITE"
        )
        # The PRACK used up a number: the second INVITE is above it.
        assert (header(prack, "CSeq"), header(again, "CSeq")) == ("2 PRACK", "3 INVITE")
        (prack,) = peer.send(reliable(peer, again, 3))
        assert header(prack, "RAck") == "3 3 INVITE"


class TestAnswer:
    def test_the_reliable_answer_stands_for_that_of_the_200(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(reliable(peer, invite, 1, sdp=OTHER_SDP))
        assert lines(peer.send(peer.response(invite, 200))) == ["ACK"]
        assert peer.events()[-1] == CallAnswered(leg_id, OTHER_SDP)

    def test_is_that_of_the_callee_who_answered(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(reliable(peer, invite, 1, to_tag="one", sdp=OTHER_SDP))
        peer.send(reliable(peer, invite, 1, to_tag="two", sdp=THIRD_SDP))
        peer.send(peer.response(invite, 200, to_tag="one"))
        assert peer.events()[-1] == CallAnswered(leg_id, OTHER_SDP)

    def test_a_callee_not_heard_of_before_answers(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 183, to_tag="one", sdp=OTHER_SDP))
        peer.send(peer.response(invite, 200, to_tag="new", sdp=THIRD_SDP))
        assert peer.events()[-1] == CallAnswered(leg_id, THIRD_SDP)
        assert [key[2] for key in peer.agent.dialogs] == ["new"]

    def test_takes_the_route_of_the_200_and_goes_on_counting(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        extra = f"{_CONTACT}Require: 100rel\r\nRSeq: 1\r\nRecord-Route: <sip:192.0.2.77;lr>\r\n"
        (prack,) = peer.send(peer.response(invite, 183, extra=extra))
        assert header(prack, "Route") == "<sip:192.0.2.77;lr>"
        answer = "Contact: <sip:new@192.0.2.20:7070>\r\nRecord-Route: <sip:192.0.2.88;lr>\r\n"
        (ack,) = peer.send(peer.response(invite, 200, sdp=OTHER_SDP, extra=answer))
        assert ack.startswith(b"ACK sip:new@192.0.2.20:7070 ")
        assert (header(ack, "CSeq"), headers(ack, "Route")) == ("1 ACK", ["<sip:192.0.2.88;lr>"])
        peer.agent.bye(leg_id, 0.0)
        assert header(peer.sent()[0], "CSeq") == "3 BYE"

    def test_a_second_callee_is_ended_after_its_prack(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        peer.send(reliable(peer, invite, 1, to_tag="one"))
        peer.send(peer.response(invite, 200, to_tag="two", sdp=OTHER_SDP))
        ack, bye = peer.send(peer.response(invite, 200, to_tag="one", sdp=OTHER_SDP))
        assert (header(ack, "CSeq"), header(bye, "CSeq")) == ("1 ACK", "3 BYE")

    def test_what_is_still_provisional_then_is_ignored(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        peer.send(peer.response(invite, 200, to_tag="one", sdp=OTHER_SDP))
        peer.events()
        assert peer.send(reliable(peer, invite, 1, to_tag="two")) == []
        assert peer.events() == []
        assert len(peer.agent.dialogs) == 1


class TestForks:
    def test_are_told_apart_and_all_gone_with_the_final_response(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180, to_tag="one"))
        peer.send(peer.response(invite, 183, to_tag="two", sdp=OTHER_SDP))
        assert len(peer.agent.dialogs) == 2
        assert peer.events() == [
            CallProgressed(leg_id, 180, None, "one"),
            CallProgressed(leg_id, 183, OTHER_SDP, "two"),
        ]
        peer.send(peer.response(invite, 486, to_tag="proxy"))
        assert not peer.agent.dialogs
        peer.assert_drained()

    def test_one_is_taken_back_with_199(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 183, to_tag="one", sdp=OTHER_SDP))
        peer.send(peer.response(invite, 199, to_tag="one"))
        assert not peer.agent.dialogs
        assert peer.events()[-1] == CallProgressed(leg_id, 199, None, "one")
        peer.send(peer.response(invite, 200, to_tag="two", sdp=OTHER_SDP))
        assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]

    def test_are_bounded(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        for number in range(100):
            peer.send(peer.response(invite, 180, to_tag=f"t{number}"))
        assert len(peer.agent.dialogs) == 32
        assert peer.send(reliable(peer, invite, 1, to_tag="t99")) == []

    def test_do_not_come_from_responses_without_a_tag(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180).replace(b";tag=far", b""))
        assert peer.events() == [CallProgressed(leg_id, 180, None)]
        assert not peer.agent.dialogs

    @pytest.mark.parametrize("refused_first", [True, False])
    def test_one_that_answers_after_the_cancel_is_ended(self, refused_first: bool) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180, to_tag="one"))
        peer.agent.cancel(leg_id, 0.0, (("Reason", "SIP;cause=200"),))
        (cancel,) = peer.sent()
        assert header(cancel, "Reason") == "SIP;cause=200"
        if refused_first:
            peer.send(peer.response(invite, 487, to_tag="proxy"))
        else:
            _, bye = peer.send(peer.response(invite, 200, to_tag="two", sdp=OTHER_SDP))
            assert header(bye, "Reason") == "SIP;cause=200"
        late = peer.response(invite, 200, to_tag="one", sdp=OTHER_SDP)
        ack, bye = peer.send(late)
        assert (start_line(ack), start_line(bye)) == ("ACK", "BYE")
        assert header(bye, "To").endswith(";tag=one")
        assert peer.send(late) == [ack]
        ends = [event for event in peer.events() if isinstance(event, CallFailed | LegEnded)]
        assert ends == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()

    def test_lose_their_connection(self) -> None:
        peer = HandPeer(transport="tcp")
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 180))
        peer.agent.transport_failed(peer.flow, 1.0)
        assert peer.events()[-1] == CallFailed(leg_id, 503, "Service Unavailable")
        peer.assert_drained()


def test_endless_ringing_with_pracks_is_cancelled() -> None:
    peer = HandPeer(UserAgentConfig(ring_timeout_s=10))
    leg_id, invite = peer.calling()
    (prack,) = peer.send(reliable(peer, invite, 1, 180))
    peer.send(peer.response(prack, 200))
    assert "CANCEL" in lines(peer.wait(10.1))
    peer.send(peer.response(invite, 487))
    assert peer.events()[-1] == CallFailed(leg_id, 408, "Request Timeout")
    peer.assert_drained()


def test_a_redirection_is_told_with_its_targets() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling(SDP)
    peer.send(peer.response(invite, 302, extra="Contact: <sip:new@192.0.2.30>;q=0.5\r\n"))
    (event,) = peer.events()
    assert isinstance(event, CallFailed)
    assert (event.leg_id, event.status) == (leg_id, 302)
    assert event.headers.get_all("Contact") == ["<sip:new@192.0.2.30>;q=0.5"]
