"""PASSporTs, read."""

from __future__ import annotations

import json

import pytest

from telephony.sip.passport import (
    Invalid,
    Passport,
    Subject,
    compact_signing_input,
    encoded,
    parse_date,
    parse_identity,
    subject_of,
)
from tests.support.stir import CALLED, CALLER, INFO, NOW_S, claims, jose, segment

SIGNATURE = encoded(bytes(range(64)))
PARAMETERS = f";info=<{INFO}>;alg=ES256;ppt=shaken"


def value(
    header: object = None,
    payload: object = None,
    parameters: str = PARAMETERS,
    sig: str = SIGNATURE,
) -> str:
    header = jose() if header is None else header
    payload = claims() if payload is None else payload
    return f"{segment(header)}.{segment(payload)}.{sig}{parameters}"


def good(text: str, date: str = "") -> Passport:
    found = parse_identity(text, date)
    assert isinstance(found, Passport)
    return found


def bad(text: str) -> int:
    found = parse_identity(text)
    assert isinstance(found, Invalid)
    assert found.reason
    return found.status


def test_a_passport_of_shaken() -> None:
    found = good(value())
    assert found.attestation == "A"
    assert found.origid == "123e4567-e89b-12d3-a456-426655440000"
    assert found.orig == Subject("tn", CALLER[1:])
    assert found.dest == {Subject("tn", CALLED[1:])}
    assert found.issued_at_s == NOW_S
    assert found.info == INFO
    assert found.signature == bytes(range(64))
    assert not found.compact
    assert found.is_for("sip:+1-215-555-0113@example.org;user=phone")
    assert not found.is_for(CALLER)


def test_the_example_of_rfc_8225() -> None:
    """Appendix A, with the parameters of a header around it."""
    found = good(
        "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9j"
        "ZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9."
        "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI"
        "6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19."
        "VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUkqk79UD81fHQ0E1b3_GluIkb"
        "a7UWYRM47ZbNFdOJquE35cw;info=<https://cert.example.org/passport.cer>"
    )
    orig, dest = Subject("tn", "12155551212"), Subject("uri", "sip:alice@example.com")
    assert (found.orig, found.dest, found.issued_at_s) == (orig, {dest}, 1_471_375_418)
    assert (found.attestation, found.origid) == ("", "")
    # What a compact form would be signed over is the same, octet for octet.
    assert compact_signing_input(found.info, orig, dest, 1_471_375_418) == found.signing_input


def test_the_compact_form_takes_its_date_from_the_request() -> None:
    text = f"..{SIGNATURE};info=<{INFO}>;alg=ES256"
    found = good(text, "Mon, 21 Sep 2026 14:13:20 GMT")
    assert found.compact
    assert found.issued_at_s == NOW_S
    assert found.is_for("anybody")
    assert good(text).issued_at_s is None
    assert bad(f"{text};ppt=shaken") == 438


@pytest.mark.parametrize("ppt", ["div", "rph", "rcd", '"div"', "DIV-o"])
def test_unknown_extensions_are_passed_over(ppt: str) -> None:
    assert parse_identity(f"whatever;ppt={ppt}") is None
    header = jose(ppt=ppt.strip('"').lower())
    assert parse_identity(value(header, parameters=f";info=<{INFO}>")) is None


def test_the_extension_may_be_named_in_the_passport_alone() -> None:
    assert good(value(parameters=f";info=<{INFO}>")).attestation == "A"
    assert good(value(parameters=f';info=<{INFO}>;alg=es256;ppt="shaken"')).attestation == "A"


@pytest.mark.parametrize(
    "text",
    [
        value(jose(alg="none")),
        value(jose(alg="HS256")),
        value(jose(typ="JWT")),
        value(jose(ppt=None)),
        value(jose(ppt="div")),
        value(jose(ppt=7), parameters=f";info=<{INFO}>"),
        value(jose(crit=["b64"])),
        value(parameters=f";info=<{INFO}>;alg=RS256;ppt=shaken"),
        value(sig=""),
        value(sig=encoded(bytes(63))),
        value(sig=SIGNATURE + "=="),
        value(sig=SIGNATURE[:-1] + "+"),
        value(sig="A"),
        f"a.b{PARAMETERS}",
        f"a.b.c.d{PARAMETERS}",
        f"é.{segment(claims())}.{SIGNATURE}{PARAMETERS}",
        f"{segment(jose())}..{SIGNATURE}{PARAMETERS}",
        value(header="[]"),
        value(header="{"),
        value(header='{"alg":"ES256","alg":"ES256"}'),
        value(header="[" * 3_000),
        value(payload='{"iat":NaN}'),
        value(payload='{"iat":' + "9" * 4_000 + "}"),
        "x" * 9_000,
        '"signature of RFC 4474"' + PARAMETERS,
    ],
)
def test_malformed_passports(text: str) -> None:
    assert bad(text) == 438


