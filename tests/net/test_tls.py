from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from telephony.net.tls import (
    CertificateProblem,
    TlsConfig,
    TlsContexts,
    certificate_names,
    is_named,
)
from telephony.sip.flow import Flow
from tests.support.certificates import Authority, key_pem

_SUBJECT = ((("commonName", "Old.example.com"),),)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize(
    ("alternatives", "names"),
    [
        ((), ("old.example.com",)),
        (
            (("DNS", "Sip.Example.com"), ("DNS", "b.example.com.")),
            ("sip.example.com", "b.example.com"),
        ),
        # SIP URIs say more than DNS names (RFC 5922 section 7.1), and only those without a user.
        ((("DNS", "a.example.com"), ("URI", "sip:example.com")), ("example.com",)),
        (
            (
                ("URI", "sips:example.com:5061;x=y"),
                ("URI", "SIP:b.example"),
            ),
            ("example.com", "b.example"),
        ),
        ((("URI", "sip:[2001:db8::1]:5061"),), ("2001:db8::1",)),
        ((("URI", "sip:alice@example.com"), ("DNS", "a.example")), ("a.example",)),
        ((("URI", "https://example.com"),), ()),
        ((("IP Address", "192.0.2.1"),), ()),
        ((("DNS", "a.example"), ("DNS", "A.example")), ("a.example",)),
    ],
)
def test_the_names_of_a_certificate(
    alternatives: tuple[tuple[str, str], ...], names: tuple[str, ...]
) -> None:
    certificate: Mapping[str, Any] = {"subject": _SUBJECT}
    if alternatives:
        certificate = {**certificate, "subjectAltName": alternatives}
    assert certificate_names(certificate) == names


@pytest.mark.parametrize(
    ("name", "wildcards", "expected"),
    [
        ("Sip.example.com.", False, True),
        ("example.com", False, False),
        ("a.sip.example.com", False, False),
        ("x.carrier.net", False, False),
        ("x.carrier.net", True, True),
        ("a.x.carrier.net", True, False),
        ("carrier.net", True, False),
        ("192.0.2.1", False, True),
        ("2001:db8::1", False, True),
        ("192.0.2.2", False, False),
        ("", True, False),
    ],
)
def test_whom_a_certificate_is_for(name: str, wildcards: bool, expected: bool) -> None:
    certificate = {
        "subjectAltName": (
            ("DNS", "sip.example.com"),
            ("DNS", "*.carrier.net"),
            ("DNS", "*.net"),
            ("IP Address", "192.0.2.1"),
            ("IP Address", "2001:DB8:0:0:0:0:0:1"),
        )
    }
    assert is_named(certificate, name, wildcards=wildcards) is expected


def test_no_wildcard_stands_for_a_whole_top_level_domain() -> None:
    assert not is_named({"subjectAltName": (("DNS", "*.net"),)}, "carrier.net", wildcards=True)


def test_a_certificate_says_when_it_ends(authority: Authority) -> None:
    contexts = TlsContexts(authority.config(authority.issue("bot")))
    assert contexts.not_after is not None
    assert contexts.not_after > datetime.now(UTC)
    assert TlsContexts(authority.config()).not_after is None


def test_without_a_certificate_nothing_is_served(authority: Authority) -> None:
    with pytest.raises(CertificateProblem, match="needs a certificate"):
        TlsContexts(authority.config()).server_session()


def test_problems_name_the_file(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.issue("good"), authority.issue("other")
    junk, locked = tmp_path / "junk.pem", tmp_path / "locked.key"
    junk.write_text("no certificate")
    locked.write_bytes(key_pem(ec.generate_private_key(ec.SECP256R1()), b"secret"))
    missing = tmp_path / "missing.pem"
    for config, file, reason in (
        (TlsConfig(certificate=missing), missing, "no such file"),
        (TlsConfig(certificate=good.certificate, private_key=missing), missing, "no such file"),
        (TlsConfig(certificate=junk), junk, "no PEM file"),
        (TlsConfig(certificate=good.certificate), good.certificate, "no PEM file"),
        (
            TlsConfig(certificate=good.certificate, private_key=other.private_key),
            good.certificate,
            "not of this certificate",
        ),
        (TlsConfig(certificate=good.certificate, private_key=locked), locked, "encrypted"),
        (TlsConfig(ca=missing), missing, "no such file"),
        (TlsConfig(ca=junk), junk, "no PEM file"),
    ):
        with pytest.raises(CertificateProblem, match=reason) as caught:
            TlsContexts(config)
        assert caught.value.file == str(file)


def test_settings_that_make_no_sense(authority: Authority) -> None:
    issued = authority.issue("bot")
    both = {"certificate": issued.certificate, "private_key": issued.private_key}
    with pytest.raises(CertificateProblem, match="CAs"):
        TlsContexts(TlsConfig(**both, verify_client="required"))
    with pytest.raises(CertificateProblem, match="no cipher"):
        TlsContexts(TlsConfig(ciphers="ROT13"))


def test_a_broken_file_keeps_what_was_loaded(authority: Authority) -> None:
    issued = authority.issue("bot")
    contexts = TlsContexts(authority.config(issued))
    before = contexts.server, contexts.client, contexts.config, contexts.not_after
    issued.certificate.write_text("half written")
    with pytest.raises(CertificateProblem):
        contexts.reload()
    assert (contexts.server, contexts.client, contexts.config, contexts.not_after) == before
    authority.issue("bot")
    contexts.reload()
    assert contexts.server is not before[0]


def test_a_client_session_expects_the_name_it_was_asked_for(authority: Authority) -> None:
    contexts = TlsContexts(authority.config())
    flow = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 0), server_name="sip.example.com")
    session = contexts.client_session(flow)
    accepts = session._accepts_peer
    assert accepts is not None
    assert accepts({"subjectAltName": (("DNS", "sip.example.com"),)})
    assert not accepts({"subjectAltName": (("DNS", "example.com"),)})


def test_without_a_name_the_peer_must_be_who_it_was(authority: Authority) -> None:
    contexts = TlsContexts(authority.config())
    known = Flow(
        "tls", ("192.0.2.1", 5061), ("192.0.2.9", 0), peer_names=("a.example", "b.example")
    )
    accepts = contexts.client_session(known)._accepts_peer
    assert accepts is not None
    assert accepts({"subjectAltName": (("DNS", "b.example"),)})
    assert not accepts({"subjectAltName": (("IP Address", "192.0.2.1"),)})
    accepts = contexts.client_session(
        Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 0))
    )._accepts_peer
    assert accepts is not None
    assert accepts({"subjectAltName": (("IP Address", "192.0.2.1"),)})
    assert not accepts({"subjectAltName": (("DNS", "b.example"),)})
