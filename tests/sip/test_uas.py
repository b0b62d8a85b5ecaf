"""Requests of peers: what is served, refused and matched."""

from __future__ import annotations

import pytest

from telephony.sip.events import (
    InfoReceived,
    InviteCancelled,
    InviteReceived,
    LegConfirmed,
    LegEnded,
    OfferReceived,
    OfferWithdrawn,
)
from telephony.sip.flow import Flow
from telephony.sip.screening import Refusal
from telephony.sip.status import ALLOWED_METHODS
from tests.sip.wire import OTHER_SDP, PEER, SDP, US, HandPeer, header, headers, lines, tag


def test_invite_is_answered_100_at_once_and_reported() -> None:
    peer = HandPeer()
    sent = peer.send(peer.request(extra="X-Trunk: one\r\n"))
    assert lines(sent) == ["100 INVITE"]
    assert ";tag=" not in header(sent[0], "To")
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    assert event.request_uri == "sip:bot@192.0.2.10"
    assert (event.from_uri, event.from_display) == ("sip:peer@192.0.2.20", "Peer")
    assert event.to_uri == "sip:bot@192.0.2.10"
    assert (event.call_id, event.sdp) == ("call-1", SDP)
    assert event.headers["x-trunk"] == "one"


def test_a_call_from_ring_to_bye() -> None:
    peer = HandPeer()
    leg_id = peer.invited()
    assert peer.agent.ring(leg_id, peer.now)
    assert lines(peer.sent()) == ["180 INVITE"]
    assert peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    (ok,) = peer.sent()
    assert header(ok, "Contact") == "<sip:192.0.2.10:5060>"
    assert header(ok, "Content-Type") == "application/sdp"
    ours = tag(header(ok, "To"))
    assert peer.send(peer.request("ACK", branch="z9hG4bKack", to_tag=ours)) == []
    assert peer.events() == [LegConfirmed(leg_id, None)]
    bye = peer.request(
        "BYE", branch="z9hG4bKbye", cseq=2, to_tag=ours, extra="Reason: Q.850;c=16\r\n"
    )
    assert lines(peer.send(bye)) == ["200 BYE"]
    assert peer.events() == [LegEnded(leg_id, "remote", "Q.850;c=16")]
    peer.assert_drained()


def test_record_route_and_vias_are_copied_in_order() -> None:
    peer = HandPeer()
    extra = (
        "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKx, SIP/2.0/TCP far.example;branch=z9hG4bKy\r\n"
        "Record-Route: <sip:a.example;lr>, <sip:b.example;lr>\r\n"
        "Record-Route: <sip:c.example;lr>\r\n"
    )
    peer.send(peer.request(extra=extra))
    (event,) = peer.events()
    peer.agent.ring(event.leg_id, 0.0)
    (ringing,) = peer.sent()
    assert headers(ringing, "Record-Route") == [
        "<sip:a.example;lr>, <sip:b.example;lr>",
        "<sip:c.example;lr>",
    ]
    assert [via.split(";branch=")[1][:9] for via in headers(ringing, "Via")] == [
        "z9hG4bK1;",
        "z9hG4bKx",
        "z9hG4bKy",
    ]


@pytest.mark.parametrize(
    ("method", "status"),
    [("REGISTER", 405), ("PUBLISH", 405), ("SUBSCRIBE", 405), ("FETCH", 501)],
)
def test_methods_that_are_not_served(method: str, status: int) -> None:
    peer = HandPeer()
    (answer,) = peer.send(peer.request(method))
    assert lines([answer]) == [f"{status} {method}"]
    assert "INVITE" in header(answer, "Allow")
    assert tag(header(answer, "To"))


@pytest.mark.parametrize("method", ["BYE", "INFO"])
def test_requests_without_a_dialog_get_481(method: str) -> None:
    peer = HandPeer()
    assert lines(peer.send(peer.request(method))) == [f"481 {method}"]
    assert lines(peer.send(peer.request(method, branch="z9hG4bK2", to_tag="x"))) == [
        f"481 {method}"
    ]


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_tag_of_no_dialog_gets_481(method: str) -> None:
    peer = HandPeer()
    assert lines(peer.send(peer.request(method, to_tag="unknown"))) == [f"481 {method}"]
    assert not peer.agent.dialogs


