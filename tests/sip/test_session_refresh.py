"""Sessions that are refreshed by either side, and those that nobody refreshes."""

from __future__ import annotations

import pytest

from telephony.sip.config import UserAgentConfig
from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    CallFailed,
    Event,
    InviteReceived,
    LegEnded,
    OfferReceived,
    ReinviteFailed,
)
from telephony.sip.session_timer import Refresher
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, Network, body, header, lines, tag

TIMER = "Supported: timer\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n"
TIMER_ONLY = "Supported: timer\r\nAllow: INVITE, ACK, BYE, CANCEL\r\n"
NEW_SDP = b"v=0\r\no=- 3 3 IN IP4 192.0.2.3\r\ns=-\r\na=inactive\r\n"


def _answered(peer: HandPeer, extra: str = "") -> tuple[str, bytes]:
    """Receive, answer and confirm a call; return the leg id and the 200."""
    peer.send(peer.request(extra=extra))
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
    (ok,) = peer.sent()
    ours = tag(header(ok, "To"))
    peer.send(peer.request("ACK", branch="z9hG4bK1a", to_tag=ours))
    peer.events()
    return event.leg_id, ok


def _called(peer: HandPeer, extra: str) -> tuple[str, bytes]:
    """Call and be answered with ``extra`` headers; return the leg id and the INVITE."""
    leg_id, invite = peer.calling()
    contact = "Contact: <sip:far@192.0.2.20:5060>\r\n"
    peer.send(peer.response(invite, 200, sdp=OTHER_SDP, extra=contact + extra))
    peer.events()
    return leg_id, invite


def _refresh(peer: HandPeer, ok: bytes, extra: str, cseq: int = 2) -> bytes:
    ours = tag(header(ok, "To"))
    return peer.request("UPDATE", branch=f"z9hG4bKu{cseq}", cseq=cseq, to_tag=ours, extra=extra)


def _expired(peer: HandPeer, leg_id: str, sent: list[bytes]) -> None:
    byes = [data for data in sent if lines([data]) == ["BYE"]]
    assert byes, lines(sent)
    assert header(byes[0], "Reason") == 'SIP;cause=408;text="Session timer expired"'
    assert peer.events() == [LegEnded(leg_id, "error", status=408)]
    assert peer.agent.stats.sessions_expired == 1


