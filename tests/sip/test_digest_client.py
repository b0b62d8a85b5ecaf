"""When a challenge is answered, with what, and when it is given up."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.credentials import Credentials
from telephony.sip.digest import DigestInput, digest_response, parse_auth
from telephony.sip.digest_client import DigestClient

_URI = "sip:example.com"


def _client(username: str = "bot", realm: str = "") -> DigestClient:
    return DigestClient(Credentials(username, "secret", realm), Ids.seeded(1))


def _challenge(nonce: str = "n", extra: str = ', qop="auth"', realm: str = "r") -> list[str]:
    return [f'Digest realm="{realm}", nonce="{nonce}"{extra}']


def _fields(value: str | None) -> dict[str, str]:
    assert value is not None
    parsed = parse_auth(value)
    assert parsed is not None
    return parsed[1]


def test_an_answer_as_rfc_7616_writes_it() -> None:
    challenge = _challenge(extra=', qop="auth", algorithm=SHA-256, opaque="o\\"p"')
    value = _client().answer(challenge, "REGISTER", _URI, carried=False)
    fields = _fields(value)
    parts = DigestInput(
        algorithm="SHA-256",
        username="bot",
        realm="r",
        password="secret",
        method="REGISTER",
        uri=_URI,
        nonce="n",
        qop="auth",
        nc="00000001",
        cnonce=fields["cnonce"],
    )
    assert fields.pop("response") == digest_response(parts)
    assert fields.pop("cnonce")
    assert fields == {
        "username": "bot",
        "realm": "r",
        "nonce": "n",
        "uri": _URI,
        "algorithm": "SHA-256",
        "qop": "auth",
        "nc": "00000001",
        "opaque": 'o"p',
    }
    assert value is not None
    for unquoted in ("algorithm=SHA-256", "qop=auth", "nc=00000001"):
        assert unquoted in value


def test_a_server_of_rfc_2069_gets_no_qop() -> None:
    fields = _fields(_client().answer(_challenge(extra=""), "INVITE", _URI))
    assert set(fields) == {"username", "realm", "nonce", "uri", "response"}
    fields = _fields(_client().answer(_challenge(extra=", algorithm=MD5-sess"), "INVITE", _URI))
    assert "cnonce" in fields
    assert "nc" not in fields


def test_names_are_escaped_and_utf_8() -> None:
    fields = _fields(_client('jürg"1').answer(_challenge(), "INVITE", _URI))
    assert fields["username"] == 'jürg"1'
    with pytest.raises(LocalProtocolError):
        _client("a\r\nb")


def test_the_same_nonce_refused_is_given_up() -> None:
    client = _client()
    assert client.answer(_challenge(), "INVITE", _URI) is not None
    assert client.answer(_challenge(), "INVITE", _URI) is None


def test_a_stale_nonce_is_answered_again() -> None:
    client = _client()
    first = _fields(client.answer(_challenge("a"), "INVITE", _URI))
    again = _fields(client.answer(_challenge("b", ", stale=true"), "INVITE", _URI))
    assert (first["nonce"], again["nonce"]) == ("a", "b")
    assert client.answer(_challenge("b", ", stale=true"), "INVITE", _URI) is not None
    assert client.answer(_challenge("c", ", stale=true"), "INVITE", _URI) is None


def test_a_nonce_that_was_good_may_have_expired_without_being_called_stale() -> None:
    client = _client()
    assert client.answer(_challenge("a"), "REGISTER", _URI, carried=False) is not None
    assert client.answer(_challenge("a"), "REGISTER", _URI, carried=False) is not None
    assert client.answer(_challenge("b"), "REGISTER", _URI) is not None
    assert client.answer(_challenge("c"), "REGISTER", _URI) is None


def test_a_new_nonce_that_is_refused_means_a_wrong_password() -> None:
    client = _client()
    answers = [client.answer(_challenge(str(n)), "INVITE", _URI) for n in range(4)]
    assert [answer is not None for answer in answers] == [True, False, False, False]


def test_another_request_may_use_the_nonce_again_and_counts_on() -> None:
    client = _client()
    invite = _fields(client.answer(_challenge(), "INVITE", _URI, carried=False))
    bye = _fields(client.answer(_challenge(), "BYE", _URI, carried=False))
    assert (invite["nc"], bye["nc"]) == ("00000001", "00000002")
    assert invite["cnonce"] == bye["cnonce"]
    assert client.answer(_challenge(), "BYE", _URI) is None


def test_proxy_and_server_live_side_by_side() -> None:
    client = _client()
    for cycle in range(1, 4):
        proxy = _fields(client.answer(_challenge("p", realm="proxy"), "BYE", _URI, carried=False))
        server = _fields(client.answer(_challenge("s", realm="server"), "BYE", _URI))
        assert proxy["nc"] == server["nc"] == f"{cycle:08x}"


def test_ever_new_realms_do_not_loop() -> None:
    client = _client()
    answers = [client.answer(_challenge(realm=f"r{n}"), "INVITE", _URI) for n in range(50)]
    assert sum(answer is not None for answer in answers) == 8


def test_a_foreign_realm_gets_nothing() -> None:
    client = _client(realm="mine")
    assert client.answer(_challenge(realm="other"), "INVITE", _URI) is None
    both = _challenge(realm="other") + _challenge(realm="mine")
    assert _fields(client.answer(both, "INVITE", _URI))["realm"] == "mine"
    assert client.answer(["garbage"], "INVITE", _URI, carried=False) is None


def test_nonces_are_forgotten_oldest_first() -> None:
    client = _client()
    for n in range(20):
        client.answer(_challenge(str(n)), "BYE", _URI, carried=False)
    kept = _fields(client.answer(_challenge("19"), "BYE", _URI, carried=False))
    gone = _fields(client.answer(_challenge("2"), "BYE", _URI, carried=False))
    assert (kept["nc"], gone["nc"]) == ("00000002", "00000001")
