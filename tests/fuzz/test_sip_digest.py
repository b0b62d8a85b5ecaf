"""Hostile challenges, answers and Contacts, whole and byte by byte: nothing raises or gets in."""

from __future__ import annotations

import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.sip.admission import Admission, AdmissionConfig, Peer
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.digest import best_challenge, parse_auth, parse_challenge, quoted
from telephony.sip.digest_client import DigestClient
from telephony.sip.digest_server import DigestServer, DigestServerConfig, Failed, Stale, Verified
from telephony.sip.message import HeaderView
from telephony.sip.registered_contact import granted_expires, read_delta_seconds
from telephony.sip.scanners import is_scanner
from telephony.sip.source_guard import GuardConfig, SourceGuard
from telephony.sip.source_networks import NetworkSet, source_key
from telephony.sip.uri_match import same_uri
from telephony.sip.user_agent import UserAgent
from telephony.sip.writer import check_headers
from tests.sip.wire import HandPeer

_URI = "sip:bot@192.0.2.10"
_CHALLENGES = [
    'Digest realm="a", nonce="n", opaque="o", qop="auth,auth-int", algorithm=SHA-256, stale=true',
    'Digest realm="a\\"b", nonce="n", algorithm=MD5-sess',
    'Basic realm="a"',
]
_PIECES = ['"', "\\", ",", "=", " ", ";", "'", "%", "\udcff", "é", "Digest ", "realm=", "*", "\t"]
_text = st.one_of(st.text(max_size=60), st.sampled_from(_PIECES), st.text('a=\\",', max_size=40))


def _answer(server: DigestServer) -> str:
    client = DigestClient(Credentials("bot", "secret"), Ids.seeded(2))
    value = client.answer(server.challenges("192.0.2.1", 0.0), "INVITE", _URI)
    assert value is not None
    return value


_ANSWERS = [_answer(DigestServer(DigestServerConfig(realm="telephony"), Ids.seeded(1)))]
_ANSWERS += [_ANSWERS[0].replace('username="bot"', "username*=UTF-8''b%6ft")]


@st.composite
def _mutated(draw: st.DrawFn, seeds: list[str]) -> str:
    value = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(value)))
        value = value[:at] + draw(_text) + value[at + draw(st.integers(0, 8)) :]
    return value


@settings(max_examples=300, deadline=None)
@given(st.one_of(_text, _mutated(_CHALLENGES)))
def test_challenges(value: str) -> None:
    parsed = parse_auth(value)
    assert parsed is None or all(name == name.lower() for name in parsed[1])
    challenge = parse_challenge(value)
    assert best_challenge([value]) == challenge
    client = DigestClient(Credentials("bot", "secret"), Ids.seeded(2))
    answer = client.answer([value], "INVITE", _URI)
    assert (answer is None) == (challenge is None)
    if answer is not None and not set("\r\n\0") & set(value):
        check_headers([("Authorization", answer)])
        read = parse_auth(answer)
        assert read is not None
        assert challenge is not None
        assert read[1]["realm"] == challenge.realm
        assert read[1]["nonce"] == challenge.nonce


@settings(max_examples=300, deadline=None)
@given(st.one_of(_text, _mutated(_ANSWERS)))
def test_nothing_but_the_answer_gets_in(value: str) -> None:
    server = DigestServer(DigestServerConfig(realm="telephony"), Ids.seeded(1))
    passwords = {"bot": "secret"}
    server.challenges("192.0.2.1", 0.0)
    verdict = server.verify(value, "INVITE", _URI, "192.0.2.1", passwords.get, 0.0)
    assert isinstance(verdict, Verified | Stale | Failed)
    if not isinstance(verdict, Failed):
        assert _fields(value) == _fields(_ANSWERS[0])


def _fields(value: str) -> dict[str, str]:
    """Return what was hashed; the rest may change on the way."""
    parsed = parse_auth(value)
    assert parsed is not None
    names = ("realm", "nonce", "cnonce", "nc")
    return {name: parsed[1][name] for name in names} | {"response": parsed[1]["response"].lower()}


def test_every_prefix_and_every_changed_octet_of_an_answer() -> None:
    server = DigestServer(DigestServerConfig(realm="telephony"), Ids.seeded(1))
    whole = _ANSWERS[0]
    for at in range(len(whole)):
        for value in (whole[:at], whole[:at] + chr(ord(whole[at]) ^ 1) + whole[at + 1 :]):
            verdict = server.verify(value, "INVITE", _URI, "192.0.2.1", {"bot": "secret"}.get, 0.0)
            if not isinstance(verdict, Failed):  # the opaque value is not ours to check
                assert _fields(value) == _fields(whole)


@given(st.text(max_size=40))
def test_quoting_survives_reading(text: str) -> None:
    assert parse_auth(f"Digest a={quoted(text)}") == ("digest", {"a": text})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(_text, _mutated(_ANSWERS)), max_size=3), st.sampled_from("IRO"))
def test_a_user_agent_behind_its_gate_survives(values: list[str], kind: str) -> None:
    peer = HandPeer()
    guard = SourceGuard(GuardConfig())
    phone = Peer("phone", credentials=Credentials("bot", "secret"))
    config = AdmissionConfig(peers=(phone,), unknown="drop")
    admission = Admission(config, Ids.seeded(9), guard)
    peer.agent = UserAgent(UserAgentConfig(), Ids.seeded(7), admission, guard)
    method = {"I": "INVITE", "R": "REGISTER", "O": "OPTIONS"}[kind]
    lines = "".join(f"Authorization: {value}\r\nUser-Agent: {value}\r\n" for value in values)
    data = peer.request(method, extra="@@").replace(
        b"@@", lines.encode("utf-8", "surrogateescape" if _is_octets(lines) else "replace")
    )
    for answer in peer.send(data):
        assert not answer.startswith(b"SIP/2.0 1")
    assert peer.agent.transaction_count == 0
    assert admission.stats.admitted == 0


def _is_octets(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(_text, st.just("<sip:bot@192.0.2.10>;expires=60")), max_size=3), _text)
def test_contacts_and_times(contacts: list[str], other: str) -> None:
    headers = sipmessage.Headers()
    for value in contacts:
        headers.add("Contact", value)
    headers.add("Expires", other)
    view = HeaderView(headers)
    assert 0 <= granted_expires(view, other, 60).expires_s < 2**32
    seconds = read_delta_seconds(view, "Expires")
    assert seconds is None or 0 <= seconds < 2**32
    assert same_uri(other, other)
    assert is_scanner(other) in (True, False)


@settings(max_examples=200, deadline=None)
@given(st.one_of(_text, st.ip_addresses().map(str), st.text("0123456789abcdef:.%", max_size=40)))
def test_sources(source: str) -> None:
    assert isinstance(source_key(source), str)
    assert source not in NetworkSet()
    guard = SourceGuard(GuardConfig())
    guard.admits(source, 100, 0.0)
    guard.note("scanner", source, 0.0)
    assert not guard.admits(source, 100, 0.0)