class TestAnswering:
    def test_a_caller_without_the_timer_gets_none(self) -> None:
        peer = HandPeer()
        _, ok = _answered(peer)
        assert (header(ok, "Session-Expires"), header(ok, "Require")) == ("", "")
        assert "timer" in header(ok, "Supported")
        assert peer.wait(10_000) == []

    def test_a_caller_that_knows_it_is_refreshed_by_us(self) -> None:
        peer = HandPeer()
        _, ok = _answered(peer, TIMER)
        assert header(ok, "Session-Expires") == "1800;refresher=uas"
        assert header(ok, "Require") == "timer"
        assert peer.wait(899) == []
        (update,) = peer.wait(1.1)
        assert (lines([update]), body(update)) == (["UPDATE"], b"")
        assert header(update, "Session-Expires") == "1800;refresher=uac"
        assert header(update, "Min-SE") == "90"
        again = "Session-Expires: 1800;refresher=uac\r\n"
        peer.send(peer.response(update, 200, extra=again))
        assert peer.agent.stats.sessions_refreshed == 1
        assert peer.wait(899) == []
        assert lines(peer.wait(1.1)) == ["UPDATE"]
        assert peer.events() == []

    def test_a_caller_that_refreshes_and_stops_is_ended(self) -> None:
        peer = HandPeer()
        leg_id, ok = _answered(peer, f"{TIMER}Session-Expires: 600;refresher=uac\r\n")
        assert header(ok, "Session-Expires") == "600;refresher=uac"
        peer.wait(500)
        extra = f"{TIMER}Session-Expires: 600;refresher=uac\r\n"
        (answer,) = peer.send(_refresh(peer, ok, extra))
        assert lines([answer]) == ["200 UPDATE"]
        assert header(answer, "Session-Expires") == "600;refresher=uac"
        assert peer.events() == []
        assert peer.wait(567.9) == []
        _expired(peer, leg_id, peer.wait(0.2))
        peer.assert_drained()

    def test_a_refresh_by_reinvite_is_an_offer_like_any_other(self) -> None:
        peer = HandPeer()
        leg_id, ok = _answered(peer, f"{TIMER}Session-Expires: 600;refresher=uac\r\n")
        ours = tag(header(ok, "To"))
        peer.wait(300)
        extra = f"{TIMER}Session-Expires: 600;refresher=uac\r\n"
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours, extra=extra))
        assert peer.events() == [OfferReceived(leg_id, SDP)]
        peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
        (refreshed,) = peer.sent()
        assert header(refreshed, "Session-Expires") == "600;refresher=uac"
        peer.send(peer.request("ACK", branch="z9hG4bK2a", cseq=2, to_tag=ours))
        assert peer.wait(567) == []

    def test_a_refused_reinvite_refreshes_nothing(self) -> None:
        peer = HandPeer()
        leg_id, ok = _answered(peer, f"{TIMER}Session-Expires: 600;refresher=uac\r\n")
        ours = tag(header(ok, "To"))
        peer.wait(500)
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours, extra=TIMER))
        peer.agent.refuse_offer(leg_id, 488, peer.now)
        (refusal,) = peer.sent()
        peer.send(peer.request("ACK", branch="z9hG4bK2", cseq=2, to_tag=ours))
        peer.events()
        assert header(refusal, "Session-Expires") == ""
        _expired(peer, leg_id, peer.wait(70))

    @pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
    def test_an_interval_below_our_minimum_gets_422(self, method: str) -> None:
        peer = HandPeer(UserAgentConfig(min_session_expires_s=300))
        small = f"{TIMER}Session-Expires: 299\r\n"
        (refusal,) = peer.send(peer.request(extra=small))
        assert (lines([refusal]), header(refusal, "Min-SE")) == (["422 INVITE"], "300")
        assert peer.events() == []
        peer = HandPeer(UserAgentConfig(min_session_expires_s=300))
        _, ok = _answered(peer, f"{TIMER}Session-Expires: 300\r\n")
        ours = tag(header(ok, "To"))
        data = peer.request(method, branch="z9hG4bK2", cseq=2, to_tag=ours, extra=small)
        (refusal,) = peer.send(data)
        assert (lines([refusal]), header(refusal, "Min-SE")) == ([f"422 {method}"], "300")

    def test_a_proxy_that_wants_a_timer_gets_one_from_us(self) -> None:
        peer = HandPeer()
        _, ok = _answered(peer, "Session-Expires: 1200\r\n")
        assert header(ok, "Session-Expires") == "1200;refresher=uas"
        assert header(ok, "Require") == ""
        assert lines(peer.wait(600.1)) == ["INVITE"]

    def test_the_role_can_change_with_a_refresh(self) -> None:
        peer = HandPeer()
        _, ok = _answered(peer, f"{TIMER}Session-Expires: 600;refresher=uac\r\n")
        extra = f"{TIMER}Session-Expires: 600;refresher=uas\r\n"
        (answer,) = peer.send(_refresh(peer, ok, extra))
        assert header(answer, "Session-Expires") == "600;refresher=uas"
        assert lines(peer.wait(300.1)) == ["UPDATE"]

    def test_off_means_that_we_do_not_ask(self) -> None:
        peer = HandPeer(UserAgentConfig(session_expires_s=0))
        _, ok = _answered(peer, TIMER)
        assert header(ok, "Session-Expires") == ""
        peer = HandPeer(UserAgentConfig(session_expires_s=0))
        _, ok = _answered(peer, f"{TIMER}Session-Expires: 7200;refresher=uac\r\n")
        assert header(ok, "Session-Expires") == "7200;refresher=uac"
        _, invite = peer.calling()
        assert header(invite, "Session-Expires") == ""


