"""Hostile Identity headers, certificates and caller headers: nothing raises but what is named."""

from __future__ import annotations

import warnings
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.caller_id import asserted_identity
from telephony.sip.diversion import diverted_from
from telephony.sip.identity import Invalid, Passport, Verified, Verifier, VerifierConfig
from telephony.sip.passport import parse_date, parse_identity, subject_of
from telephony.sip.reason import parse_reasons
from telephony.sip.tn_auth_list import TnAuthListError, parse_tn_auth_list
from tests.support.sip_headers import view
from tests.support.stir import (
    CALLED,
    CALLER,
    NOW_S,
    Authority,
    block,
    claims,
    identity,
    jose,
    number,
    provider,
    tn_auth_list,
)


@cache
def authority() -> Authority:
    return Authority()


@cache
def good_identity() -> str:
    return identity(authority().signer)


def _mutations(text: str, pieces: list[str]) -> st.SearchStrategy[str]:
    @st.composite
    def mutated(draw: st.DrawFn) -> str:
        found = text
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, len(found)))
            cut = draw(st.integers(0, 9))
            piece = draw(st.one_of(st.sampled_from(pieces), st.text(max_size=3)))
            found = found[:at] + piece + found[at + cut :]
        return found

    return mutated()


_PIECES = [";", ",", '"', "<", ">", "=", ".", "..", "\\", "=x", "\0", "A" * 70, "%0a", "\udcff"]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def _verify(text: str) -> Verified | Invalid | None:
    found = parse_identity(text, "Mon, 21 Sep 2026 14:13:20 GMT")
    if not isinstance(found, Passport):
        return found
    verifier = Verifier(VerifierConfig(authority().root.pem))
    return verifier.verify(found, authority().chain(), CALLER, CALLED, NOW_S)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_header_proves_nothing_else(data: st.DataObject) -> None:
    text = data.draw(_mutations(good_identity(), _PIECES))
    result = _verify(text)
    if isinstance(result, Verified):
        # Only what is not signed was changed: a parameter that nobody knows.
        assert text.partition(";")[0].strip() == good_identity().partition(";")[0]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 700))
def test_a_truncated_header_proves_nothing(length: int) -> None:
    text = good_identity()[:length]
    if text.partition(";")[0] != good_identity().partition(";")[0]:
        assert not isinstance(_verify(text), Verified)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["attest", "dest", "iat", "orig", "origid", "other"]), _JSON)
def test_any_claim_of_any_type(name: str, claim: object) -> None:
    signed = identity(authority().signer, payload=claims(**{name: claim}))
    assert isinstance(_verify(signed), (Verified, Invalid))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["alg", "ppt", "typ", "x5u", "crit"]), _JSON)
def test_any_header_member_of_any_type(name: str, member: object) -> None:
    _verify(identity(authority().signer, jose(**{name: member})))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    assert parse_identity(text) is None or isinstance(parse_identity(text), (Invalid, Passport))
    parse_date(text)
    subject_of(text)
    subject_of(f"sip:{text}")
    subject_of(f"tel:{text}")


def test_huge_headers() -> None:
    for text in ("." * 30_000, "a;" * 15_000, '"' * 30_000, "\\" * 30_000, "<" * 30_000):
        assert isinstance(parse_identity(text), Invalid)
        headers = view(*((name, text) for name in _CALLER_HEADERS))
        asserted_identity(headers)
        diverted_from(headers)
        parse_reasons([text])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_certificate(data: st.DataObject) -> None:
    chain = authority().chain()
    at = data.draw(st.integers(0, len(chain) - 1))
    cut = data.draw(st.integers(0, 20))
    changed = chain[:at] + data.draw(st.binary(max_size=6)) + chain[at + cut :]
    found = parse_identity(good_identity())
    assert isinstance(found, Passport)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verifier = Verifier(VerifierConfig(authority().root.pem))
        assert isinstance(
            verifier.verify(found, changed, CALLER, CALLED, NOW_S), (Verified, Invalid)
        )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_certificate_in_der(data: st.DataObject) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    der = authority().signer.certificate.public_bytes(Encoding.DER)
    at = data.draw(st.integers(0, len(der) - 1))
    changed = der[:at] + data.draw(st.binary(max_size=2)) + der[at + data.draw(st.integers(0, 2)) :]
    found = parse_identity(good_identity())
    assert isinstance(found, Passport)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verifier = Verifier(VerifierConfig(authority().intermediate.pem))
        verifier.verify(found, changed, CALLER, CALLED, NOW_S)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_tn_auth_list(data: st.DataObject) -> None:
    good = tn_auth_list(provider("709J"), number("1215"), block("12155550100", 300))
    at = data.draw(st.integers(0, len(good)))
    changed = (
        good[:at] + data.draw(st.binary(max_size=4)) + good[at + data.draw(st.integers(0, 4)) :]
    )
    for value in (changed, data.draw(st.binary(max_size=40))):
        try:
            parse_tn_auth_list(value).covers("12155550112")
        except TnAuthListError:
            pass


_CALLER_HEADERS = ("From", "P-Asserted-Identity", "Remote-Party-ID", "Privacy", "Diversion")
_CALLER_HEADERS += ("History-Info", "Reason")
_CALLER_VALUES = (
    '"A, \\"B\\"" <sip:+1-555-0100;npdi@h;user=phone>;party=calling;privacy=full, <tel:1>',
    "<sip:200@h;cause=486?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1.1;mp=1,<sip:a@b>;index=1",
    'Q.850;cause=16;text="a;b, c", SIP;cause=200',
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_caller(data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(_CALLER_VALUES))
    text = data.draw(_mutations(seed, _PIECES) | st.text(max_size=80))
    headers = view(*((name, text) for name in _CALLER_HEADERS))
    caller = asserted_identity(headers)
    assert caller.number.isprintable()
    assert caller.display.isprintable()
    found = diverted_from(headers)
    if found is not None:
        assert 1 <= found.counter <= 99
        assert found.number.isprintable()
    for reason in parse_reasons(headers.get_all("Reason")):
        assert "\n" not in str(reason)
