"""The gate as peers meet it: silence, refusals without a transaction, offences."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from telephony.base.ids import Ids
from telephony.sip.admission import Admission, AdmissionConfig, Peer, UnknownPolicy
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.digest_client import DigestClient
from telephony.sip.events import InviteCancelled, InviteReceived
from telephony.sip.flow import Flow
from telephony.sip.source_guard import GuardConfig, SourceGuard
from telephony.sip.user_agent import UserAgent
from tests.sip.wire import OTHER_SDP, PEER, US, HandPeer, header, headers, lines, start_line, tag

_STRANGER = Flow("udp", ("203.0.113.9", 5060), US)
_BOT = Credentials("bot", "secret")
_TRUNK = Peer("trunk", networks=(ip_network(PEER[0]),))


class _Gated(HandPeer):
    """A user agent with admission and guard; the hand-written peer is the trunk."""

    def __init__(self, unknown: UnknownPolicy = "drop", *peers: Peer) -> None:
        super().__init__()
        self.guard = SourceGuard(GuardConfig())
        config = AdmissionConfig(peers=(_TRUNK, *peers), unknown=unknown)
        self.admission = Admission(config, Ids.seeded(1), self.guard)
        self.agent = UserAgent(UserAgentConfig(), Ids.seeded(7), self.admission, self.guard)

    def as_stranger(self, data: bytes) -> list[bytes]:
        return self.send(data, _STRANGER)


def test_a_known_peer_is_named() -> None:
    peer = _Gated()
    assert lines(peer.send(peer.request())) == ["100 INVITE"]
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    assert event.peer == "trunk"


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "MESSAGE", "CANCEL", "BYE"])
def test_a_stranger_hears_nothing_and_leaves_nothing(method: str) -> None:
    peer = _Gated()
    to_tag = "any" if method == "BYE" else ""
    for _ in range(3):
        assert peer.as_stranger(peer.request(method, to_tag=to_tag)) == []
    assert peer.as_stranger(b"OPTIONS sip:a SIP/2.0\r\n" + peer.request("OPTIONS")[50:]) == []
    assert peer.agent.transaction_count == 0
    assert peer.events() == []
    assert peer.guard.stats.offences["unknown_source"] == 3


def test_a_stranger_is_refused_without_a_transaction() -> None:
    peer = _Gated("reject")
    first, again = [peer.as_stranger(peer.request()) for _ in range(2)]
    assert lines(first) == ["403 INVITE"]
    assert first == again
    ack = peer.request("ACK", to_tag=tag(header(first[0], "To")))
    assert peer.as_stranger(ack) == []
    assert peer.agent.transaction_count == 0
    assert peer.agent.stats.refused[403] == 2
    assert lines(peer.as_stranger(peer.request("BYE", to_tag="x"))) == ["481 BYE"]


def test_a_challenge_answered() -> None:
    peer = _Gated("drop", Peer("phone", credentials=_BOT))
    (challenge,) = peer.as_stranger(peer.request())
    assert start_line(challenge) == "401 INVITE"
    assert peer.agent.transaction_count == 0
    client = DigestClient(_BOT, Ids.seeded(3))
    value = client.answer(headers(challenge, "WWW-Authenticate"), "INVITE", "sip:bot@192.0.2.10")
    peer.as_stranger(peer.request("ACK", to_tag=tag(header(challenge, "To"))))
    again = peer.request(branch="z9hG4bK2", cseq=2, extra=f"Authorization: {value}\r\n")
    assert lines(peer.as_stranger(again)) == ["100 INVITE"]
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    assert event.peer == "phone"
    # Its copies are the transaction's, also one that came along another path.
    assert lines(peer.as_stranger(again)) == ["100 INVITE"]
    assert lines(peer.as_stranger(again.replace(b"z9hG4bK2", b"z9hG4bK3"))) == ["482 INVITE"]
    # What belongs to the call is not asked for a password.
    peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
    ours = tag(header(peer.sent()[-1], "To"))
    peer.as_stranger(peer.request("ACK", branch="z9hG4bK4", cseq=2, to_tag=ours))
    bye = peer.request("BYE", branch="z9hG4bK5", cseq=3, to_tag=ours)
    assert lines(peer.as_stranger(bye)) == ["200 BYE"]


def test_a_stranger_may_cancel_what_he_was_let_in_with() -> None:
    peer = _Gated("drop", Peer("phone", credentials=_BOT))
    (challenge,) = peer.as_stranger(peer.request())
    client = DigestClient(_BOT, Ids.seeded(3))
    value = client.answer(headers(challenge, "WWW-Authenticate"), "INVITE", "sip:bot@192.0.2.10")
    peer.as_stranger(peer.request(branch="z9hG4bK2", cseq=2, extra=f"Authorization: {value}\r\n"))
    cancel = peer.request("CANCEL", branch="z9hG4bK2", cseq=2)
    assert lines(peer.as_stranger(cancel)) == ["200 CANCEL", "487 INVITE"]
    assert isinstance(peer.events()[-1], InviteCancelled)


@pytest.mark.parametrize("unknown", ["drop", "reject", "accept"])
def test_a_scanner_gets_nothing_and_is_banned(unknown: UnknownPolicy) -> None:
    peer = _Gated(unknown)
    scan = peer.request("OPTIONS", extra="User-Agent: friendly-scanner\r\n")
    assert peer.as_stranger(scan) == []
    assert list(peer.guard.banned(0.0)) == [_STRANGER.remote[0]]
    named = peer.request("OPTIONS", branch="z9hG4bK9").replace(b'"Peer"', b'"sipvicious"')
    other = Flow("udp", ("203.0.113.10", 5060), US)
    assert peer.send(named, other) == []
    assert len(peer.guard.banned(0.0)) == 2
    assert peer.agent.transaction_count == 0


def test_a_scanner_behind_a_trunk_gets_nothing_and_bans_nobody() -> None:
    peer = _Gated()
    assert peer.send(peer.request(extra="User-Agent: sipcli/v1.8\r\n")) == []
    assert peer.guard.banned(0.0) == {}


def _enumerate(peer: _Gated, method: str, extension: str, branch: str) -> list[str]:
    data = peer.request(
        method, uri=f"sip:{extension}@192.0.2.10", branch=branch, call_id=branch, from_tag=branch
    )
    sent = peer.as_stranger(data)
    for event in peer.events():
        if isinstance(event, InviteReceived):
            status = 486 if extension == "100" else 404
            peer.agent.reject(event.leg_id, status, peer.now)
            sent += peer.sent()
    return lines(sent)


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS"])
@pytest.mark.parametrize("unknown", ["drop", "reject"])
@pytest.mark.parametrize("passwords", [True, False])
def test_enumeration_tells_nothing(method: str, unknown: UnknownPolicy, passwords: bool) -> None:
    peer = _Gated(unknown, *([Peer("100", credentials=Credentials("100", "x"))] * passwords))
    answers = {
        tuple(_enumerate(peer, method, extension, f"z9hG4bK{extension}"))
        for extension in ("100", "101", "bot", "999")
    }
    assert len(answers) == 1
    for number in range(100):
        _enumerate(peer, method, str(number), f"z9hG4bKx{number}")
    assert list(peer.guard.banned(0.0)) == [_STRANGER.remote[0]]


def test_guessing_numbers_of_an_open_system_is_banned() -> None:
    peer = _Gated("accept")
    for number in range(200, 210):
        assert _enumerate(peer, "INVITE", str(number), f"z9hG4bK{number}")[-1] == "404 INVITE"
    assert peer.guard.stats.offences["not_found"] == 10
    assert list(peer.guard.banned(0.0)) == [_STRANGER.remote[0]]


def test_a_trunk_may_misdial() -> None:
    peer = _Gated("accept")
    for number in range(50):
        branch = f"z9hG4bK{number}"
        peer.send(peer.request(branch=branch, call_id=branch, from_tag=branch))
        event = peer.events()[-1]
        assert isinstance(event, InviteReceived)
        peer.agent.reject(event.leg_id, 404, peer.now)
    assert peer.guard.stats.offences["not_found"] == 0


def test_garbage_is_held_against_its_sender() -> None:
    peer = _Gated("accept")
    bad = peer.request("OPTIONS").replace(b"CSeq: 1 OPTIONS", b"CSeq: x")
    for _ in range(10):
        assert len(peer.as_stranger(bad)) == 1
    assert list(peer.guard.banned(0.0)) == [_STRANGER.remote[0]]
    quiet = _Gated("drop")
    assert quiet.as_stranger(bad) == []
    assert len(quiet.send(bad)) == 1


def test_registering_here_is_an_offence() -> None:
    peer = _Gated("accept")
    for number in range(4):
        branch = f"z9hG4bK{number}"
        data = peer.request("REGISTER", branch=branch, call_id=branch)
        assert lines(peer.as_stranger(data)) == ["405 REGISTER"]
    assert list(peer.guard.banned(0.0)) == [_STRANGER.remote[0]]
    assert lines(peer.send(peer.request("REGISTER", call_id="trunk"))) == ["405 REGISTER"]
    assert peer.guard.stats.offences["unwanted_register"] == 4


def test_a_flood_of_strangers_makes_no_transactions() -> None:
    peer = _Gated("drop", Peer("phone", credentials=_BOT))
    for number in range(500):
        peer.as_stranger(peer.request(branch=f"z9hG4bK{number}", call_id=str(number)))
    assert peer.agent.transaction_count == 0
    peer.assert_drained()


def test_without_admission_and_guard_everybody_is_served() -> None:
    peer = HandPeer()
    scan = peer.request("OPTIONS", extra="User-Agent: friendly-scanner\r\n")
    assert lines(peer.send(scan)) == ["200 OPTIONS"]


def test_a_guard_alone_is_enough_for_scanners_and_garbage() -> None:
    peer = HandPeer()
    guard = SourceGuard(GuardConfig())
    peer.agent = UserAgent(UserAgentConfig(), Ids.seeded(7), guard=guard)
    assert peer.send(peer.request("OPTIONS", extra="User-Agent: sipvicious\r\n")) == []
    assert lines(peer.send(peer.request("OPTIONS", branch="z9hG4bK2"))) == ["200 OPTIONS"]
    assert list(guard.banned(0.0)) == [PEER[0]]