def test_options_outside_a_dialog_says_what_we_can() -> None:
    peer = HandPeer()
    (answer,) = peer.send(peer.request("OPTIONS"))
    assert lines([answer]) == ["200 OPTIONS"]
    assert header(answer, "Allow") == ", ".join(ALLOWED_METHODS)
    assert header(answer, "Accept") == "application/sdp"
    assert header(answer, "Accept-Encoding") == "identity"
    assert header(answer, "Accept-Language") == "en"
    assert b"\r\nSupported:" in answer


def test_options_can_say_that_we_drain() -> None:
    peer = HandPeer()
    peer.agent.answer_options_with(503, (("Retry-After", "30"),))
    (answer,) = peer.send(peer.request("OPTIONS"))
    assert lines([answer]) == ["503 OPTIONS"]
    assert header(answer, "Retry-After") == "30"


def test_required_extensions_are_refused_by_name() -> None:
    peer = HandPeer()
    (answer,) = peer.send(peer.request(extra="Require: sec-agree, timer, precondition\r\n"))
    assert lines([answer]) == ["420 INVITE"]
    assert header(answer, "Unsupported") == "sec-agree, precondition"
    assert peer.events() == []


def test_a_foreign_uri_scheme_gets_416() -> None:
    peer = HandPeer()
    assert lines(peer.send(peer.request(uri="im:bot@example.com"))) == ["416 INVITE"]


def test_an_unreadable_body_gets_415_with_accept() -> None:
    peer = HandPeer()
    data = peer.request().replace(b"application/sdp", b"application/xml")
    (answer,) = peer.send(data)
    assert lines([answer]) == ["415 INVITE"]
    assert header(answer, "Accept") == "application/sdp"


def test_invite_without_contact_gets_400() -> None:
    peer = HandPeer()
    data = peer.request().replace(b"Contact: <sip:peer@192.0.2.20:5060>\r\n", b"")
    assert lines(peer.send(data)) == ["400 INVITE"]


def test_a_request_whose_hops_ran_out_here_is_served() -> None:
    """RFC 4475 section 3.1.2.11 (zeromf): only a proxy refuses it."""
    peer = HandPeer()
    data = peer.request("OPTIONS").replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
    assert lines(peer.send(data)) == ["200 OPTIONS"]


class TestCancel:
    def test_before_the_answer(self) -> None:
        peer = HandPeer()
        leg_id = peer.invited()
        sent = peer.send(peer.request("CANCEL", extra="Reason: SIP;cause=200\r\n"))
        assert lines(sent) == ["200 CANCEL", "487 INVITE"]
        assert header(sent[0], "To") == header(sent[1], "To")
        assert peer.events() == [InviteCancelled(leg_id, "SIP;cause=200")]
        assert peer.send(peer.request("ACK", to_tag=tag(header(sent[1], "To")))) == []
        assert not peer.agent.answer(leg_id, SDP, peer.now)
        assert peer.agent.stats.commands_too_late == 1
        peer.assert_drained()

    def test_after_the_answer_changes_nothing(self) -> None:
        peer = HandPeer()
        leg_id = peer.invited()
        peer.agent.answer(leg_id, SDP, peer.now)
        peer.sent()
        assert lines(peer.send(peer.request("CANCEL"))) == ["200 CANCEL"]
        assert peer.events() == []
        assert leg_id in peer.agent.legs

    def test_repeated(self) -> None:
        peer = HandPeer()
        peer.invited()
        peer.send(peer.request("CANCEL"))
        assert lines(peer.send(peer.request("CANCEL"))) == ["200 CANCEL"]

    def test_of_nothing(self) -> None:
        peer = HandPeer()
        assert lines(peer.send(peer.request("CANCEL"))) == ["481 CANCEL"]
        peer.assert_drained()

    def test_of_a_reinvite_keeps_the_call(self) -> None:
        peer = HandPeer()
        leg_id, ours = peer.up()
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        assert peer.events() == [OfferReceived(leg_id, SDP)]
        sent = peer.send(peer.request("CANCEL", branch="z9hG4bK2", cseq=2, to_tag=ours))
        assert lines(sent) == ["200 CANCEL", "487 INVITE"]
        assert peer.events() == [OfferWithdrawn(leg_id)]
        assert not peer.agent.answer_offer(leg_id, SDP, peer.now)
        assert leg_id in peer.agent.legs


