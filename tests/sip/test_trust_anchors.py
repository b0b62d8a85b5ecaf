"""Certificate chains, good and bad."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from telephony.sip.trust_anchors import MAX_CHAIN_BYTES, TrustAnchors, UntrustedError
from tests.support.stir import NOW_S, Authority, Making, number, provider, tn_auth_list


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def anchors(authority: Authority) -> TrustAnchors:
    return TrustAnchors(authority.root.pem)


def test_a_chain_to_the_root(authority: Authority, anchors: TrustAnchors) -> None:
    credential = anchors.credential(authority.chain(), NOW_S)
    assert credential.provider_codes == ("709J",)
    assert credential.covers("12155550112")
    assert credential.is_valid_at(NOW_S)
    assert not credential.is_valid_at(NOW_S + 90_000)
    assert anchors.credential(authority.chain(), NOW_S + 1) is credential


def test_the_root_may_be_in_the_chain(authority: Authority, anchors: TrustAnchors) -> None:
    chain = authority.signer.pem + authority.root.pem + authority.intermediate.pem
    assert anchors.credential(chain, NOW_S)


def test_a_signer_right_below_the_root(authority: Authority, anchors: TrustAnchors) -> None:
    signer = authority.issue(issuer=authority.root)
    assert anchors.credential(signer.pem, NOW_S)
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    assert anchors.credential(der, NOW_S)


def test_a_remembered_chain_still_expires(authority: Authority, anchors: TrustAnchors) -> None:
    signer = authority.issue(until_s=NOW_S + 10)
    assert anchors.credential(authority.chain(signer), NOW_S)
    with pytest.raises(UntrustedError, match="not valid now"):
        anchors.credential(authority.chain(signer), NOW_S + 11)


def test_roots_that_cannot_be_read() -> None:
    with pytest.raises(ValueError):
        TrustAnchors(b"no certificate")
    with pytest.raises(UntrustedError):
        TrustAnchors(b"").credential(Authority().chain(), NOW_S)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"until_s": NOW_S - 10}, "not valid now"),
        ({"from_s": NOW_S + 10}, "not valid now"),
        ({"curve": ec.SECP384R1()}, "P-256"),
        ({"ca": True, "can_sign_calls": True}, "authority signs calls"),
        ({"can_sign_calls": False}, "not for this use"),
        ({"critical_oid": "2.5.29.30"}, "malformed"),
        ({"critical_oid": "1.2.3.4"}, "critical extension 1.2.3.4"),
        ({"tn_auth": None}, "no TNAuthList"),
        ({"tn_auth": b"\x30\x00"}, "TNAuthList: no entries"),
        ({"digest": hashes.SHA224()}, "no way"),
    ],
)
def test_signers_that_are_none(
    authority: Authority, anchors: TrustAnchors, changes: dict[str, Any], message: str
) -> None:
    signer = authority.issue(**changes)
    with pytest.raises(UntrustedError, match=message):
        anchors.credential(authority.chain(signer), NOW_S)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ca": False, "can_sign_certificates": True}, "authority signs calls"),
        ({"ca": None, "key_usage": False}, "authority signs calls"),
        ({"can_sign_certificates": False}, "not for this use"),
        ({"until_s": NOW_S - 10}, "not valid now"),
        ({"critical_oid": "1.2.3.4"}, "critical extension"),
    ],
)
def test_authorities_that_are_none(
    authority: Authority, anchors: TrustAnchors, changes: dict[str, Any], message: str
) -> None:
    making = Making("between", authority.root)
    for name, value in changes.items():
        setattr(making, name, value)
    between = making.make()
    signer = authority.issue(issuer=between, tn_auth=tn_auth_list(provider("1")))
    with pytest.raises(UntrustedError, match=message):
        anchors.credential(signer.pem + between.pem, NOW_S)


def test_path_length(authority: Authority, anchors: TrustAnchors) -> None:
    deeper = Making("deeper", authority.intermediate).make()
    signer = authority.issue(issuer=deeper, tn_auth=tn_auth_list(provider("1")))
    with pytest.raises(UntrustedError, match="path is too long"):
        anchors.credential(signer.pem + deeper.pem + authority.intermediate.pem, NOW_S)


def test_a_signer_may_not_issue(authority: Authority, anchors: TrustAnchors) -> None:
    forged = authority.issue(issuer=authority.signer, tn_auth=tn_auth_list(number("1")))
    with pytest.raises(UntrustedError):
        anchors.credential(forged.pem + authority.chain(), NOW_S)


def test_another_root_with_the_same_name(authority: Authority) -> None:
    impostor = TrustAnchors(Authority().root.pem)
    with pytest.raises(UntrustedError, match="no way"):
        impostor.credential(authority.chain(), NOW_S)


def test_no_intermediate(authority: Authority, anchors: TrustAnchors) -> None:
    with pytest.raises(UntrustedError, match="no way"):
        anchors.credential(authority.signer.pem, NOW_S)


def test_a_circle_ends(anchors: TrustAnchors) -> None:
    one = Making("circle").make()
    two = Making("circle", one).make()
    with pytest.raises(UntrustedError, match="no way"):
        anchors.credential(two.pem + one.pem + two.pem + one.pem, NOW_S)


def test_every_list_on_the_way_counts(authority: Authority, anchors: TrustAnchors) -> None:
    scope = tn_auth_list(number("12155550112"))
    between = Making("between", authority.root, tn_auth=scope).make()
    both = tn_auth_list(number("12155550112"), number("12155550113"))
    signer = authority.issue(issuer=between, tn_auth=both)
    credential = anchors.credential(signer.pem + between.pem, NOW_S)
    assert credential.covers("12155550112")
    assert not credential.covers("12155550113")


def test_a_list_need_not_be_there_when_told(authority: Authority) -> None:
    anchors = TrustAnchors(authority.root.pem, require_tn_auth_list=False)
    credential = anchors.credential(authority.chain(authority.issue(tn_auth=None)), NOW_S)
    assert credential.covers("1")
    assert credential.provider_codes == ()


@pytest.mark.parametrize(
    "chain",
    [
        b"",
        b"\x30\x03abc",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----" * 20,
        b"x" * (MAX_CHAIN_BYTES + 1),
    ],
)
def test_garbage(anchors: TrustAnchors, chain: bytes) -> None:
    with pytest.raises(UntrustedError):
        anchors.credential(chain, NOW_S)


def test_what_is_remembered_is_bounded(
    authority: Authority, anchors: TrustAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telephony.sip.trust_anchors._MAX_CACHED", 2)
    for count in range(5):
        anchors.credential(authority.chain() + b"\n" * count, NOW_S)
    assert len(anchors._known) == 2
