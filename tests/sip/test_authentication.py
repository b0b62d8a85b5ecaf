"""Challenges to our requests: the INVITE, those within the dialog, and every race around them."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.authentication import Authentication
from telephony.sip.credentials import Credentials
from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    CallFailed,
    InviteReceived,
    LegConfirmed,
    LegEnded,
    OfferReceived,
    ReinviteFailed,
    RequestAnswered,
)
from tests.sip.challenging import ALICE, Challenger, challenge_lines
from tests.sip.wire import (
    OTHER_SDP,
    PEER,
    SDP,
    US,
    HandPeer,
    Network,
    header,
    headers,
    lines,
    start_line,
    tag,
)


def _challenged(peer: HandPeer, request: bytes, status: int = 407, **options: Any) -> list[bytes]:
    """Challenge ``request``; return what came after the ACK."""
    extra = challenge_lines(status, **options)
    sent = peer.send(peer.response(request, status, to_tag="gate", extra=extra))
    return [data for data in sent if start_line(data) != "ACK"]


def _calling(peer: HandPeer, credentials: Credentials = ALICE) -> tuple[str, bytes]:
    return peer.calling(credentials=credentials)


def _called(peer: HandPeer) -> tuple[str, bytes]:
    """Call, be challenged, be answered; return the leg id and the second INVITE."""
    leg_id, invite = _calling(peer)
    (again,) = _challenged(peer, invite)
    peer.send(peer.response(again, 200, sdp=OTHER_SDP))
    peer.events()
    return leg_id, again


def _parameter(value: str, name: str) -> str:
    found = value.partition(f"{name}=")[2].partition(",")[0]
    return found.strip('"')


class TestInvite:
    @pytest.mark.parametrize(
        ("status", "name"), [(401, "Authorization"), (407, "Proxy-Authorization")]
    )
    def test_is_sent_again_with_credentials(self, status: int, name: str) -> None:
        peer = HandPeer()
        _, invite = _calling(peer)
        refusal = peer.response(invite, status, to_tag="gate", extra=challenge_lines(status))
        ack, again = peer.send(refusal)
        assert lines([ack, again]) == ["ACK", "INVITE"]
        assert (header(ack, "CSeq"), header(again, "CSeq")) == ("1 ACK", "2 INVITE")
        assert header(ack, "Via") == header(invite, "Via")
        assert header(again, "Via") != header(invite, "Via")
        for same in ("From", "To", "Call-ID", "Contact"):
            assert header(again, same) == header(invite, same)
        value = header(again, name)
        assert _parameter(value, "username") == "alice"
        assert _parameter(value, "uri") == "sip:far@192.0.2.20"
        assert _parameter(value, "nc") == "00000001"
        assert peer.events() == []
        # The refusal comes again: only its ACK does, too.
        assert peer.send(refusal) == [ack]

    def test_is_answered_under_the_new_number(self) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        (again,) = _challenged(peer, invite)
        (ack,) = peer.send(peer.response(again, 200, sdp=OTHER_SDP))
        assert header(ack, "CSeq") == "2 ACK"
        assert header(ack, "Proxy-Authorization") == header(again, "Proxy-Authorization")
        assert peer.events() == [CallAnswered(leg_id, OTHER_SDP)]
        assert len(peer.agent.dialogs) == 1

    def test_without_credentials_fails(self) -> None:
        peer = HandPeer()
        leg_id, invite = peer.calling()
        assert _challenged(peer, invite) == []
        assert peer.events() == [CallFailed(leg_id, 407, "Whatever")]
        peer.assert_drained()

    @pytest.mark.parametrize(
        "extra",
        [
            "",
            "Proxy-Authenticate: Digest\r\n",
            "Proxy-Authenticate: Basic realm=x\r\n",
            'Proxy-Authenticate: Digest realm="x", nonce="y", algorithm=ROT13\r\n',
            'Proxy-Authenticate: Digest realm="x", nonce="y", qop="auth-int"\r\n',
        ],
    )
    def test_a_challenge_that_can_not_be_answered_fails(self, extra: str) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        assert lines(peer.send(peer.response(invite, 407, extra=extra))) == ["ACK"]
        assert peer.events() == [CallFailed(leg_id, 407, "Whatever")]
        assert peer.agent.stats.challenges_refused == 1
        peer.assert_drained()

    def test_another_realm_is_not_told_the_password(self) -> None:
        peer = HandPeer()
        _, invite = _calling(peer, Credentials("alice", "secret", realm="near.example"))
        assert _challenged(peer, invite) == []

    def test_a_wrong_password_is_not_tried_again(self) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        (again,) = _challenged(peer, invite)
        assert _challenged(peer, again) == []
        assert peer.events() == [CallFailed(leg_id, 407, "Whatever")]
        peer.assert_drained()

    def test_a_stale_nonce_is_replaced(self) -> None:
        peer = HandPeer()
        _, invite = _calling(peer)
        (again,) = _challenged(peer, invite)
        (third,) = _challenged(peer, again, nonce="n2", stale=True)
        value = header(third, "Proxy-Authorization")
        assert (_parameter(value, "nonce"), _parameter(value, "nc")) == ("n2", "00000001")
        assert header(third, "CSeq") == "3 INVITE"

    @pytest.mark.parametrize("stale", [False, True])
    def test_ever_new_nonces_come_to_an_end(self, stale: bool) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        tries = 0
        requests = [invite]
        while requests:
            tries += 1
            assert tries < 10
            requests = _challenged(peer, requests[0], nonce=f"n{tries}", stale=stale)
        assert peer.events() == [CallFailed(leg_id, 407, "Whatever")]
        peer.assert_drained()

    def test_a_proxy_and_the_server_behind_it_each_want_their_own(self) -> None:
        peer = HandPeer()
        _, invite = _calling(peer)
        (again,) = _challenged(peer, invite, 407, realm="proxy.example", nonce="p")
        (third,) = _challenged(peer, again, 401, realm="far.example", nonce="s")
        assert _parameter(header(third, "Proxy-Authorization"), "nc") == "00000002"
        assert _parameter(header(third, "Authorization"), "nonce") == "s"

    def test_challenges_that_a_forking_proxy_collected_are_answered_at_once(self) -> None:
        peer = HandPeer()
        _, invite = _calling(peer)
        extra = (
            challenge_lines(407, "a", realm="one.example")
            + challenge_lines(407, "b", realm="two.example")
            + challenge_lines(407, "b", realm="two.example", algorithm="SHA-256")
            + challenge_lines(401, "c", realm="three.example")
        )
        _, again = peer.send(peer.response(invite, 407, extra=extra))
        values = headers(again, "Proxy-Authorization")
        assert [_parameter(value, "realm") for value in values] == ["one.example", "two.example"]
        assert _parameter(values[1], "algorithm") == "SHA-256"
        assert _parameter(header(again, "Authorization"), "nonce") == "c"

    def test_refused_after_the_challenge(self) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        (again,) = _challenged(peer, invite)
        assert lines(peer.send(peer.response(again, 486))) == ["ACK"]
        assert peer.events() == [CallFailed(leg_id, 486, "Whatever")]
        peer.assert_drained()

    def test_the_transport_fails_between_two_tries(self) -> None:
        peer = HandPeer(transport="tcp")
        leg_id, invite = _calling(peer)
        _challenged(peer, invite)
        peer.agent.transport_failed(peer.flow, 1.0)
        assert peer.events() == [CallFailed(leg_id, 503, "Service Unavailable")]
        peer.assert_drained()

    def test_no_answer_to_the_second_try(self) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        _challenged(peer, invite)
        peer.wait(40)
        assert peer.events() == [CallFailed(leg_id, 408, "Request Timeout")]
        peer.assert_drained()

    def test_an_answer_to_the_refused_try_is_ended(self) -> None:
        """A proxy passes on every 2xx, also of a branch that lost to the challenge."""
        peer = HandPeer()
        _, invite = _calling(peer)
        (again,) = _challenged(peer, invite)
        ack, bye = peer.send(peer.response(invite, 200, to_tag="late", sdp=OTHER_SDP))
        assert (header(ack, "CSeq"), start_line(bye)) == ("1 ACK", "BYE")
        assert int(header(bye, "CSeq").split()[0]) > 2
        assert peer.events() == []
        peer.send(peer.response(again, 200, sdp=OTHER_SDP))
        assert [type(event) for event in peer.events()] == [CallAnswered]
        assert len(peer.agent.legs) == 1


class TestCancel:
    def test_before_the_challenge_ends_the_call(self) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        peer.agent.cancel(leg_id, 0.0)
        assert _challenged(peer, invite) == []
        assert peer.events() == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()

    def test_crossing_the_challenge_ends_the_call(self) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        peer.send(peer.response(invite, 100))
        peer.agent.cancel(leg_id, 0.0)
        (cancel,) = peer.sent()
        assert _challenged(peer, invite) == []
        peer.send(peer.response(cancel, 481))
        assert peer.events() == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()

    def test_after_the_challenge_is_for_the_second_try(self) -> None:
        peer = HandPeer()
        leg_id, invite = _calling(peer)
        peer.send(peer.response(invite, 100))
        (again,) = _challenged(peer, invite)
        peer.agent.cancel(leg_id, 0.0, (("Reason", "Q.850;cause=16"),))
        assert peer.sent() == []
        (cancel,) = peer.send(peer.response(again, 100))
        assert header(cancel, "Via") == header(again, "Via")
        assert header(cancel, "CSeq") == "2 CANCEL"
        assert header(cancel, "Reason") == "Q.850;cause=16"
        assert header(cancel, "Proxy-Authorization") == ""
        peer.send(peer.response(cancel, 200))
        peer.send(peer.response(again, 487))
        assert peer.events() == [CallFailed(leg_id, 487, "Request Terminated")]
        peer.assert_drained()


class TestWithinTheDialog:
    def test_the_nonce_goes_along_and_is_counted(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        peer.agent.request(leg_id, "INFO", 0.0)
        peer.agent.bye(leg_id, 0.0)
        info, bye = peer.sent()
        counts = [_parameter(header(data, "Proxy-Authorization"), "nc") for data in (info, bye)]
        assert counts == ["00000002", "00000003"]
        assert _parameter(header(bye, "Proxy-Authorization"), "uri") == "sip:far@192.0.2.20:5060"

    def test_bye_is_challenged_with_a_new_nonce(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        peer.agent.bye(leg_id, 0.0)
        (bye,) = peer.sent()
        (again,) = _challenged(peer, bye, nonce="n2", stale=True)
        assert (header(bye, "CSeq"), header(again, "CSeq")) == ("3 BYE", "4 BYE")
        assert len(peer.agent.dialogs) == 1
        peer.send(peer.response(again, 200))
        assert peer.events() == [LegEnded(leg_id, "local")]
        peer.assert_drained()

    def test_bye_is_refused_for_good(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        peer.agent.bye(leg_id, 0.0)
        (bye,) = peer.sent()
        assert _challenged(peer, bye) == []
        assert not peer.agent.dialogs
        peer.assert_drained()

    def test_a_nonce_that_is_refused_is_not_sent_again(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        peer.agent.request(leg_id, "INFO", 0.0)
        (info,) = peer.sent()
        assert _challenged(peer, info) == []
        assert peer.events() == [RequestAnswered(leg_id, "INFO", 407, "Whatever")]
        peer.agent.bye(leg_id, 0.0)
        assert header(peer.sent()[0], "Proxy-Authorization") == ""

    def test_nonces_that_expire_again_and_again_are_replaced_each_time(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        for number in range(2, 12):
            peer.agent.request(leg_id, "INFO", 0.0)
            (info,) = peer.sent()
            (again,) = _challenged(peer, info, nonce=f"n{number}", stale=True)
            peer.send(peer.response(again, 200))
            assert peer.events() == [RequestAnswered(leg_id, "INFO", 200, "Whatever")]

    def test_reinvite_is_challenged(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        ack, again = peer.send(
            peer.response(invite, 407, extra=challenge_lines(nonce="n2", stale=True))
        )
        assert (header(ack, "CSeq"), header(again, "CSeq")) == ("3 ACK", "4 INVITE")
        # A re-INVITE of the peer still collides.
        assert leg_id in peer.agent.legs
        assert peer.agent.legs[leg_id].invite_in_progress
        (ack,) = peer.send(peer.response(again, 200, sdp=SDP))
        assert header(ack, "CSeq") == "4 ACK"
        assert header(ack, "Proxy-Authorization") == header(again, "Proxy-Authorization")
        assert peer.events() == [AnswerReceived(leg_id, SDP)]

    def test_reinvite_is_refused_for_good(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        (invite,) = peer.sent()
        assert _challenged(peer, invite) == []
        assert peer.events() == [ReinviteFailed(leg_id, 407, "Whatever")]
        assert not peer.agent.legs[leg_id].invite_in_progress

    def test_reinvite_is_challenged_after_the_bye(self) -> None:
        peer = HandPeer()
        leg_id, _ = _called(peer)
        peer.agent.reinvite(leg_id, OTHER_SDP, 0.0)
        peer.agent.bye(leg_id, 0.0)
        invite, bye = peer.sent()
        assert _challenged(peer, invite, nonce="n2", stale=True) == []
        peer.send(peer.response(bye, 200))
        peer.assert_drained()

    def test_the_second_callee_of_a_fork_is_ended_with_credentials(self) -> None:
        peer = HandPeer()
        _, again = _called(peer)
        ack, bye = peer.send(peer.response(again, 200, to_tag="other", sdp=OTHER_SDP))
        assert header(ack, "Proxy-Authorization") == header(again, "Proxy-Authorization")
        assert header(bye, "Proxy-Authorization") != ""
        (bye_again,) = _challenged(peer, bye, nonce="n2", stale=True)
        assert start_line(bye_again) == "BYE"

    def test_an_incoming_call_can_be_given_credentials(self) -> None:
        peer = HandPeer()
        leg_id, _ = peer.up()
        assert peer.agent.use_credentials(leg_id, ALICE)
        peer.agent.bye(leg_id, 0.0)
        (bye,) = peer.sent()
        assert len(_challenged(peer, bye)) == 1
        assert not peer.agent.use_credentials(leg_id, ALICE)


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("nonce_lifetime_s", [300.0, 0.5])
def test_a_whole_call_to_a_server_that_challenges_everything(
    status: int, nonce_lifetime_s: float
) -> None:
    network = Network()
    caller, callee = network.add(US, 1), network.add(PEER, 2)
    gate = Challenger(callee.agent, status, nonce_lifetime_s)
    callee.agent = gate  # type: ignore[assignment]

    def react(event: object, now: float) -> None:
        if isinstance(event, InviteReceived):
            gate.inner.answer(event.leg_id, SDP, now)
        elif isinstance(event, OfferReceived):
            gate.inner.answer_offer(event.leg_id, SDP, now)

    callee.react = react
    leg_id = caller.agent.invite(
        "sip:b@192.0.2.20",
        "sip:a@192.0.2.10",
        OTHER_SDP,
        network.flow(US, PEER),
        0.0,
        credentials=ALICE,
    )
    network.run(1.0)
    caller.agent.reinvite(leg_id, OTHER_SDP, network.now)
    network.run(1.0)
    caller.agent.request(leg_id, "INFO", network.now)
    network.run(1.0)
    caller.agent.bye(leg_id, network.now)
    network.run(200.0)
    assert [type(event) for event in caller.events] == [
        CallAnswered,
        AnswerReceived,
        RequestAnswered,
        LegEnded,
    ]
    assert len(callee.of(LegConfirmed)) == 1
    assert gate.passed == ["INVITE", "INVITE", "INFO", "BYE"]
    expired = nonce_lifetime_s < 1
    assert gate.challenged == (["INVITE", "INVITE", "INFO", "BYE"] if expired else ["INVITE"])
    assert caller.agent.transaction_count == gate.inner.transaction_count == 0


def test_credentials_that_could_not_be_written_raise() -> None:
    with pytest.raises(LocalProtocolError):
        Authentication(Credentials("a\r\nX: y", "b"), Ids.seeded(1))
    peer = HandPeer()
    with pytest.raises(LocalProtocolError):
        peer.calling(credentials=Credentials("a\nb", "c"))
    assert not peer.agent.legs


def test_the_realms_of_one_call_are_bounded() -> None:
    peer = HandPeer()
    _, invite = _calling(peer)
    extra = "".join(challenge_lines(407, "n", realm=f"{number}.example") for number in range(50))
    _, again = peer.send(peer.response(invite, 407, extra=extra))
    assert len(headers(again, "Proxy-Authorization")) == 8
    assert tag(header(again, "To")) == header(again, "To")