class TestInDialog:
    def test_options_and_info(self) -> None:
        peer = HandPeer()
        leg_id, ours = peer.up()
        options = peer.request("OPTIONS", branch="z9hG4bK2", cseq=2, to_tag=ours)
        assert lines(peer.send(options)) == ["200 OPTIONS"]
        info = peer.request(
            "INFO",
            branch="z9hG4bK3",
            cseq=3,
            to_tag=ours,
            extra="Content-Type: application/dtmf-relay\r\n",
        ).replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 8\r\n\r\nSignal=5")
        assert lines(peer.send(info)) == ["200 INFO"]
        assert peer.events() == [InfoReceived(leg_id, "application/dtmf-relay", b"Signal=5")]

    def test_info_that_is_of_no_use_above_is_refused(self) -> None:
        peer = HandPeer()
        _, ours = peer.up()
        asked: list[tuple[str, bytes]] = []

        def screen(content_type: str, body: bytes) -> Refusal | None:
            asked.append((content_type, body))
            return Refusal(415, (("Accept", "text/x"),))

        peer.agent.screen_info_with(screen)
        kind = "Content-Type: Application/Dtmf ;x=y\r\n"
        info = peer.request("INFO", branch="z9hG4bK3", cseq=3, to_tag=ours, extra=kind)
        (refusal,) = peer.send(info)
        assert lines([refusal]) == ["415 INFO"]
        assert header(refusal, "Accept") == "text/x"
        assert asked == [("application/dtmf", b"")]
        assert peer.events() == []

    def test_info_of_a_package_gets_469(self) -> None:
        peer = HandPeer()
        _, ours = peer.up()
        info = peer.request(
            "INFO", branch="z9hG4bK3", cseq=3, to_tag=ours, extra="Info-Package: x\r\n"
        )
        assert lines(peer.send(info)) == ["469 INFO"]

    def test_an_older_cseq_gets_500(self) -> None:
        peer = HandPeer()
        _, ours = peer.up()
        peer.send(peer.request("OPTIONS", branch="z9hG4bK2", cseq=9, to_tag=ours))
        late = peer.request("BYE", branch="z9hG4bK3", cseq=8, to_tag=ours)
        assert lines(peer.send(late)) == ["500 BYE"]

    def test_a_wrong_from_tag_is_another_dialog(self) -> None:
        peer = HandPeer()
        _, ours = peer.up()
        forged = peer.request("BYE", branch="z9hG4bK2", cseq=2, to_tag=ours, from_tag="evil")
        assert lines(peer.send(forged)) == ["481 BYE"]

    def test_bye_before_the_answer_ends_the_invite(self) -> None:
        peer = HandPeer()
        leg_id = peer.invited()
        peer.agent.ring(leg_id, 0.0)
        ours = tag(header(peer.sent()[-1], "To"))
        sent = peer.send(peer.request("BYE", branch="z9hG4bK2", cseq=2, to_tag=ours))
        assert lines(sent) == ["200 BYE", "487 INVITE"]
        assert peer.events() == [InviteCancelled(leg_id)]
        peer.assert_drained()

    def test_bye_while_a_reinvite_is_open_ends_both(self) -> None:
        peer = HandPeer()
        leg_id, ours = peer.up()
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        peer.events()
        sent = peer.send(peer.request("BYE", branch="z9hG4bK3", cseq=3, to_tag=ours))
        assert lines(sent) == ["200 BYE", "487 INVITE"]
        assert peer.events() == [LegEnded(leg_id, "remote")]
        peer.assert_drained()

    def test_second_reinvite_before_the_first_is_answered_gets_500(self) -> None:
        peer = HandPeer()
        _, ours = peer.up()
        peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        (answer,) = peer.send(peer.request(branch="z9hG4bK3", cseq=3, to_tag=ours))
        assert lines([answer]) == ["500 INVITE"]
        assert 0 <= int(header(answer, "Retry-After")) <= 10

    def test_reinvite_while_ours_is_open_gets_491(self) -> None:
        peer = HandPeer()
        leg_id, ours = peer.up()
        peer.agent.reinvite(leg_id, SDP, peer.now)
        peer.sent()
        sent = peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        assert lines(sent) == ["491 INVITE"]

    def test_reinvite_while_our_offer_waits_for_its_answer_gets_491(self) -> None:
        peer = HandPeer()
        peer.send(peer.request(sdp=None))
        (event,) = peer.events()
        peer.agent.answer(event.leg_id, SDP, 0.0)
        ours = tag(header(peer.sent()[-1], "To"))
        sent = peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        assert lines(sent) == ["491 INVITE"]

    def test_bye_that_crosses_ours_gets_200(self) -> None:
        peer = HandPeer()
        leg_id, ours = peer.up()
        peer.agent.bye(leg_id, peer.now)
        assert lines(peer.sent()) == ["BYE"]
        crossing = peer.request("BYE", branch="z9hG4bK2", cseq=2, to_tag=ours)
        assert lines(peer.send(crossing)) == ["200 BYE"]
        assert peer.events() == [LegEnded(leg_id, "local")]
        peer.assert_drained()

    def test_reinvite_after_our_bye_gets_481(self) -> None:
        peer = HandPeer()
        leg_id, ours = peer.up()
        peer.agent.bye(leg_id, peer.now)
        peer.sent()
        sent = peer.send(peer.request(branch="z9hG4bK2", cseq=2, to_tag=ours))
        assert lines(sent) == ["481 INVITE"]