@pytest.mark.parametrize(
    "payload",
    [
        claims(attest=None),
        claims(attest="D"),
        claims(attest="a"),
        claims(attest=["A"]),
        claims(origid=None),
        claims(origid=""),
        claims(origid=5),
        claims(origid="x" * 129),
        claims(iat=None),
        claims(iat=str(NOW_S)),
        claims(iat=True),
        claims(iat=-1),
        claims(iat=1e300),
        claims(iat=10**40),
        claims(orig=None),
        claims(orig="1"),
        claims(orig={}),
        claims(orig={"tn": ["1"]}),
        claims(orig={"tn": "alice"}),
        claims(orig={"tn": ""}),
        claims(orig={"tn": "1" * 40}),
        claims(orig={"tn": "1", "uri": "sip:a@b"}),
        claims(orig={"uri": "sip:+12155550112@example.org"}),
        claims(dest=None),
        claims(dest={}),
        claims(dest={"tn": "1"}),
        claims(dest={"tn": [1]}),
        claims(dest={"tn": []}),
        claims(dest={"tn": ["x"]}),
        claims(dest={"tn": ["1"] * 65}),
        claims(dest={"uri": {"a": 1}}),
    ],
)
def test_bad_claims(payload: object) -> None:
    assert bad(value(payload=payload)) == 438


def test_tolerated_claims() -> None:
    assert good(value(payload=claims(iat=NOW_S + 0.9))).issued_at_s == NOW_S
    spelled = good(value(payload=claims(orig={"tn": "+1 (215) 555-0112"})))
    assert spelled.orig == Subject("tn", CALLER[1:])
    both = good(value(payload=claims(dest={"tn": ["1", "2"], "uri": ["sip:Bot@EXAMPLE.org:5070"]})))
    assert len(both.dest) == 3
    assert both.is_for("sip:Bot@example.org;transport=tcp")


def test_a_claimed_uri_never_becomes_a_number() -> None:
    payload = claims(orig={"uri": "sip:+12155550112@example.org"}, attest=None, origid=None)
    found = good(value(jose(ppt=None), payload, parameters=f";info=<{INFO}>"))
    assert found.orig == Subject("uri", "sip:+12155550112@example.org")


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        ";info",
        ";info=",
        ";info=<>",
        f";info={INFO}",
        ";info=<https://other.example.org/x>",
        f';info="<{INFO}>"x',
        f";info=<{INFO} >x",
        ";info=<" + "h" * 3_000 + ">",
    ],
)
def test_bad_info(parameters: str) -> None:
    assert bad(value(parameters=parameters)) == 436


def test_phrases() -> None:
    phrases = [Invalid(status, "").phrase for status in (403, 436, 437, 438)]
    assert phrases == [
        "Stale Date",
        "Bad Identity Info",
        "Unsupported Credential",
        "Invalid Identity Header",
    ]


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("+1 (215) 555-0112", Subject("tn", "12155550112")),
        ("12155550112", Subject("tn", "12155550112")),
        ("tel:+1-215-555-0112", Subject("tn", "12155550112")),
        ("sip:+12155550112@h;user=phone", Subject("tn", "12155550112")),
        ("sip:%2B12155550112;npdi@h", Subject("tn", "12155550112")),
        ("*55#", Subject("tn", "*55#")),
        ("sips:Alice:pw@Example.ORG:5061;a=b?c=d", Subject("uri", "sips:Alice@example.org")),
        ("alice", Subject("uri", "alice")),
        ("http://x", Subject("uri", "http://x")),
    ],
)
def test_subjects(text: str, subject: Subject) -> None:
    assert subject_of(text) == subject


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Tue, 16 Aug 2016 19:23:38 GMT", 1_471_375_418),
        (" Thu, 1 Jan 1970 00:00:07 GMT ", 7),
        ("Thu, 01 Jan 1900 00:00:00 GMT", 0),
        ("Tue, 16 Aug 2016 19:23:38 CET", None),
        ("Tue, 31 Feb 2016 19:23:38 GMT", None),
        ("Tue, 16 anf 2016 19:23:38 GMT", None),
        ("Tue, 16 Xyz 2016 19:23:38 GMT", None),
        ("Tue, 16 Aug 0000 19:23:38 GMT", None),
        ("Tue, 16 Aug 2016 24:23:38 GMT", None),
        ("1471375418", None),
        ("", None),
    ],
)
def test_dates(text: str, seconds: int | None) -> None:
    assert parse_date(text) == seconds


def test_compact_input_is_canonical_json() -> None:
    found = compact_signing_input(INFO, Subject("tn", "1"), Subject("uri", "sip:ü@h"), 7)
    header, payload = found.decode().split(".")
    assert json.loads(_text(header)) == {"alg": "ES256", "typ": "passport", "x5u": INFO}
    assert _text(payload) == '{"dest":{"uri":["sip:ü@h"]},"iat":7,"orig":{"tn":"1"}}'


def _text(part: str) -> str:
    from tests.support.stir import decoded

    return decoded(part).decode()