class TestCalling:
    def test_the_invite_asks_for_it(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling()
        assert header(invite, "Session-Expires") == "1800"
        assert header(invite, "Min-SE") == "90"
        assert "timer" in header(invite, "Supported")

    def test_422_is_answered_with_what_it_asks_for(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        sent = peer.send(peer.response(invite, 422, extra="Min-SE: 2400\r\n"))
        assert lines(sent) == ["ACK", "INVITE"]
        again = sent[1]
        assert header(again, "Session-Expires") == "2400"
        assert header(again, "Min-SE") == "2400"
        assert header(again, "CSeq") == "2 INVITE"
        assert header(again, "Call-ID") == header(invite, "Call-ID")
        assert header(again, "From") == header(invite, "From")
        extra = "Contact: <sip:far@192.0.2.20:5060>\r\nSession-Expires: 2400;refresher=uac\r\n"
        peer.send(peer.response(again, 200, sdp=OTHER_SDP, extra=extra))
        assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]
        refresh = peer.wait(1200.1)[0]
        assert header(refresh, "Session-Expires") == "2400;refresher=uac"
        assert header(refresh, "Min-SE") == "2400"

    @pytest.mark.parametrize("extra", ["", "Min-SE: x\r\n", "Min-SE: 90\r\n", "Min-SE: 1800\r\n"])
    def test_a_422_that_asks_for_nothing_more_fails_the_call(self, extra: str) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        assert lines(peer.send(peer.response(invite, 422, extra=extra))) == ["ACK"]
        assert peer.events() == [CallFailed(leg_id, 422, "Whatever")]

    def test_a_peer_that_always_wants_more_is_given_up(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        sent = [invite]
        for round_ in range(10):
            refusal = peer.response(sent[-1], 422, extra=f"Min-SE: {2000 + round_}\r\n")
            sent = peer.send(refusal)
            if lines(sent) == ["ACK"]:
                break
        assert round_ == 4
        assert peer.events() == [CallFailed(leg_id, 422, "Whatever")]

    def test_a_callee_that_does_not_know_it(self) -> None:
        peer = HandPeer()
        _called(peer, "")
        assert peer.wait(10_000) == []

    def test_a_callee_that_refreshes_and_stops_is_ended(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer, "Require: timer\r\nSession-Expires: 90;refresher=uas\r\n")
        assert peer.wait(59.9) == []
        _expired(peer, leg_id, peer.wait(0.2))

    def test_a_2xx_without_it_switches_it_off(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer, "Session-Expires: 600;refresher=uas\r\n")
        peer.agent.reinvite(leg_id, SDP, peer.now)
        (invite,) = peer.sent()
        assert header(invite, "Session-Expires") == "600;refresher=uas"
        peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
        assert peer.wait(10_000) == []


class TestRefreshing:
    def test_by_reinvite_with_the_description_in_force(self) -> None:
        peer = HandPeer()
        leg_id, _ = _answered(peer, TIMER_ONLY)
        (invite,) = peer.wait(900.1)
        assert (lines([invite]), body(invite)) == (["INVITE"], OTHER_SDP)
        extra = "Session-Expires: 1800;refresher=uac\r\n"
        # Many count the version of o= up every time.
        same = SDP.replace(b"o=- 1 1", b"o=- 1 2")
        assert lines(peer.send(peer.response(invite, 200, sdp=same, extra=extra))) == ["ACK"]
        assert peer.events() == []
        (again,) = peer.wait(900.1)
        changed = SDP.replace(b"s=-", b"s=x")
        peer.send(peer.response(again, 200, sdp=changed, extra=extra))
        assert peer.events() == [AnswerReceived(leg_id, changed)]

    def test_a_held_call_stays_held(self) -> None:
        peer = HandPeer()
        leg_id, ok = _answered(peer, TIMER_ONLY)
        ours = tag(header(ok, "To"))
        peer.wait(800)
        hold = peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours, extra=TIMER_ONLY)
        peer.send(hold)
        peer.agent.answer_offer(leg_id, NEW_SDP, peer.now)
        peer.sent()
        peer.send(peer.request("ACK", branch="z9hG4bK2a", cseq=2, to_tag=ours))
        peer.events()
        assert peer.wait(899) == []
        (refresh,) = peer.wait(1.1)
        assert body(refresh) == NEW_SDP

    def test_update_that_is_not_served_after_all_gives_way_to_reinvite(self) -> None:
        peer = HandPeer()
        _answered(peer, TIMER)
        (update,) = peer.wait(900.1)
        assert lines(peer.send(peer.response(update, 501))) == ["INVITE"]

    @pytest.mark.parametrize("extra", [TIMER, TIMER_ONLY])
    def test_a_collision_is_tried_again(self, extra: str) -> None:
        peer = HandPeer()
        _answered(peer, extra)
        (refresh,) = peer.wait(900.1)
        peer.send(peer.response(refresh, 491))
        again = peer.wait(2.1)
        assert lines(again)[0] == lines([refresh])[0]
        assert peer.events() == []

    def test_a_busy_peer_says_when_to_try_again(self) -> None:
        peer = HandPeer()
        _answered(peer, TIMER)
        (refresh,) = peer.wait(900.1)
        peer.send(peer.response(refresh, 503, extra="Retry-After: 20\r\n"))
        assert peer.wait(19.9) == []
        assert lines(peer.wait(0.2)) == ["UPDATE"]

    def test_a_peer_that_refuses_every_refresh_is_ended_with_the_session(self) -> None:
        peer = HandPeer()
        leg_id, _ = _answered(peer, TIMER)
        sent = peer.wait(900.1)
        tries = 0
        while lines(sent) != ["BYE"] and tries < 30:
            tries += 1
            peer.send(peer.response(sent[0], 500))
            due = peer.agent.next_timer()
            assert due is not None
            sent = []
            while not sent:
                due = peer.agent.next_timer()
                assert due is not None
                sent = peer.wait(due - peer.now)
        assert 5 < tries < 30
        assert peer.now == pytest.approx(1800, abs=0.2)
        _expired(peer, leg_id, sent)

    def test_one_that_crossed_the_peer_s_is_not_repeated(self) -> None:
        peer = HandPeer()
        leg_id, ok = _answered(peer, TIMER)
        ours = tag(header(ok, "To"))
        (update,) = peer.wait(900.1)
        extra = f"{TIMER}Session-Expires: 1800;refresher=uac\r\n"
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours, extra=extra))
        peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
        peer.send(peer.request("ACK", branch="z9hG4bK2a", cseq=2, to_tag=ours))
        peer.send(peer.response(update, 491))
        assert peer.wait(1700) == []
        assert "BYE" in lines(peer.wait(70))

    @pytest.mark.parametrize("status", [408, 481])
    def test_a_peer_that_lost_the_dialog_is_ended_at_once(self, status: int) -> None:
        peer = HandPeer()
        leg_id, _ = _answered(peer, TIMER)
        (refresh,) = peer.wait(900.1)
        assert lines(peer.send(peer.response(refresh, status))) == ["BYE"]
        assert peer.events() == [LegEnded(leg_id, "error", status=status)]

    @pytest.mark.parametrize("extra", [TIMER, TIMER_ONLY])
    def test_a_peer_that_is_dead_is_found_out(self, extra: str) -> None:
        peer = HandPeer()
        leg_id, _ = _answered(peer, extra)
        sent = peer.wait(940)
        assert "BYE" in lines(sent)
        assert peer.events() == [LegEnded(leg_id, "error", status=408)]
        peer.assert_drained()

    @pytest.mark.parametrize("extra", [TIMER, TIMER_ONLY])
    def test_422_raises_the_interval(self, extra: str) -> None:
        peer = HandPeer()
        _answered(peer, extra)
        (refresh,) = peer.wait(900.1)
        again = peer.send(peer.response(refresh, 422, extra="Min-SE: 3600\r\n"))[-1]
        assert lines([again]) == lines([refresh])
        assert header(again, "Session-Expires") == "3600;refresher=uac"
        assert header(again, "Min-SE") == "3600"

    def test_it_waits_for_an_exchange_under_way(self) -> None:
        peer = HandPeer()
        leg_id, ok = _answered(peer, TIMER_ONLY)
        ours = tag(header(ok, "To"))
        peer.wait(899.9)
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours, extra=TIMER_ONLY))
        assert "INVITE" not in lines(peer.wait(5))
        peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
        peer.send(peer.request("ACK", branch="z9hG4bK2a", cseq=2, to_tag=ours))
        peer.sent()
        assert peer.wait(899) == []
        assert lines(peer.wait(1.1)) == ["INVITE"]

    def test_an_offer_of_ours_waits_for_the_refresh(self) -> None:
        peer = HandPeer()
        leg_id, _ = _answered(peer, TIMER_ONLY)
        (refresh,) = peer.wait(900.1)
        assert peer.agent.reinvite(leg_id, NEW_SDP, peer.now)
        assert peer.sent() == []
        peer.wait(0.15)
        extra = "Session-Expires: 1800;refresher=uac\r\n"
        peer.send(peer.response(refresh, 200, sdp=SDP, extra=extra))
        (invite,) = peer.wait(0.15)
        assert (lines([invite]), body(invite)) == (["INVITE"], NEW_SDP)
        assert not any(isinstance(event, ReinviteFailed) for event in peer.events())