def test_a_peer_without_the_branch_cookie_is_served() -> None:
    peer = HandPeer()
    invite = peer.request(branch="old")
    first = peer.send(invite)
    assert peer.send(invite) == first
    (event,) = peer.events()
    peer.agent.reject(event.leg_id, 404, 0.0)
    (refusal,) = peer.sent()
    ours = tag(header(refusal, "To"))
    peer.send(peer.request("ACK", branch="old", to_tag=ours))
    assert peer.wait(60) == []


def test_in_dialog_requests_move_the_flow() -> None:
    """A phone behind a NAT whose binding changed is called back where it was last heard."""
    peer = HandPeer()
    private = "<sip:peer@10.0.0.5:5060>"
    peer.send(peer.request(contact=private))
    (event,) = peer.events()
    peer.agent.answer(event.leg_id, SDP, 0.0)
    ours = tag(header(peer.sent()[-1], "To"))
    moved = Flow("udp", (PEER[0], 61_000), US)
    peer.send(peer.request("ACK", branch="z9hG4bK2", to_tag=ours, contact=private), moved)
    peer.agent.bye(event.leg_id, 0.0)
    (bye,) = peer.agent.messages_to_send()
    assert bye.flow == moved
    assert bye.data.startswith(b"BYE sip:peer@10.0.0.5:5060 SIP/2.0\r\n")


def test_a_bye_finds_the_peer_whose_connection_is_gone() -> None:
    peer = HandPeer(transport="tcp")
    leg_id, _ = peer.up()
    peer.agent.transport_failed(peer.flow, peer.now)
    peer.agent.bye(leg_id, peer.now)
    (bye,) = peer.agent.messages_to_send()
    assert lines([bye.data]) == ["BYE"]
    assert bye.flow == Flow("tcp", ("192.0.2.20", 5060), US)
    assert peer.send(peer.response(bye.data, 200), bye.flow) == []
    peer.assert_drained()


def test_a_connection_that_a_peer_opened_anew_is_used_again() -> None:
    peer = HandPeer(transport="tcp")
    leg_id, ours = peer.up()
    peer.agent.transport_failed(peer.flow, peer.now)
    anew = Flow("tcp", (PEER[0], 40_123), US)
    peer.send(peer.request("INVITE", branch="z9hG4bKre", cseq=2, to_tag=ours), anew)
    peer.agent.answer_offer(leg_id, OTHER_SDP, peer.now)
    peer.send(peer.request("ACK", branch="z9hG4bKra", cseq=2, to_tag=ours), anew)
    peer.sent()
    peer.agent.bye(leg_id, peer.now)
    (bye,) = peer.agent.messages_to_send()
    assert bye.flow == anew
