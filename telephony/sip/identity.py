"""Whether a caller is who the Identity header says (RFC 8224 section 6.2, RFC 8588)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from telephony.sip.message import HeaderView
from telephony.sip.passport import (
    Attestation,
    Invalid,
    Passport,
    Subject,
    compact_signing_input,
    parse_identity,
    subject_of,
)
from telephony.sip.trust_anchors import Credential, TrustAnchors, UntrustedError

__all__ = ["Invalid", "Passport", "Verified", "Verifier", "VerifierConfig", "parse_identity"]

# Each one asks for a certificate from elsewhere and costs a signature.
_MAX_PASSPORTS: Final = 4
_MAX_HEADERS: Final = 16
_ES256: Final = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class VerifierConfig:
    """``roots_pem``: the authorities that are believed, PEM, one after the other.

    ``max_age_s`` is how far ``iat`` may be from now, in both directions (RFC 8224 section 6.2
    recommends 60). ``require_tn_auth_list``: a certificate without one is not STIR's.
    """

    roots_pem: bytes = b""
    max_age_s: float = 60.0
    require_tn_auth_list: bool = True


@dataclass(frozen=True, slots=True)
class Verified:
    """The signature holds and the claims are those of the call.

    ``attestation`` is "" for a PASSporT that is not SHAKEN's: it attests the caller's number, but
    not what the signer knows of the caller. ``provider_codes`` say who signed.
    """

    attestation: Attestation | Literal[""]
    origid: str = ""
    provider_codes: tuple[str, ...] = ()


@dataclass(slots=True)
class VerifierStats:
    """Counters of verify() and precheck(): how often each outcome was found."""

    verified: int = 0
    stale: int = 0
    untrusted: int = 0
    invalid: int = 0


def read_identities(headers: HeaderView) -> list[Passport | Invalid]:
    """Read the Identity headers of a request, those of unknown extensions left out.

    An empty list means that the request has no Identity header (428 where one is required).
    """
    date = headers.get("Date", "")
    found = (parse_identity(value, date) for value in headers.get_all("Identity")[:_MAX_HEADERS])
    return list(islice((item for item in found if item is not None), _MAX_PASSPORTS))


class Verifier:
    """Checks PASSporTs. Nothing that comes from outside makes it raise."""

    def __init__(self, config: VerifierConfig) -> None:
        """Raises ValueError when the roots cannot be read."""
        self._config = config
        self._anchors = TrustAnchors(
            config.roots_pem, require_tn_auth_list=config.require_tn_auth_list
        )
        self.stats = VerifierStats()

    def precheck(
        self, passport: Passport, caller: str, called: str, wall_clock_s: float
    ) -> Invalid | None:
        """Return what is wrong with the claims alone, so that no certificate has to be fetched."""
        invalid = self._check_claims(passport, caller, called, wall_clock_s)
        return self._count(invalid) if invalid is not None else None

    def verify(
        self, passport: Passport, chain: bytes, caller: str, called: str, wall_clock_s: float
    ) -> Verified | Invalid:
        """Check claims, certificate and signature.

        ``chain`` is what ``passport.info`` led to: certificates in PEM, the signer's first.
        ``caller`` and ``called`` are numbers with their country code or URIs, ``wall_clock_s``
        seconds since 1970.
        """
        invalid = self._check_claims(passport, caller, called, wall_clock_s)
        if invalid is not None:
            return self._count(invalid)
        try:
            credential = self._anchors.credential(chain, wall_clock_s)
        except UntrustedError as error:
            return self._count(Invalid(437, str(error)))
        invalid = _check_signature(passport, credential, subject_of(caller), subject_of(called))
        if invalid is not None:
            return self._count(invalid)
        self.stats.verified += 1
        return Verified(passport.attestation, passport.origid, credential.provider_codes)

    def _check_claims(
        self, passport: Passport, caller: str, called: str, wall_clock_s: float
    ) -> Invalid | None:
        issued_at_s = passport.issued_at_s
        if issued_at_s is None:
            return Invalid(403, "no date")
        if abs(wall_clock_s - issued_at_s) > self._config.max_age_s:
            return Invalid(403, f"issued {wall_clock_s - issued_at_s:.0f} s ago")
        if not caller or not called:
            return Invalid(438, "the caller is not known")
        if not passport.compact and passport.orig != subject_of(caller):
            return Invalid(438, "orig is not the caller")
        if not passport.is_for(called):
            return Invalid(438, "dest is not the called")
        return None

    def _count(self, invalid: Invalid) -> Invalid:
        match invalid.status:
            case 403:
                self.stats.stale += 1
            case 437:
                self.stats.untrusted += 1
            case _:
                self.stats.invalid += 1
        return invalid


def _check_signature(
    passport: Passport, credential: Credential, caller: Subject, called: Subject
) -> Invalid | None:
    issued_at_s = passport.issued_at_s or 0
    if not credential.is_valid_at(issued_at_s):
        return Invalid(437, "the certificate was not valid at iat")
    if caller.kind == "tn" and not credential.covers(caller.value):
        return Invalid(437, "the certificate is not for the caller's number")
    signed = passport.signing_input or compact_signing_input(
        passport.info, caller, called, issued_at_s
    )
    r, s = passport.signature[:32], passport.signature[32:]
    signature = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    try:
        credential.key.verify(signature, signed, _ES256)
    except InvalidSignature:
        return Invalid(438, "the signature does not hold")
    return None
