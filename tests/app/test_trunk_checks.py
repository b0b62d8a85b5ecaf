from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.settings_sources import LoadedSettings, load_settings
from telephony.app.trunk_checks import check_identity, check_tls, check_trunks, doubts
from telephony.app.trunks import LoadedTrunk
from telephony.dialplan import parse_dialplan
from telephony.sip.credentials import Credentials
from telephony.stacks.trunk import AttestationPolicy, InboundPolicy, Trunk

DIALPLAN = """\
contexts:
  main:
    - name: x
      when: {trunk: "off"}
      do:
        - reject: {status: 486}
"""


def settings(folder: Path, text: str) -> LoadedSettings:
    file = folder / "telephony.yaml"
    file.write_text(text)
    return load_settings(file, {})


def loaded(*trunks: Trunk) -> list[LoadedTrunk]:
    return [LoadedTrunk(trunk.name, f"{trunk.name}.yaml", trunk) for trunk in trunks]


def test_settings_without_tls_are_good(tmp_path: Path) -> None:
    assert list(check_tls(settings(tmp_path, ""))) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sip: {tls_port: 5061}", "TLS needs a certificate"),
        ("tls: {certificate: c}", "no use without its key"),
        ("tls: {verify_client: optional}", "can't be verified without"),
        ("tls: {ca: gone.pem}", "gone.pem"),
    ],
)
def test_what_tls_lacks(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = check_tls(settings(tmp_path, text))
    assert problem in found.message
    assert found.line == 1


def test_an_attestation_needs_roots(tmp_path: Path) -> None:
    trunk = Trunk("t", attestation=AttestationPolicy("tag"))
    (found,) = check_identity(settings(tmp_path, ""), loaded(trunk))
    assert "nobody is trusted to sign" in found.message
    assert list(check_identity(settings(tmp_path, ""), loaded(Trunk("t")))) == []


def test_roots_must_be_certificates(tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("nonsense")
    (found,) = check_identity(settings(tmp_path, "identity: {roots: roots.pem}"), [])
    assert "roots.pem holds no certificates" in found.message


def test_two_trunks_are_not_known_by_the_same(tmp_path: Path) -> None:
    inbound = InboundPolicy(credentials=Credentials("u", "p"), certificate_names=("pbx.example",))
    trunks = loaded(Trunk("a", inbound=inbound), Trunk("b", inbound=inbound))
    text = "tls: {verify_client: required, ca: x}"
    keys = [problem.key for problem in check_trunks(settings(tmp_path, text), trunks)]
    assert keys == ["inbound.authenticate.username", "inbound.certificate_names"]


def test_certificates_that_nobody_asks_for(tmp_path: Path) -> None:
    trunk = Trunk("a", inbound=InboundPolicy(certificate_names=("pbx.example",)))
    (found,) = check_trunks(settings(tmp_path, ""), loaded(trunk))
    assert "nobody looks at" in found.message


def test_doubts(tmp_path: Path) -> None:
    plan = parse_dialplan([("d.yaml", DIALPLAN)], trunks=["off", "udp"])
    trunks = [
        *loaded(Trunk("udp", ("sip:192.0.2.7",))),
        LoadedTrunk("off", "off.yaml", None, enabled=False),
    ]
    found = list(doubts(settings(tmp_path, "sip: {udp_port: null}"), trunks, plan))
    assert "is reached over UDP, and sip.udp_port is null" in found[0].message
    assert "trunk 'off' is not enabled" in found[1].message
