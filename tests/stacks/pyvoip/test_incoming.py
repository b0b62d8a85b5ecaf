"""Requests of peers, written by hand."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from telephony.base.ids import Ids
from telephony.sip.admission import Admission, AdmissionConfig, Peer
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.events import InfoReceived, InviteCancelled, InviteReceived, LegEnded
from telephony.sip.screening import Refusal
from telephony.sip.source_guard import GuardConfig, SourceGuard
from tests.sip.wire import SDP, header, headers, lines, tag
from tests.support.pyvoip import faults, hand_peer, require_pyvoip

require_pyvoip()


def admission(**changes: object) -> Admission:
    known = Peer("pbx", (ip_network("192.0.2.20/32"),))
    return Admission(AdmissionConfig(**{"peers": (known,), **changes}), Ids.seeded(3))  # type: ignore[arg-type]


def test_an_invite_is_a_call_with_what_it_says_of_itself() -> None:
    peer = hand_peer(admission=admission())
    trying = peer.send(peer.request(extra="X-Thing: a: b\r\n"))
    assert lines(trying) == ["100 INVITE"]
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    assert (event.peer, event.from_uri, event.to_uri) == (
        "pbx",
        "sip:peer@192.0.2.20",
        "sip:bot@192.0.2.10",
    )
    assert (event.sdp, event.call_id, event.headers["X-Thing"]) == (SDP, "call-1", "a: b")
    # Sent again it gets the same answer, and makes no other call.
    assert peer.send(peer.request(extra="X-Thing: a: b\r\n")) == trying
    assert peer.events() == []
    assert faults(peer) == {}


@pytest.mark.parametrize(
    ("unknown", "answers"), [("accept", ["100 INVITE"]), ("reject", ["403 INVITE"]), ("drop", [])]
)
def test_strangers_get_what_the_policy_says(unknown: str, answers: list[str]) -> None:
    peer = hand_peer(admission=admission(peers=(), unknown=unknown))
    assert lines(peer.send(peer.request())) == answers
    assert (peer.agent.transaction_count == 0) == (unknown != "accept")


def test_a_caller_is_challenged_for_the_password_of_its_trunk() -> None:
    account = Peer("pbx", credentials=Credentials("pbx", "secret"))
    peer = hand_peer(admission=admission(peers=(account,), unknown="reject"))
    (challenge,) = peer.send(peer.request())
    assert lines([challenge]) == ["401 INVITE"]
    assert headers(challenge, "WWW-Authenticate")
    assert peer.events() == []


def test_a_scanner_hears_nothing_and_is_noted() -> None:
    guard = SourceGuard(GuardConfig())
    peer = hand_peer(guard=guard)
    assert peer.send(peer.request(extra="User-Agent: friendly-scanner\r\n")) == []
    assert peer.events() == []


@pytest.mark.parametrize(
    ("method", "answer"),
    [("REGISTER", "405"), ("UPDATE", "405"), ("REFER", "405"), ("DANCE", "501"), ("BYE", "481")],
)
def test_what_is_not_served_is_refused(method: str, answer: str) -> None:
    peer = hand_peer()
    to_tag = "gone" if method == "BYE" else ""
    (sent,) = peer.send(peer.request(method, to_tag=to_tag))
    assert lines([sent]) == [f"{answer} {method}"]
    if answer != "481":
        assert header(sent, "Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"


@pytest.mark.parametrize(
    ("extra", "status", "name", "value"),
    [
        ("Require: 100rel, timer\r\n", 420, "Unsupported", "100rel, timer"),
        ("Content-Encoding: gzip\r\n", 415, "Accept", "application/sdp"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    extra: str, status: int, name: str, value: str
) -> None:
    peer = hand_peer()
    (sent,) = peer.send(peer.request(extra=extra))
    assert lines([sent]) == [f"{status} INVITE"]
    assert header(sent, name) == value


def test_no_contact_is_no_call() -> None:
    peer = hand_peer()
    data = peer.request().replace(b"Contact: <sip:peer@192.0.2.20:5060>\r\n", b"")
    assert lines(peer.send(data)) == ["400 INVITE"]


def test_options_says_what_we_can_until_calls_are_refused() -> None:
    peer = hand_peer()
    (ok,) = peer.send(peer.request("OPTIONS"))
    assert lines([ok]) == ["200 OPTIONS"]
    assert header(ok, "Accept") == "application/sdp"
    peer.agent.answer_options_with(503, (("Retry-After", "9"),))
    (busy,) = peer.send(peer.request("OPTIONS", branch="z9hG4bK9", call_id="x"))
    assert lines([busy]) == ["503 OPTIONS"]
    assert header(busy, "Retry-After") == "9"


def test_an_overloaded_stack_refuses_without_remembering() -> None:
    peer = hand_peer(UserAgentConfig(max_server_transactions=1))
    peer.invited()
    sent = peer.send(peer.request(branch="z9hG4bK9", call_id="call-2"))
    assert lines(sent) == ["503 INVITE"]
    assert peer.agent.transaction_count == 1


def test_a_copy_that_came_another_way_is_refused() -> None:
    peer = hand_peer()
    peer.invited()
    assert lines(peer.send(peer.request(branch="z9hG4bKother"))) == ["482 INVITE"]


def test_the_peer_hangs_up() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    reason = "Reason: Q.850;cause=16\r\n"
    bye = peer.request("BYE", branch="z9hG4bK5", cseq=2, to_tag=ours, extra=reason)
    (ok,) = peer.send(bye)
    assert (lines([ok]), tag(header(ok, "To"))) == (["200 BYE"], ours)
    assert peer.events() == [LegEnded(leg_id, "remote", "Q.850;cause=16")]
    assert peer.send(bye) == [ok]
    peer.assert_drained()
    assert faults(peer) == {}


def test_the_caller_hangs_up_before_the_answer() -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    peer.agent.ring(leg_id, 0.0)
    peer.sent()
    sent = peer.send(peer.request("BYE", branch="z9hG4bK5", cseq=2, to_tag=leg_id))
    assert lines(sent) == ["200 BYE", "487 INVITE"]
    assert [tag(header(answer, "To")) for answer in sent] == [leg_id, leg_id]
    assert peer.events() == [InviteCancelled(leg_id, "")]
    peer.send(peer.request("ACK", to_tag=leg_id))
    peer.assert_drained()


def test_an_old_request_is_refused() -> None:
    peer = hand_peer()
    _, ours = peer.up()
    peer.send(peer.request("INFO", branch="z9hG4bK5", cseq=9, to_tag=ours))
    late = peer.request("BYE", branch="z9hG4bK6", cseq=8, to_tag=ours)
    assert lines(peer.send(late)) == ["500 BYE"]


def test_a_digit_in_info_is_told_and_a_package_refused() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    kind = "Content-Type: application/dtmf-relay\r\n"
    info = peer.request("INFO", branch="z9hG4bK5", cseq=2, to_tag=ours, extra=kind)
    info = info.replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 8\r\n\r\nSignal=5")
    assert lines(peer.send(info)) == ["200 INFO"]
    assert peer.events() == [InfoReceived(leg_id, "application/dtmf-relay", b"Signal=5")]
    package = "Info-Package: x\r\n"
    info = peer.request("INFO", branch="z9hG4bK6", cseq=3, to_tag=ours, extra=package)
    assert lines(peer.send(info)) == ["469 INFO"]


def test_info_that_is_of_no_use_above_is_refused() -> None:
    peer = hand_peer()
    _, ours = peer.up()
    peer.agent.screen_info_with(lambda content_type, body: Refusal(400))
    info = peer.request("INFO", branch="z9hG4bK5", cseq=2, to_tag=ours)
    assert lines(peer.send(info)) == ["400 INFO"]
    assert peer.events() == []


def test_options_in_a_call_and_offers_one_at_a_time() -> None:
    peer = hand_peer()
    _, ours = peer.up()
    options = peer.request("OPTIONS", branch="z9hG4bK5", cseq=2, to_tag=ours)
    assert lines(peer.send(options)) == ["200 OPTIONS"]
    peer.send(peer.request(branch="z9hG4bK6", cseq=3, to_tag=ours))
    (second,) = peer.send(peer.request(branch="z9hG4bK7", cseq=4, to_tag=ours))
    assert lines([second]) == ["500 INVITE"]
    assert 0 <= int(header(second, "Retry-After")) <= 10


def test_acks_that_belong_to_nothing_are_counted() -> None:
    peer = hand_peer()
    _, ours = peer.up()
    peer.send(peer.request("ACK", branch="z9hG4bKa", to_tag=ours))
    peer.send(peer.request("ACK", branch="z9hG4bKb", to_tag="gone"))
    assert (peer.agent.stats.acks_absorbed, peer.agent.stats.acks_unmatched) == (1, 1)


def test_a_fault_of_pyvoip_costs_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    from telephony.stacks.pyvoip.line import Line

    peer = hand_peer()
    leg_id, ours = peer.up()
    for name in ("receive_invite", "bye_received", "cancel_received", "ok"):
        monkeypatch.setattr(Line, name, lambda *_: 1 / 0)
    assert lines(peer.send(peer.request(branch="z9hG4bK8", call_id="two"))) == ["500 INVITE"]
    info = peer.request("INFO", branch="z9hG4bK5", cseq=2, to_tag=ours)
    assert lines(peer.send(info)) == ["200 INFO"]
    bye = peer.request("BYE", branch="z9hG4bK6", cseq=3, to_tag=ours)
    assert lines(peer.send(bye)) == ["200 BYE"]
    assert peer.events()[-1] == LegEnded(leg_id, "remote", "")
    assert faults(peer) == {"ZeroDivisionError": 3}
