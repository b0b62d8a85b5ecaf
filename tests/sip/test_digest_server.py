"""Which answers to our challenges are good, which are late, and which are neither."""

from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sip.credentials import Credentials
from telephony.sip.digest import DigestInput, digest_response, parse_auth, parse_challenge
from telephony.sip.digest_client import DigestClient
from telephony.sip.digest_server import (
    DigestServer,
    DigestServerConfig,
    Failed,
    Stale,
    Verdict,
    Verified,
)

_SOURCE = "192.0.2.20"
_URI = "sip:bot@192.0.2.10"
_PASSWORDS = {"bot": "secret", "jürg": "pässword", 'a"b\\c': "x", "empty": ""}


def _server(**fields: object) -> DigestServer:
    config = DigestServerConfig(realm="telephony", **fields)  # type: ignore[arg-type]
    return DigestServer(config, Ids.seeded(1))


def _verify(
    server: DigestServer,
    value: str,
    now: float = 0.0,
    *,
    method: str = "INVITE",
    uri: str = _URI,
    source: str = _SOURCE,
) -> Verdict:
    return server.verify(value, method, uri, source, _PASSWORDS.get, now)


def _client(username: str = "bot", password: str = "secret") -> DigestClient:
    return DigestClient(Credentials(username, password), Ids.seeded(2))


def _answer(
    server: DigestServer, now: float = 0.0, client: DigestClient | None = None, **changes: str
) -> str:
    """Answer a new challenge, then replace the text of some parameters."""
    challenges = server.challenges(_SOURCE, now)
    value = (client or _client()).answer(challenges, "INVITE", _URI, carried=False)
    assert value is not None
    for name, text in changes.items():
        parsed = parse_auth(value)
        assert parsed is not None
        value = value.replace(parsed[1][name], text)
    return value


def _signed(server: DigestServer, **changes: str) -> str:
    """Answer with parameters of our choice and a response that fits them."""
    challenge = parse_challenge(server.challenges(_SOURCE, 0.0)[1])
    assert challenge is not None
    fields = {
        "algorithm": "MD5",
        "username": "bot",
        "realm": "telephony",
        "method": "INVITE",
        "uri": _URI,
        "nonce": challenge.nonce,
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "c",
    } | changes
    response = digest_response(DigestInput(password="secret", **fields))
    del fields["method"]
    return "Digest " + ", ".join(f'{k}="{v}"' for k, v in fields.items()) + f", response={response}"


def test_a_challenge_for_each_algorithm_the_preferred_first() -> None:
    values = _server().challenges(_SOURCE, 0.0)
    assert ["SHA-256" in value for value in values] == [True, False]
    assert all('qop="auth"' in value and "stale" not in value for value in values)
    assert all("stale=true" in v for v in _server().challenges(_SOURCE, 0.0, stale=True))


@pytest.mark.parametrize(("username", "password"), [*_PASSWORDS.items()][:3])
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "MD5-sess", "SHA-512-256-sess"])
def test_the_right_password(username: str, password: str, algorithm: str) -> None:
    server = _server(algorithms=(algorithm,))
    value = _answer(server, client=_client(username, password))
    assert _verify(server, value) == Verified(username)


def test_wrong_passwords_and_unknown_names() -> None:
    server = _server()
    wrong = _answer(server, client=_client(password="guess"))
    assert _verify(server, wrong) == Failed("wrong-password", "bot")
    unknown = _answer(server, client=_client("nobody"))
    assert _verify(server, unknown) == Failed("unknown-user", "nobody")
    empty = _answer(server, client=_client("empty", ""))
    assert isinstance(_verify(server, empty), Failed)


def test_method_and_uri_are_part_of_the_answer() -> None:
    server = _server()
    value = _answer(server)
    assert _verify(server, value, method="BYE") == Failed("wrong-password", "bot")
    assert _verify(server, value, uri="sip:other@192.0.2.10") == Failed("uri-mismatch", "bot")
    changed = value.replace(f'uri="{_URI}"', 'uri="sip:other@192.0.2.10"')
    assert _verify(server, changed, uri="sip:other@192.0.2.10") == Failed("wrong-password", "bot")


