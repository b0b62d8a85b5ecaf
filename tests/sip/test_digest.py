"""Header values and hashes of digest authentication."""

from __future__ import annotations

from functools import partial

import pytest

from telephony.sip.digest import (
    Challenge,
    DigestInput,
    best_challenge,
    digest_response,
    hash_of,
    is_supported,
    parse_auth,
    parse_challenge,
    quoted,
)
from tests.support.growth import grows_linearly

_MD5 = 'Digest realm="a", nonce="m", qop="auth", algorithm=MD5'
_SHA_256 = 'Digest realm="a", nonce="s", qop="auth", algorithm=SHA-256'
_SHA_512 = 'Digest realm="a", nonce="t", qop="auth", algorithm=SHA-512-256'


def _rfc_7616(algorithm: str) -> DigestInput:
    return DigestInput(
        algorithm=algorithm,
        username="Mufasa",
        realm="http-auth@example.org",
        password="Circle of Life",
        method="GET",
        uri="/dir/index.html",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        qop="auth",
        nc="00000001",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


def test_the_examples_of_rfc_7616_section_3_9_1() -> None:
    assert digest_response(_rfc_7616("MD5")) == "8ca523f5e9506fed4657c9700eebdbec"
    expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    assert digest_response(_rfc_7616("SHA-256")) == expected
    assert digest_response(_rfc_7616("")) == digest_response(_rfc_7616("md5"))


def test_the_example_of_rfc_2069_as_corrected() -> None:
    parts = DigestInput(
        algorithm="",
        username="Mufasa",
        realm="testrealm@host.com",
        password="CircleOfLife",
        method="GET",
        uri="/dir/index.html",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
    )
    assert digest_response(parts) == "1949323746fe6a43ef61f9606e7febea"


def test_session_algorithms_hash_nonce_and_cnonce_too() -> None:
    plain, session = digest_response(_rfc_7616("MD5")), digest_response(_rfc_7616("MD5-sess"))
    assert plain != session
    assert hash_of("md5-Sess") == "MD5"
    assert hash_of("") == "MD5"
    assert is_supported("SHA-256-sess")
    assert not is_supported("SHA-1")


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ('Digest realm="a b", nonce=n', {"realm": "a b", "nonce": "n"}),
        ('DIGEST  Realm = "a" ,nonce = "n"', {"realm": "a", "nonce": "n"}),
        (r'Digest realm="say \"hi\" \\ you"', {"realm": 'say "hi" \\ you'}),
        ('Digest realm="a, b=c", nonce="="', {"realm": "a, b=c", "nonce": "="}),
        ('Digest realm=""', {"realm": ""}),
        ("Digest username*=UTF-8''J%C3%A4", {"username*": "UTF-8''J%C3%A4"}),
    ],
)
def test_parameters(value: str, fields: dict[str, str]) -> None:
    assert parse_auth(value) == ("digest", fields)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        'Digest realm="a',
        'Digest realm="a" nonce="b"',
        'Digest realm="a", realm="a"',
        'Digest realm="a", Basic realm="b"',
        "Digest " + ", ".join(f"a{n}=1" for n in range(33)),
        'Digest realm="a\\"',
    ],
)
def test_what_is_no_list_of_parameters(value: str) -> None:
    assert parse_auth(value) is None


@pytest.mark.parametrize("tail", ["x y", '"', ";", ",", ""])
@pytest.mark.parametrize("middle", ["realm=", "realm", 'realm="', "", 'realm="a"'])
def test_blanks_take_no_quadratic_time(middle: str, tail: str) -> None:
    assert grows_linearly(lambda size: partial(parse_auth, f"Digest {middle}{' ' * size}{tail}"))


def test_quoting_and_reading_are_inverse() -> None:
    text = 'a "quoted" \\ word; ä, ='
    assert parse_auth(f"Digest x={quoted(text)}") == ("digest", {"x": text})


def test_a_challenge() -> None:
    value = 'Digest realm="a", nonce="n", opaque="", stale=TRUE, algorithm=md5, qop="auth-int,AUTH"'
    assert parse_challenge(value) == Challenge("a", "n", "", True, "md5", "auth")
    assert parse_challenge('Digest realm="a", nonce="n"') == Challenge(
        "a", "n", None, False, "", ""
    )


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="a"',
        'Digest nonce="n"',
        'Digest realm="a"',
        'Digest realm="a", nonce=""',
        'Digest realm="a", nonce="n", algorithm=AKAv1-MD5',
        'Digest realm="a", nonce="n", qop="auth-int"',
        "garbage",
    ],
)
def test_challenges_that_cannot_be_answered(value: str) -> None:
    assert parse_challenge(value) is None


def test_the_strongest_challenge_wins_then_the_topmost() -> None:
    best = best_challenge([_MD5, _SHA_256, _SHA_512])
    assert best is not None
    assert best.nonce == "s"
    best = best_challenge([_SHA_512, _MD5, _SHA_256])
    assert best is not None
    assert best.nonce == "t"
    best = best_challenge(['Digest realm="a", nonce="x", algorithm=FUTURE', "Basic x=y", _MD5])
    assert best is not None
    assert best.nonce == "m"
    assert best_challenge([]) is None


def test_a_realm_narrows_the_choice() -> None:
    other = _SHA_256.replace('"a"', '"b"')
    best = best_challenge([other, _MD5], "a")
    assert best is not None
    assert best.nonce == "m"
    assert best_challenge([_MD5], "A") is None