@pytest.mark.parametrize("refresher", ["us", "peer"])
def test_both_sides_of_one_call_agree(refresher: Refresher) -> None:
    network = Network()
    config = UserAgentConfig(session_expires_s=90, session_refresher=refresher)
    caller = network.add(("192.0.2.1", 5060), 1, config)
    callee = network.add(("192.0.2.2", 5060), 2, config)

    def react(event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            callee.agent.answer(event.leg_id, SDP, now)

    callee.react = react
    flow = network.flow(caller.address, callee.address)
    caller.agent.invite("sip:b@192.0.2.2", "sip:a@192.0.2.1", OTHER_SDP, flow, 0.0)
    network.run(3600.0)
    assert network.ladder().count("BYE") == 0
    active, passive = (callee, caller) if refresher == "us" else (caller, callee)
    assert active.agent.stats.sessions_refreshed == 79
    assert passive.agent.stats.sessions_refreshed == 0
    del network.endpoints[active.address]
    network.run(200.0)
    assert LegEnded in [type(event) for event in passive.events]


def test_a_peer_that_always_wants_a_longer_session_is_not_asked_without_a_pause() -> None:
    peer = HandPeer()
    _called(peer, f"{TIMER}Session-Expires: 90;refresher=uac\r\n")
    asked = 0
    for data in (waiting := peer.wait(45)):
        if lines([data]) == ["UPDATE"]:
            asked += 1
            waiting += peer.send(peer.response(data, 422, extra=f"Min-SE: {90 + asked}\r\n"))
    assert asked == 5