def test_a_nonce_expires() -> None:
    server = _server(nonce_lifetime_s=10.0)
    assert _verify(server, _answer(server, 0.0), 10.0) == Verified("bot")
    assert _verify(server, _answer(server, 0.0), 10.1) == Stale("bot")
    late_and_wrong = _answer(server, 0.0, _client(password="guess"))
    assert isinstance(_verify(server, late_and_wrong, 10.1), Failed)


def test_a_nonce_is_bound_to_its_source_and_server() -> None:
    server = _server()
    assert _verify(server, _answer(server), source="203.0.113.1") == Stale("bot")
    other = DigestServer(DigestServerConfig(realm="telephony"), Ids.seeded(9))
    assert _verify(other, _answer(server)) == Stale("bot")
    assert _verify(server, _signed(server, nonce="mine")) == Stale("bot")
    future = "f" * 12 + "0" * 40
    assert _verify(server, _signed(server, nonce=future)) == Stale("bot")


def test_a_count_is_good_once() -> None:
    server, client = _server(), _client()
    challenges = server.challenges(_SOURCE, 0.0)
    values = [client.answer(challenges, "INVITE", _URI, carried=False) or "" for _ in range(70)]
    assert _verify(server, values[0]) == Verified("bot")
    assert _verify(server, values[0]) == Stale("bot")
    # Requests overtake each other on the way.
    assert _verify(server, values[2]) == Verified("bot")
    assert _verify(server, values[1]) == Verified("bot")
    assert _verify(server, values[1]) == Stale("bot")
    assert _verify(server, values[69]) == Verified("bot")
    assert _verify(server, values[3]) == Stale("bot")
    assert _verify(server, values[10]) == Verified("bot")


def test_uses_are_bounded_and_what_is_forgotten_cannot_be_replayed() -> None:
    server = _server(max_nonces=3)
    values = [_answer(server, now / 10) for now in range(6)]
    assert all(_verify(server, value, 1.0) == Verified("bot") for value in values)
    assert all(_verify(server, value, 1.0) == Stale("bot") for value in values)


def test_nobody_without_a_password_fills_the_table() -> None:
    server = _server(max_nonces=1)
    good = _answer(server)
    assert _verify(server, good) == Verified("bot")
    for _ in range(5):
        _verify(server, _answer(server, client=_client(password="guess")))
    assert _verify(server, _answer(server, 0.5), 0.5) == Verified("bot")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"realm": "other"}, "not-ours"),
        ({"realm": ""}, "not-ours"),
        ({"algorithm": "SHA-512-256"}, "algorithm-not-offered"),
        ({"qop": "auth-int"}, "qop-not-offered"),
        ({"qop": ""}, "qop-not-offered"),
        ({"cnonce": ""}, "qop-not-offered"),
        ({"nc": "1"}, "malformed"),
        ({"nc": "00000000"}, "malformed"),
        ({"nonce": ""}, "malformed"),
        ({"username": ""}, "malformed"),
    ],
)
def test_answers_that_do_not_fit_the_challenge(changes: dict[str, str], reason: str) -> None:
    server = _server()
    verdict = _verify(server, _signed(server, **changes))
    assert isinstance(verdict, Failed)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "not-ours"),
        ("Basic abc=", "not-ours"),
        ("\udcff", "not-ours"),
        ("Digest", "not-ours"),
        ("Digest \udcff", "malformed"),
        ("Digest username=bot", "malformed"),
    ],
)
def test_garbage(value: str, reason: str) -> None:
    assert _verify(_server(), value) == Failed(reason, "bot" if "bot" in value else "")


def test_extended_and_hashed_names() -> None:
    server = _server()
    value = _answer(server, client=_client("jürg", "pässword"))
    extended = value.replace('username="jürg"', "username*=UTF-8''j%C3%BCrg")
    assert _verify(server, extended) == Verified("jürg")
    for bad in ("username*=LATIN-1''x", "username*=x", "username*=UTF-8''", 'username*="x"'):
        assert _verify(server, value.replace('username="jürg"', bad)) == Failed("malformed")
    assert _verify(server, value + ", username*=UTF-8''x") == Failed("malformed")
    assert _verify(server, value + ", userhash=true") == Failed("malformed")
    again = _answer(server, client=_client("jürg", "pässword")) + ", userhash=false"
    assert _verify(server, again) == Verified("jürg")
