"""Identity headers, believed or not."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.sip.identity import (
    Invalid,
    Passport,
    Verified,
    Verifier,
    VerifierConfig,
    parse_identity,
    read_identities,
)
from telephony.sip.passport import compact_signing_input, subject_of
from tests.support.sip_headers import view
from tests.support.stir import (
    CALLED,
    CALLER,
    INFO,
    NOW_S,
    Authority,
    block,
    claims,
    identity,
    jose,
    number,
    provider,
    signature,
    tn_auth_list,
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def verifier(authority: Authority) -> Verifier:
    return Verifier(VerifierConfig(authority.root.pem))


def passport(text: str, date: str = "") -> Passport:
    found = parse_identity(text, date)
    assert isinstance(found, Passport)
    return found


@pytest.mark.parametrize("attestation", ["A", "B", "C"])
def test_a_good_call(authority: Authority, verifier: Verifier, attestation: str) -> None:
    found = passport(identity(authority.signer, payload=claims(attest=attestation)))
    result = verifier.verify(found, authority.chain(), CALLER, CALLED, NOW_S)
    assert result == Verified(attestation, "123e4567-e89b-12d3-a456-426655440000", ("709J",))
    assert verifier.precheck(found, CALLER, CALLED, NOW_S) is None
    assert verifier.stats.verified == 1


@pytest.mark.parametrize(
    ("caller", "called"),
    [
        ("sip:+1-215-555-0112@h;user=phone", "tel:+1(215)555-0113"),
        ("12155550112", "sips:%2B12155550113;npdi@h:5061"),
    ],
)
def test_numbers_are_compared_in_their_canonical_form(
    authority: Authority, verifier: Verifier, caller: str, called: str
) -> None:
    found = passport(identity(authority.signer))
    assert isinstance(verifier.verify(found, authority.chain(), caller, called, NOW_S), Verified)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"wall_clock_s": NOW_S + 61}, 403),
        ({"wall_clock_s": NOW_S - 61}, 403),
        ({"caller": "+12155550119"}, 438),
        ({"called": "+12155550119"}, 438),
        ({"caller": ""}, 438),
        ({"called": ""}, 438),
        ({"caller": "2155550112"}, 438),
        ({"chain": b""}, 437),
        ({"chain": b"\xff" * 100}, 437),
    ],
)
def test_refusals(
    authority: Authority, verifier: Verifier, changes: dict[str, Any], status: int
) -> None:
    asked: dict[str, Any] = {
        "passport": passport(identity(authority.signer)),
        "chain": authority.chain(),
        "caller": CALLER,
        "called": CALLED,
        "wall_clock_s": NOW_S,
    }
    result = verifier.verify(**(asked | changes))
    assert isinstance(result, Invalid)
    assert result.status == status
    stats = verifier.stats
    counted = {403: stats.stale, 437: stats.untrusted, 438: stats.invalid}
    assert counted[status] == 1
    assert stats.verified == 0


@pytest.mark.parametrize("at_s", [NOW_S - 60, NOW_S, NOW_S + 60])
def test_freshness_is_up_to_the_second(
    authority: Authority, verifier: Verifier, at_s: float
) -> None:
    found = passport(identity(authority.signer))
    assert isinstance(verifier.verify(found, authority.chain(), CALLER, CALLED, at_s), Verified)


def test_claims_are_checked_before_any_certificate(
    authority: Authority, verifier: Verifier
) -> None:
    found = passport(identity(authority.signer))
    for caller, called, at_s in ((CALLED, CALLED, NOW_S), (CALLER, CALLER, NOW_S)):
        assert isinstance(verifier.precheck(found, caller, called, at_s), Invalid)
    stale = verifier.precheck(found, CALLER, CALLED, NOW_S + 1e6)
    assert stale is not None
    assert (stale.status, stale.phrase) == (403, "Stale Date")


def test_a_changed_passport(authority: Authority, verifier: Verifier) -> None:
    token, _, parameters = identity(authority.signer).partition(";")
    header, _, sig = token.split(".")
    other = identity(authority.signer, payload=claims(attest="B")).split(".")[1]
    mixed = passport(f"{header}.{other}.{sig};{parameters}")
    result = verifier.verify(mixed, authority.chain(), CALLER, CALLED, NOW_S)
    assert result == Invalid(438, "the signature does not hold")


@pytest.mark.parametrize("sig", [bytes(64), b"\xff" * 64, bytes(63) + b"\x01"])
def test_signatures_of_no_curve(authority: Authority, verifier: Verifier, sig: bytes) -> None:
    found = passport(identity(authority.signer))
    forged = Passport(found.info, sig, found.signing_input, found.orig, found.dest, NOW_S, "A", "x")
    result = verifier.verify(forged, authority.chain(), CALLER, CALLED, NOW_S)
    assert isinstance(result, Invalid)
    assert result.status == 438


def test_the_key_of_another_signer(authority: Authority, verifier: Verifier) -> None:
    other = authority.issue(tn_auth=tn_auth_list(provider("123A")))
    found = passport(identity(other))
    result = verifier.verify(found, authority.chain(), CALLER, CALLED, NOW_S)
    assert isinstance(result, Invalid)
    assert result.status == 438


@pytest.mark.parametrize(
    ("entries", "accepted"),
    [
        ([number(CALLER[1:])], True),
        ([number("19005550100")], False),
        ([block("12155550100", 20)], True),
        ([block("12155550113", 20)], False),
        ([number("19005550100"), provider("709J")], True),
    ],
)
def test_a_certificate_for_numbers_speaks_for_them_alone(
    authority: Authority, verifier: Verifier, entries: list[bytes], accepted: bool
) -> None:
    signer = authority.issue(tn_auth=tn_auth_list(*entries))
    found = passport(identity(signer))
    result = verifier.verify(found, authority.chain(signer), CALLER, CALLED, NOW_S)
    assert isinstance(result, Verified) is accepted
    if isinstance(result, Invalid):
        assert result.status == 437


def test_the_certificate_was_valid_when_it_signed(authority: Authority, verifier: Verifier) -> None:
    fresh = authority.issue(tn_auth=tn_auth_list(provider("1")), from_s=NOW_S + 10)
    found = passport(identity(fresh))
    result = verifier.verify(found, authority.chain(fresh), CALLER, CALLED, NOW_S + 20)
    assert result == Invalid(437, "the certificate was not valid at iat")


def test_a_passport_without_extension(authority: Authority, verifier: Verifier) -> None:
    payload = {"dest": {"uri": ["sip:bot@example.org"]}, "iat": NOW_S, "orig": {"tn": CALLER[1:]}}
    text = identity(authority.signer, jose(ppt=None), payload, f";info=<{INFO}>")
    result = verifier.verify(
        passport(text), authority.chain(), CALLER, "sip:bot@EXAMPLE.org", NOW_S
    )
    assert result == Verified("", "", ("709J",))


def test_the_compact_form(authority: Authority, verifier: Verifier) -> None:
    signed = compact_signing_input(INFO, subject_of(CALLER), subject_of(CALLED), NOW_S)
    sig = signature(authority.signer.key, signed)
    found = passport(f"..{sig};info=<{INFO}>;alg=ES256", "Mon, 21 Sep 2026 14:13:20 GMT")
    chain = authority.chain()
    assert verifier.verify(found, chain, CALLER, CALLED, NOW_S) == Verified("", "", ("709J",))
    for caller, called in ((CALLED, CALLED), (CALLER, CALLER)):
        result = verifier.verify(found, chain, caller, called, NOW_S)
        assert isinstance(result, Invalid)
        assert result.status == 438
    undated = passport(f"..{sig};info=<{INFO}>;alg=ES256")
    assert verifier.verify(undated, chain, CALLER, CALLED, NOW_S) == Invalid(403, "no date")


def test_several_headers(authority: Authority) -> None:
    good = identity(authority.signer)
    headers = view(
        ("Identity", "x;ppt=div"), ("Identity", "garbage"), ("identity", good), ("Identity", good)
    )
    found = read_identities(headers)
    assert [type(item) for item in found] == [Invalid, Passport, Passport]
    assert read_identities(view()) == []
    assert read_identities(view(("Identity", "x;ppt=div"))) == []
    assert len(read_identities(view(*[("Identity", good)] * 9))) == 4
    div = [("Identity", "x;ppt=div")] * 16
    assert read_identities(view(*div, ("Identity", good))) == []


def test_the_roots_must_be_readable() -> None:
    with pytest.raises(ValueError):
        Verifier(VerifierConfig(b"nothing"))


def test_the_example_of_rfc_7515_holds() -> None:
    """Appendix A.3: ES256 with a published key and signature."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from telephony.sip.identity import _check_signature
    from telephony.sip.trust_anchors import Credential
    from tests.support.stir import decoded

    x, y = (
        int.from_bytes(decoded(part))
        for part in (
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        )
    )
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signed = (
        b"eyJhbGciOiJFUzI1NiJ9."
        b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    sig = decoded(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    credential = Credential(key, 0.0, 1e12, ())
    caller, called = subject_of(CALLER), subject_of(CALLED)
    good = Passport(INFO, sig, signed, issued_at_s=NOW_S)
    assert _check_signature(good, credential, caller, called) is None
    bad = Passport(INFO, sig, signed + b"x", issued_at_s=NOW_S)
    assert _check_signature(bad, credential, caller, called) is not None
