"""Certificate chains of STIR (RFC 8226) against configured roots (RFC 5280 section 6).

A path is built from the first certificate to a root without turning back, so that a hostile chain
costs little more than a good one. Revocation is not looked up.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID

from telephony.sip.tn_auth_list import (
    TN_AUTH_LIST_OID,
    TnAuthList,
    TnAuthListError,
    parse_tn_auth_list,
)

MAX_CHAIN_BYTES: Final = 65_536
_MAX_CERTIFICATES: Final = 8
_MAX_CACHED: Final = 256
_STRONG_HASHES: Final = frozenset(("sha256", "sha384", "sha512"))
# What may be critical: the rest would have to be understood to be obeyed.
_UNDERSTOOD: Final = frozenset(
    (
        ExtensionOID.BASIC_CONSTRAINTS.dotted_string,
        ExtensionOID.KEY_USAGE.dotted_string,
        ExtensionOID.CERTIFICATE_POLICIES.dotted_string,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string,
        TN_AUTH_LIST_OID,
    )
)
_MALFORMED: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class UntrustedError(Exception):
    """A chain that proves nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that may sign, when it may, and for whom.

    ``valid_from_s`` to ``valid_until_s`` (since 1970) is when every certificate up to the root is
    valid; ``scopes`` are the TNAuthLists on the way, each of which must cover a number.
    """

    key: ec.EllipticCurvePublicKey = field(repr=False)
    valid_from_s: float
    valid_until_s: float
    scopes: tuple[TnAuthList, ...]

    def is_valid_at(self, wall_clock_s: float) -> bool:
        return self.valid_from_s <= wall_clock_s <= self.valid_until_s

    def covers(self, number: str) -> bool:
        return all(scope.covers(number) for scope in self.scopes)

    @property
    def provider_codes(self) -> tuple[str, ...]:
        return self.scopes[0].provider_codes if self.scopes else ()


class TrustAnchors:
    """The roots that are believed; remembers the chains that led to one of them."""

    def __init__(self, roots_pem: bytes, *, require_tn_auth_list: bool = True) -> None:
        """Raises ValueError when ``roots_pem`` is not empty and holds no certificates."""
        roots = x509.load_pem_x509_certificates(roots_pem) if roots_pem.strip() else []
        self._roots = tuple(roots)
        self._require_tn_auth_list = require_tn_auth_list
        self._known: OrderedDict[bytes, Credential] = OrderedDict()

    def credential(self, chain: bytes, wall_clock_s: float) -> Credential:
        """Return the key of the first certificate of ``chain`` (PEM, or one in DER).

        Raises UntrustedError when it does not lead to a root at ``wall_clock_s``.
        """
        digest = hashlib.sha256(chain).digest()
        known = self._known.get(digest)
        if known is None or not known.is_valid_at(wall_clock_s):
            known = self._validate(chain, wall_clock_s)
            self._known[digest] = known
            if len(self._known) > _MAX_CACHED:
                self._known.popitem(last=False)
        self._known.move_to_end(digest)
        return known

    def _validate(self, chain: bytes, wall_clock_s: float) -> Credential:
        try:
            path = self._path(_load(chain))
            key = _signing_key(path[0])
            scopes = tuple(self._scopes(path))
            for depth, certificate in enumerate(path):
                _check(certificate, depth)
            credential = Credential(
                key,
                max(c.not_valid_before_utc.timestamp() for c in path),
                min(c.not_valid_after_utc.timestamp() for c in path),
                scopes,
            )
        except _MALFORMED as error:
            raise UntrustedError(f"malformed: {error}") from None
        if not credential.is_valid_at(wall_clock_s):
            raise UntrustedError("a certificate is not valid now")
        return credential

    def _path(self, chain: list[x509.Certificate]) -> list[x509.Certificate]:
        """Return the certificates from the first of ``chain`` to a root."""
        path, rest = chain[:1], chain[1:]
        while True:
            root = _issuer_of(path[-1], self._roots)
            if root is not None:
                return [*path, root]
            issuer = _issuer_of(path[-1], rest)
            if issuer is None:
                raise UntrustedError("no way to a trusted root")
            rest = [certificate for certificate in rest if certificate is not issuer]
            path.append(issuer)

    def _scopes(self, path: list[x509.Certificate]) -> Iterable[TnAuthList]:
        for depth, certificate in enumerate(path[:-1]):
            scope = _tn_auth_list(certificate)
            if scope is not None:
                yield scope
            elif depth == 0 and self._require_tn_auth_list:
                raise UntrustedError("no TNAuthList")


def _load(chain: bytes) -> list[x509.Certificate]:
    if len(chain) > MAX_CHAIN_BYTES:
        raise UntrustedError("the chain is too long")
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        return [x509.load_der_x509_certificate(chain)]
    if chain.count(b"-----BEGIN") > _MAX_CERTIFICATES:
        raise UntrustedError("too many certificates")
    return x509.load_pem_x509_certificates(chain)


def _issuer_of(
    certificate: x509.Certificate, candidates: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name not in _STRONG_HASHES:
        return None
    for candidate in candidates:
        if candidate.subject == certificate.issuer and candidate != certificate:
            try:
                certificate.verify_directly_issued_by(candidate)
            except (InvalidSignature, *_MALFORMED):
                continue
            return candidate
    return None


def _signing_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UntrustedError("the key is not of the curve P-256")
    return key


def _check(certificate: x509.Certificate, depth: int) -> None:
    """RFC 5280 sections 6.1.4 and 6.1.5; ``depth`` counts from the signer, 0."""
    constraints: x509.BasicConstraints | None = None
    usage: x509.KeyUsage | None = None
    for extension in certificate.extensions:
        if extension.critical and extension.oid.dotted_string not in _UNDERSTOOD:
            raise UntrustedError(f"critical extension {extension.oid.dotted_string}")
        if isinstance(extension.value, x509.BasicConstraints):
            constraints = extension.value
        elif isinstance(extension.value, x509.KeyUsage):
            usage = extension.value
    is_authority = constraints is not None and constraints.ca
    if is_authority != (depth > 0):
        raise UntrustedError("an authority signs calls, or another signs certificates")
    if usage is not None and not (usage.key_cert_sign if depth else usage.digital_signature):
        raise UntrustedError("the key is not for this use")
    limit = constraints.path_length if constraints is not None else None
    if limit is not None and depth - 1 > limit:  # certificates between this and the signer's
        raise UntrustedError("the path is too long")


def _tn_auth_list(certificate: x509.Certificate) -> TnAuthList | None:
    for extension in certificate.extensions:
        value = extension.value
        if not isinstance(value, x509.UnrecognizedExtension):
            continue
        if extension.oid.dotted_string == TN_AUTH_LIST_OID:
            try:
                return parse_tn_auth_list(value.value)
            except TnAuthListError as error:
                raise UntrustedError(f"TNAuthList: {error}") from None
    return None
