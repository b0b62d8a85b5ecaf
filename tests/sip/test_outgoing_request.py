"""The tries of a request: numbers, routes, and large INVITEs over streams and back."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.config import UserAgentConfig
from telephony.sip.events import AnswerReceived, CallAnswered, CallFailed
from telephony.sip.flow import Flow, Outgoing
from tests.sip.challenging import ALICE, challenge_lines
from tests.sip.wire import OTHER_SDP, PEER, SDP, US, HandPeer, header, headers, lines, start_line

_LARGE_SDP = SDP + b"a=x:" + b"y" * 1500 + b"\r\n"
_TCP = Flow("tcp", PEER, US)


def _outgoing(peer: HandPeer) -> Outgoing:
    (outgoing,) = peer.agent.messages_to_send()
    return outgoing


def _large(peer: HandPeer, **options: object) -> tuple[str, Outgoing]:
    leg_id = peer.agent.invite(
        "sip:far@192.0.2.20",
        "sip:bot@192.0.2.10",
        _LARGE_SDP,
        peer.flow,
        0.0,
        **options,  # type: ignore[arg-type]
    )
    return leg_id, _outgoing(peer)


class TestLargeInvite:
    def test_goes_over_tcp_with_its_via_and_contact(self) -> None:
        peer = HandPeer()
        leg_id, invite = _large(peer)
        assert invite.flow == _TCP
        assert header(invite.data, "Via").startswith("SIP/2.0/TCP ")
        assert header(invite.data, "Contact") == "<sip:192.0.2.10:5060;transport=tcp>"
        assert peer.wait(3) == []
        peer.agent.receive_message(peer.response(invite.data, 200, sdp=OTHER_SDP), _TCP, peer.now)
        ack = _outgoing(peer)
        assert (ack.flow, start_line(ack.data)) == (_TCP, "ACK")
        assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]

    def test_goes_by_datagram_when_the_connection_is_refused(self) -> None:
        peer = HandPeer()
        leg_id, invite = _large(peer)
        peer.agent.transport_failed(_TCP, 1.0)
        again = _outgoing(peer)
        assert again.flow == peer.flow
        assert header(again.data, "Via").startswith("SIP/2.0/UDP ")
        assert header(again.data, "Contact") == "<sip:192.0.2.10:5060>"
        for same in ("From", "To", "Call-ID", "CSeq"):
            assert header(again.data, same) == header(invite.data, same)
        assert (
            header(again.data, "Via").partition("branch=")[2]
            != header(invite.data, "Via").partition("branch=")[2]
        )
        peer.send(peer.response(again.data, 200, sdp=OTHER_SDP))
        assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]
        assert peer.agent.stats.switches_refused == 1
        # The next one does not try again.
        assert _large(peer)[1].flow == peer.flow

    def test_fails_when_the_datagram_is_refused_as_well(self) -> None:
        peer = HandPeer()
        leg_id, _ = _large(peer)
        peer.agent.transport_failed(_TCP, 1.0)
        peer.agent.transport_failed(peer.flow, 1.0)
        peer.sent()
        assert peer.events() == [CallFailed(leg_id, 503, "Service Unavailable")]
        peer.assert_drained()

    def test_is_not_sent_twice_when_somebody_has_it(self) -> None:
        peer = HandPeer()
        leg_id, invite = _large(peer)
        peer.agent.receive_message(peer.response(invite.data, 180), _TCP, 0.0)
        peer.agent.transport_failed(_TCP, 1.0)
        assert peer.sent() == []
        assert peer.events()[-1] == CallFailed(leg_id, 503, "Service Unavailable")
        peer.assert_drained()

    def test_is_not_sent_again_after_a_cancel(self) -> None:
        peer = HandPeer()
        leg_id, _ = _large(peer)
        peer.agent.cancel(leg_id, 0.0)
        peer.agent.transport_failed(_TCP, 1.0)
        assert peer.sent() == []
        assert peer.events() == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()

    def test_is_challenged_on_the_way_it_took(self) -> None:
        peer = HandPeer()
        _, invite = _large(peer, credentials=ALICE)
        refusal = peer.response(invite.data, 407, extra=challenge_lines())
        peer.agent.receive_message(refusal, _TCP, 0.0)
        _, again = peer.agent.messages_to_send()
        assert (again.flow, header(again.data, "CSeq")) == (_TCP, "2 INVITE")

    def test_the_way_back_comes_with_counted_credentials(self) -> None:
        peer = HandPeer()
        _, invite = _large(peer, credentials=ALICE)
        refusal = peer.response(invite.data, 407, extra=challenge_lines())
        peer.agent.receive_message(refusal, _TCP, 0.0)
        peer.sent()
        peer.agent.transport_failed(_TCP, 1.0)
        again = _outgoing(peer)
        assert again.flow == peer.flow
        assert "nc=00000002" in header(again.data, "Proxy-Authorization")

    def test_within_the_dialog(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.called()
        peer.agent.reinvite(leg_id, _LARGE_SDP, 0.0)
        invite = _outgoing(peer)
        assert invite.flow == _TCP
        peer.agent.receive_message(peer.response(invite.data, 200, sdp=SDP), _TCP, 0.0)
        assert _outgoing(peer).flow == peer.flow
        assert peer.events() == [AnswerReceived(leg_id, SDP)]


def test_the_switch_can_be_off() -> None:
    peer = HandPeer(UserAgentConfig(stream_for_large=False))
    assert _large(peer)[1].flow == peer.flow


class TestRoutes:
    def test_of_an_outbound_proxy(self) -> None:
        peer = HandPeer()
        routes = ("<sip:192.0.2.20;lr>", "<sip:next.example;lr>")
        _, invite = peer.calling(routes=routes)
        assert headers(invite, "Route") == list(routes)
        assert invite.startswith(b"INVITE sip:far@192.0.2.20 ")
        (ack,) = peer.send(peer.response(invite, 486))
        assert headers(ack, "Route") == list(routes)

    def test_end_with_the_dialog_that_has_its_own(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling(routes=("<sip:192.0.2.20;lr>",))
        (ack,) = peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
        assert headers(ack, "Route") == []

    def test_of_a_strict_router(self) -> None:
        peer = HandPeer()
        _, invite = peer.calling(routes=("<sip:192.0.2.20:5070>", "<sip:next.example;lr>"))
        assert invite.startswith(b"INVITE sip:192.0.2.20:5070 ")
        assert headers(invite, "Route") == ["<sip:next.example;lr>", "<sip:far@192.0.2.20>"]
        # The callee is who we called, whatever the router was sent.
        (ack,) = peer.send(peer.response(invite, 200, sdp=OTHER_SDP, extra=""))
        assert ack.startswith(b"ACK sip:far@192.0.2.20 ")

    @pytest.mark.parametrize("route", ["sip:a.example", "<sip:a>\r\nX: y", "<x>", ""])
    def test_that_are_none_raise(self, route: str) -> None:
        peer = HandPeer()
        with pytest.raises(LocalProtocolError):
            peer.calling(routes=(route,))
        assert not peer.agent.legs


def test_a_reason_for_the_cancel_can_not_break_it() -> None:
    peer = HandPeer()
    leg_id, _ = peer.calling()
    with pytest.raises(LocalProtocolError):
        peer.agent.cancel(leg_id, 0.0, (("Reason", "a\r\nb"),))
    assert lines(peer.sent()) == []
