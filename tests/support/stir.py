"""A telephone authority for tests: root, intermediate and signer, and signed Identity headers."""

from __future__ import annotations

import base64
import datetime
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID, ObjectIdentifier

from telephony.sip.passport import encoded
from telephony.sip.tn_auth_list import TN_AUTH_LIST_OID

NOW_S = 1_790_000_000
INFO = "https://certificates.example.org/signer.pem"
CALLER = "+12155550112"
CALLED = "+12155550113"


def der(tag: int, content: bytes) -> bytes:
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(content).to_bytes(size, "big") + content


def provider(code: str) -> bytes:
    return der(0xA0, der(0x16, code.encode()))


def number(digits: str) -> bytes:
    return der(0xA2, der(0x16, digits.encode()))


def block(first: str, count: int) -> bytes:
    size = count.bit_length() // 8 + 1
    content = der(0x16, first.encode()) + der(0x02, count.to_bytes(size, "big", signed=True))
    return der(0xA1, der(0x30, content))


def tn_auth_list(*entries: bytes) -> bytes:
    return der(0x30, b"".join(entries))


def moment(wall_clock_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(wall_clock_s, datetime.UTC)


_OTHER_USAGES = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass
class Certificate:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass
class Making:
    """What a certificate says; the defaults are those of an authority."""

    name: str
    issuer: Certificate | None = None
    ca: bool | None = True
    path_length: int | None = None
    tn_auth: bytes | None = None
    from_s: float = NOW_S - 86_400
    until_s: float = NOW_S + 86_400
    curve: ec.EllipticCurve = field(default_factory=ec.SECP256R1)
    key_usage: bool = True
    can_sign_calls: bool | None = None
    can_sign_certificates: bool | None = None
    critical_oid: str = ""
    digest: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)

    def make(self) -> Certificate:
        key = ec.generate_private_key(self.curve)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        issuer_name = self.issuer.certificate.subject if self.issuer else name
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment(self.from_s))
            .not_valid_after(moment(self.until_s))
        )
        for extension, critical in self._extensions():
            builder = builder.add_extension(extension, critical)
        signing = self.issuer.key if self.issuer else key
        return Certificate(builder.sign(signing, self.digest), key)

    def _extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        found: list[tuple[x509.ExtensionType, bool]] = []
        if self.ca is not None:
            found.append((x509.BasicConstraints(self.ca, self.path_length), True))
        if self.key_usage:
            signs_calls = not self.ca if self.can_sign_calls is None else self.can_sign_calls
            issues = self.can_sign_certificates
            issues = bool(self.ca) if issues is None else issues
            rest = dict.fromkeys(_OTHER_USAGES, False)
            usage = x509.KeyUsage(digital_signature=signs_calls, key_cert_sign=issues, **rest)
            found.append((usage, True))
        if self.tn_auth is not None:
            oid = ObjectIdentifier(TN_AUTH_LIST_OID)
            found.append((x509.UnrecognizedExtension(oid, self.tn_auth), False))
        if self.critical_oid:
            oid = ObjectIdentifier(self.critical_oid)
            found.append((x509.UnrecognizedExtension(oid, b"\x05\x00"), True))
        return found


class Authority:
    """A root, an intermediate below it, and a signer of calls."""

    def __init__(self) -> None:
        self.root = Making("root").make()
        self.intermediate = Making("intermediate", self.root, path_length=0).make()
        self.signer = self.issue()

    def issue(self, **changes: Any) -> Certificate:
        anybody = tn_auth_list(provider("709J"))
        making = Making("signer", self.intermediate, ca=False, tn_auth=anybody)
        for name, value in changes.items():
            setattr(making, name, value)
        return making.make()

    def chain(self, signer: Certificate | None = None) -> bytes:
        return (signer or self.signer).pem + self.intermediate.pem


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good SHAKEN PASSporT; a change to None takes a claim out."""
    found: dict[str, Any] = {
        "attest": "A",
        "dest": {"tn": [CALLED[1:]]},
        "iat": NOW_S,
        "orig": {"tn": CALLER[1:]},
        "origid": "123e4567-e89b-12d3-a456-426655440000",
    }
    found.update(changes)
    return {name: value for name, value in found.items() if value is not None}


def jose(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": INFO}
    found.update(changes)
    return {name: value for name, value in found.items() if value is not None}


def segment(part: Any) -> str:
    text = part if isinstance(part, str) else json.dumps(part, separators=(",", ":"))
    return encoded(text.encode())


def signature(key: ec.EllipticCurvePrivateKey, signed: bytes) -> str:
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def identity(
    signer: Certificate,
    header: Any = None,
    payload: Any = None,
    parameters: str = f";info=<{INFO}>;alg=ES256;ppt=shaken",
) -> str:
    """Return a signed Identity value; ``header`` and ``payload`` may be JSON text, too."""
    header = jose() if header is None else header
    payload = claims() if payload is None else payload
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{signature(signer.key, signed.encode())}{parameters}"


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
