"""Who is admitted, challenged, refused or ignored."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.admission import (
    DROPPED,
    Admission,
    AdmissionConfig,
    Admitted,
    Peer,
    Ruling,
    UnknownPolicy,
)
from telephony.sip.credentials import Credentials
from telephony.sip.digest_client import DigestClient
from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingRequest, read_request
from telephony.sip.screening import Refusal
from telephony.sip.source_guard import GuardConfig, SourceGuard
from tests.sip.wire import US, HandPeer

_TRUNK_IP, _STRANGER_IP = "192.0.2.20", "203.0.113.9"
_URI = "sip:bot@192.0.2.10"
_BOT = Credentials("bot", "secret")
_TRUNK = Peer("trunk", networks=(ip_network("192.0.2.0/24"),))
_PHONE = Peer("phone", credentials=_BOT)


def _admission(
    *peers: Peer, unknown: UnknownPolicy = "drop", guard: SourceGuard | None = None
) -> Admission:
    return Admission(AdmissionConfig(peers=peers, unknown=unknown), Ids.seeded(1), guard)


def _request(
    method: str = "INVITE",
    source: str = _STRANGER_IP,
    extra: str = "",
    *,
    names: tuple[str, ...] = (),
    transport: str = "udp",
) -> IncomingRequest:
    message = parse_message(HandPeer().request(method, extra=extra))
    assert isinstance(message, RawRequest)
    flow = Flow(transport, (source, 5060), US, peer_names=names)  # type: ignore[arg-type]
    return read_request(message, flow)


def _values(ruling: Ruling) -> list[str]:
    assert isinstance(ruling, Refusal)
    assert ruling.status == 401
    return [value for name, value in ruling.headers if name == "WWW-Authenticate"]


def _answered(
    ruling: Ruling,
    credentials: Credentials = _BOT,
    *,
    method: str = "INVITE",
    source: str = _STRANGER_IP,
    transport: str = "udp",
) -> IncomingRequest:
    client = DigestClient(credentials, Ids.seeded(3))
    value = client.answer(_values(ruling), method, _URI, carried=False)
    extra = f"Authorization: {value}\r\n"
    return _request(method, source, extra, transport=transport)


def test_a_known_address_is_enough() -> None:
    admission = _admission(_TRUNK)
    assert admission.screen(_request(source=_TRUNK_IP), 0.0) == Admitted("trunk")
    assert admission.stats.admitted == 1


def test_the_narrowest_network_wins() -> None:
    wide = Peer("wide", networks=(ip_network("0.0.0.0/0"),))
    narrow = Peer("narrow", networks=(ip_network(_TRUNK_IP),))
    admission = _admission(wide, _TRUNK, narrow)
    assert admission.screen(_request(source=_TRUNK_IP), 0.0) == Admitted("narrow")
    assert admission.screen(_request(source="192.0.2.21"), 0.0) == Admitted("trunk")
    assert admission.screen(_request(), 0.0) == Admitted("wide")


def test_a_certificate_is_enough() -> None:
    admission = _admission(Peer("tls", certificate_names=("SIP.example.com",)))
    names = ("other.example.com", "sip.example.com")
    assert admission.screen(_request(names=names, transport="tls"), 0.0) == Admitted("tls")
    assert admission.screen(_request(), 0.0) == DROPPED


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "MESSAGE"])
@pytest.mark.parametrize(
    ("unknown", "expected"),
    [("drop", DROPPED), ("reject", Refusal(403)), ("accept", Admitted(""))],
)
def test_strangers_without_any_password_peer(
    method: str, unknown: UnknownPolicy, expected: Ruling
) -> None:
    admission = _admission(_TRUNK, unknown=unknown)
    assert admission.screen(_request(method), 0.0) == expected


@pytest.mark.parametrize("unknown", ["drop", "reject"])
def test_strangers_are_challenged_when_one_may_be_a_peer(unknown: UnknownPolicy) -> None:
    admission = _admission(_PHONE, unknown=unknown)
    challenge = admission.screen(_request(), 0.0)
    assert [("SHA-256" in v, "MD5" in v) for v in _values(challenge)] == [
        (True, False),
        (False, True),
    ]
    assert admission.screen(_answered(challenge), 0.0) == Admitted("phone")
    quiet = DROPPED if unknown == "drop" else Refusal(403)
    assert admission.screen(_request("OPTIONS"), 0.0) == quiet
    assert admission.screen(_request("REGISTER"), 0.0) == quiet
    register = _answered(challenge, method="REGISTER")
    assert admission.screen(register, 0.0) == quiet


def test_an_accepted_stranger_may_show_his_password_unasked() -> None:
    admission = _admission(_PHONE, unknown="accept")
    assert admission.screen(_request(), 0.0) == Admitted("")
    other = Admission(AdmissionConfig(peers=(_PHONE,), unknown="drop"), Ids.seeded(8))
    wrong = _answered(other.screen(_request(), 0.0))
    challenge = admission.screen(wrong, 0.0)
    assert "stale=true" in _values(challenge)[0]
    assert admission.screen(_answered(challenge), 0.0) == Admitted("phone")


def test_answers_for_proxies_on_the_way_are_not_ours() -> None:
    admission = _admission(_PHONE)
    foreign = (
        'Authorization: Digest username="x", realm="proxy", nonce="n", uri="sip:a", response="0"'
    )
    _values(admission.screen(_request(extra=foreign + "\r\n"), 0.0))
    assert not admission.stats.authentication_failures
    value = DigestClient(_BOT, Ids.seeded(3)).answer(
        _values(admission.screen(_request(), 0.0)), "INVITE", _URI
    )
    both = _request(extra=f"{foreign}\r\nAuthorization: {value}\r\n")
    assert admission.screen(both, 0.0) == Admitted("phone")


def test_every_failure_gets_the_same_answer() -> None:
    admission = _admission(_PHONE)
    challenge = admission.screen(_request(), 0.0)
    for credentials in (Credentials("bot", "guess"), Credentials("nobody", "guess")):
        ruling = admission.screen(_answered(challenge, credentials), 0.0)
        assert all("stale" not in value for value in _values(ruling))
    garbage = _request(extra="Authorization: Digest x\r\n")
    assert len(_values(admission.screen(garbage, 0.0))) == 2
    assert admission.stats.authentication_failures == {
        "wrong-password": 1,
        "unknown-user": 1,
        "malformed": 1,
    }


def test_a_repeated_answer_is_stale() -> None:
    admission = _admission(_PHONE)
    answered = _answered(admission.screen(_request(), 0.0))
    assert admission.screen(answered, 0.0) == Admitted("phone")
    assert all("stale=true" in v for v in _values(admission.screen(answered, 0.0)))
    late = _answered(admission.screen(_request(), 0.0))
    assert all("stale=true" in v for v in _values(admission.screen(late, 301.0)))


def test_a_peer_may_be_challenged_in_its_own_place_only() -> None:
    strict = Peer("strict", (ip_network(_TRUNK_IP),), (), _BOT, challenge_always=True)
    admission = _admission(strict)
    challenge = admission.screen(_request(source=_TRUNK_IP), 0.0)
    answered = _answered(challenge, source=_TRUNK_IP)
    assert admission.screen(answered, 0.0) == Admitted("strict")
    assert admission.screen(_request("OPTIONS", _TRUNK_IP), 0.0) == Admitted("strict")
    assert admission.screen(_answered(challenge), 0.0) == DROPPED
    other = Credentials("other", "secret")
    _values(admission.screen(_answered(challenge, other, source=_TRUNK_IP), 0.0))


def test_a_lenient_peer_may_come_from_elsewhere_with_its_password() -> None:
    both = Peer("both", (ip_network(_TRUNK_IP),), (), _BOT)
    admission = _admission(both)
    assert admission.screen(_request(source=_TRUNK_IP), 0.0) == Admitted("both")
    challenge = admission.screen(_request(), 0.0)
    assert admission.screen(_answered(challenge), 0.0) == Admitted("both")


def test_brute_force_from_one_source_is_banned() -> None:
    guard = SourceGuard(GuardConfig())
    admission = _admission(_PHONE, guard=guard)
    tries = 0
    while guard.admits(_STRANGER_IP, 400, 0.0):
        challenge = admission.screen(_request(), 0.0)
        admission.screen(_answered(challenge, Credentials("bot", str(tries))), 0.0)
        tries += 1
    assert tries <= 5
    assert list(guard.banned(0.0)) == [_STRANGER_IP]


def test_brute_force_from_many_sources_is_slowed() -> None:
    guard = SourceGuard(GuardConfig())
    admission = _admission(_PHONE, guard=guard)
    for number in range(200):
        source = f"198.51.100.{number}"
        challenge = admission.screen(_request(source=source), number / 100)
        guess = _answered(challenge, Credentials("bot", str(number)), source=source)
        admission.screen(guess, number / 100)
    assert admission.stats.authentication_failures["wrong-password"] <= 12
    assert admission.stats.throttled >= 180
    # The owner, from a place where he was never seen, gets through by repeating himself.
    owner = _answered(admission.screen(_request(), 3.0))
    rulings = [admission.screen(owner, 3.0 + after) for after in (0, 0.5, 1.5, 3.5, 7.5, 15.5)]
    assert Admitted("phone") in rulings
    # From then on he is not slowed there.
    assert admission.screen(_answered(admission.screen(_request(), 19.0)), 19.0) == Admitted(
        "phone"
    )


def test_a_stream_that_is_slowed_is_told() -> None:
    admission = _admission(_PHONE)
    challenge = admission.screen(_request(), 0.0)
    for _ in range(10):
        wrong = _answered(challenge, Credentials("bot", "guess"), transport="tcp")
        ruling = admission.screen(wrong, 0.0)
    assert ruling == Refusal(503, (("Retry-After", "5"),))


def test_challenges_that_are_never_answered_are_an_offence() -> None:
    guard = SourceGuard(GuardConfig())
    admission = _admission(_PHONE, guard=guard)
    for _ in range(100):
        challenge = admission.screen(_request(), 0.0)
        assert admission.screen(_answered(challenge), 0.0) == Admitted("phone")
    for _ in range(20):
        admission.screen(_request(source="203.0.113.10"), 0.0)
    assert list(guard.banned(0.0)) == ["203.0.113.10"]


def test_who_was_verified_may_begin_many_calls_at_once() -> None:
    guard = SourceGuard(GuardConfig())
    admission = _admission(_PHONE, guard=guard)
    first = admission.screen(_request(), 0.0)
    assert admission.screen(_answered(first), 0.0) == Admitted("phone")
    many = [admission.screen(_request(), 1.0) for _ in range(50)]
    for challenge in many:
        assert admission.screen(_answered(challenge), 1.0) == Admitted("phone")
    assert not guard.banned(1.0)
    # One wrong password, and he is anybody again.
    admission.screen(_answered(many[0], Credentials("bot", "guess")), 1.0)
    for _ in range(20):
        admission.screen(_request(), 1.0)
    assert list(guard.banned(1.0)) == [_STRANGER_IP]


def test_peers_become_trusted_and_reload_replaces_them() -> None:
    guard = SourceGuard(GuardConfig())
    admission = _admission(_TRUNK, _PHONE, guard=guard)
    assert guard.is_trusted(_TRUNK_IP)
    challenge = admission.screen(_request(), 0.0)
    other = Peer("other", networks=(ip_network("198.51.100.0/24"),))
    server = ip_network("203.0.113.1/32")
    admission.reload(AdmissionConfig(peers=(other, _PHONE), trusted=(server,), unknown="drop"))
    assert guard.is_trusted("203.0.113.1")
    assert not guard.is_trusted(_TRUNK_IP)
    assert guard.is_trusted("198.51.100.1")
    assert admission.screen(_answered(challenge), 0.0) == Admitted("phone")
    admission.reload(AdmissionConfig(peers=(_PHONE,), unknown="drop", realm="new"))
    values = _values(admission.screen(_request(), 0.0))
    assert all('realm="new"' in value for value in values)


@pytest.mark.parametrize(
    "peers",
    [(Peer("a", challenge_always=True),), (Peer("a", credentials=_BOT), _PHONE)],
)
def test_peers_that_contradict_each_other(peers: tuple[Peer, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        _admission(*peers)
    admission = _admission(_TRUNK)
    with pytest.raises(LocalProtocolError):
        admission.reload(AdmissionConfig(peers=peers))
    assert admission.screen(_request(source=_TRUNK_IP), 0.0) == Admitted("trunk")


def test_who_hears_nothing() -> None:
    trunk, stranger = Flow("udp", (_TRUNK_IP, 1), US), Flow("udp", (_STRANGER_IP, 1), US)
    assert not _admission(_TRUNK).answers_stranger(stranger)
    assert _admission(_TRUNK).answers_stranger(trunk)
    assert _admission(_TRUNK, unknown="reject").answers_stranger(stranger)
