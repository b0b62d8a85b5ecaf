"""Certificates made for a test: an authority of its own, and what it signs."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telephony.net.tls import TlsConfig, VerifyClient

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, in PEM files."""

    certificate: Path
    private_key: Path


class Authority:
    """Signs certificates and writes them, with their keys, into ``directory``."""

    def __init__(self, directory: Path, name: str = "test authority") -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        own = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.path = directory / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        dns: Sequence[str] = (),
        uris: Sequence[str] = (),
        addresses: Sequence[str] = (),
        expired: bool = False,
    ) -> Issued:
        """Write ``<name>.pem`` and ``<name>.key``; without names it has a common name only."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_common_name(name), self._name, key.public_key(), expired=expired)
        names: list[x509.GeneralName] = [
            *map(x509.DNSName, dns),
            *map(x509.UniformResourceIdentifier, uris),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
        ]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        issued = Issued(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        certificate = builder.sign(self._key, hashes.SHA256())
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.private_key.write_bytes(key_pem(key))
        return issued

    def config(self, issued: Issued | None = None, verify_client: VerifyClient = "no") -> TlsConfig:
        """Return the settings of an end that trusts this authority."""
        return TlsConfig(
            certificate=issued.certificate if issued else None,
            private_key=issued.private_key if issued else None,
            ca=self.path,
            verify_client=verify_client,
        )


def key_pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        protection = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    expired: bool = False,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now - _DAY if expired else now + 30 * _DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * _DAY)
        .not_valid_after(end)
    )
