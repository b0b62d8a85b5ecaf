"""PASSporTs in Identity headers (RFC 8224 section 4, RFC 8225, RFC 8588): read, not yet believed.

Two kinds are read: those of SHAKEN, and those without an extension, in full or in compact form.
Others (``div``, ``rph``, ``rcd``) are passed over, as RFC 8224 section 4 asks of who does not
know them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from telephony.sip.header_parameters import split_parameters
from telephony.sip.status import reason_phrase
from telephony.sip.telephone import bare_number, is_telephone, number_of
from telephony.sip.values import read_uri, uri_scheme

MAX_IDENTITY_CHARS: Final = 8_192
_MAX_DESTINATIONS: Final = 64
_MAX_ORIGID_CHARS: Final = 128
_MAX_NUMBER_CHARS: Final = 32
_SIGNATURE_BYTES: Final = 64
_LATEST_S: Final = 253_402_300_799  # the end of the year 9999

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_INFO = re.compile(r"<\s*([!-;=?-~]{1,2048})\s*>")
_DATE = re.compile(
    r"[A-Za-z]{3},\s+(\d{1,2})\s+([A-Za-z]{3})\s+(\d{4})\s+(\d\d):(\d\d):(\d\d)\s+GMT"
)
_MONTHS: Final = "janfebmaraprmayjunjulaugsepoctnovdec"

Attestation = Literal["A", "B", "C"]
_ATTESTATIONS: Final[tuple[Attestation, ...]] = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why an Identity header proves nothing.

    ``status`` is the one of RFC 8224 section 6.2.2, ``phrase`` goes with it into the response;
    ``reason`` says more, for our own eyes.
    """

    status: Literal[403, 436, 437, 438]
    reason: str

    @property
    def phrase(self) -> str:
        return "Stale Date" if self.status == 403 else reason_phrase(self.status)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who calls or is called in the canonical form of RFC 8224 section 8: a number or a URI."""

    kind: Literal["tn", "uri"]
    value: str


@dataclass(frozen=True, slots=True)
class Passport:
    """A PASSporT as it was read.

    ``info`` is where its certificate is. ``signing_input`` is what the signature is over, empty in
    the compact form, whose claims are those of the request around it. ``issued_at_s`` is ``iat``,
    in the compact form the Date header, None without one. ``attestation`` and ``origid`` are ""
    when it is not SHAKEN's.
    """

    info: str
    signature: bytes
    signing_input: bytes = b""
    orig: Subject | None = None
    dest: frozenset[Subject] = frozenset()
    issued_at_s: int | None = None
    attestation: Attestation | Literal[""] = ""
    origid: str = ""

    @property
    def compact(self) -> bool:
        return not self.signing_input

    def is_for(self, called: str) -> bool:
        """True when ``called``, a number or URI, is among the destinations, or none is written."""
        return self.compact or subject_of(called) in self.dest


class _PassportError(Exception):
    def __init__(self, status: Literal[436, 438], reason: str) -> None:
        self.invalid = Invalid(status, reason)
        super().__init__(reason)


def subject_of(text: str) -> Subject:
    """Return the canonical form of a number or a URI (RFC 8224 sections 8.3 and 8.5).

    Numbers lose separators and ``+``: they are expected with their country code. What is no number
    is a URI, of which scheme, user and host count.
    """
    uri = read_uri(text) if ":" in text else None
    number = bare_number(number_of(text) if uri is not None else text)
    if is_telephone(number):
        return Subject("tn", number.removeprefix("+")[:_MAX_NUMBER_CHARS])
    return _uri(text)


def _uri(text: str) -> Subject:
    """A URI that is claimed never turns into a number, whatever its user part looks like."""
    uri = read_uri(text)
    if uri is None or uri_scheme(text) == "tel":
        return Subject("uri", text)
    return Subject("uri", f"{uri_scheme(text)}:{number_of(text)}@{(uri.host or '').lower()}")


def parse_identity(value: str, date: str = "") -> Passport | Invalid | None:
    """Read one Identity value; None when it is of an extension we do not know.

    ``date`` is the Date header of the request, which the compact form relies on.
    """
    if len(value) > MAX_IDENTITY_CHARS:
        return Invalid(438, "the header is too long")
    token, parameters = split_parameters(value)
    ppt = parameters.get("ppt", "").lower()
    if ppt not in ("", "shaken"):
        return None
    try:
        return _parse(token, parameters, ppt, date)
    except _PassportError as error:
        return error.invalid
    except _UnknownExtensionError:
        return None


class _UnknownExtensionError(Exception):
    """The PASSporT names an extension that its header parameters do not."""


def _parse(token: str, parameters: dict[str, str], ppt: str, date: str) -> Passport:
    info = _INFO.fullmatch(parameters.get("info", ""))
    if parameters.get("alg", "ES256").upper() != "ES256":
        raise _PassportError(438, "the algorithm is not ES256")
    segments = token.split(".")
    if len(segments) != 3:
        raise _PassportError(438, "there are not three segments")
    if info is None:
        raise _PassportError(436, "there is no URI of the certificate")
    signature = _decoded(segments[2])
    if len(signature) != _SIGNATURE_BYTES:
        raise _PassportError(438, "the signature has not 64 octets")
    if not segments[0] and not segments[1]:
        if ppt:  # RFC 8588 defines none: attestation and origid could not be known.
            raise _PassportError(438, "a SHAKEN PASSporT in compact form")
        return Passport(info[1], signature, issued_at_s=parse_date(date))
    header, claims = _object(segments[0]), _object(segments[1])
    is_shaken = _check_header(header, info[1], ppt)
    signing_input = f"{segments[0]}.{segments[1]}".encode()
    return _with_claims(info[1], signature, signing_input, claims, is_shaken)


def _check_header(header: dict[str, Any], info: str, ppt: str) -> bool:
    """Check the JOSE header against the parameters; return whether it is SHAKEN's."""
    own = header.get("ppt", "")
    if not isinstance(own, str) or (ppt and own != ppt):
        raise _PassportError(438, "ppt differs from the header's")
    if own not in ("", "shaken"):
        raise _UnknownExtensionError
    if header.get("typ") != "passport" or header.get("alg") != "ES256":
        raise _PassportError(438, "not a PASSporT with ES256")
    if "crit" in header:
        raise _PassportError(438, "critical members that we do not know")
    if header.get("x5u") != info:
        raise _PassportError(436, "x5u and info differ")
    return own == "shaken"


def _with_claims(
    info: str, signature: bytes, signing_input: bytes, claims: dict[str, Any], is_shaken: bool
) -> Passport:
    orig = _one_subject(claims.get("orig"))
    dest = frozenset(_destinations(claims.get("dest")))
    passport = Passport(info, signature, signing_input, orig, dest, _seconds(claims.get("iat")))
    return _with_attestation(passport, claims) if is_shaken else passport


def _with_attestation(passport: Passport, claims: dict[str, Any]) -> Passport:
    """RFC 8588 sections 4 and 5."""
    attestation, origid = claims.get("attest"), claims.get("origid")
    if passport.orig is None or passport.orig.kind != "tn":
        raise _PassportError(438, "orig is not a number")
    if not isinstance(origid, str) or not 0 < len(origid) <= _MAX_ORIGID_CHARS:
        raise _PassportError(438, "bad origid")
    for known in _ATTESTATIONS:
        if attestation == known:
            return replace(passport, attestation=known, origid=origid)
    raise _PassportError(438, "attest is not A, B or C")


def _one_subject(claim: object) -> Subject:
    """RFC 8225 section 5.2.1: one number or one URI."""
    if isinstance(claim, dict) and len(claim) == 1:
        match claim:
            case {"tn": str(number)}:
                return _number(number)
            case {"uri": str(uri)}:
                return _uri(uri)
    raise _PassportError(438, "bad orig")


def _destinations(claim: object) -> Iterable[Subject]:
    if not isinstance(claim, dict):
        raise _PassportError(438, "bad dest")
    numbers, uris = claim.get("tn", []), claim.get("uri", [])
    if not isinstance(numbers, list) or not isinstance(uris, list):
        raise _PassportError(438, "bad dest")
    if not 1 <= len(numbers) + len(uris) <= _MAX_DESTINATIONS:
        raise _PassportError(438, "no destination, or too many")
    if not all(isinstance(item, str) for item in (*numbers, *uris)):
        raise _PassportError(438, "bad dest")
    return [_number(number) for number in numbers] + [_uri(uri) for uri in uris]


def _number(text: str) -> Subject:
    subject = subject_of(text)
    if ":" in text or subject.kind != "tn" or len(text) > _MAX_NUMBER_CHARS:
        raise _PassportError(438, "bad tn")
    return subject


def _seconds(claim: object) -> int:
    """NumericDate (RFC 7519 section 2); a fraction is cut off."""
    if isinstance(claim, bool) or not isinstance(claim, (int, float)):
        raise _PassportError(438, "bad iat")
    if not 0 <= claim <= _LATEST_S:
        raise _PassportError(438, "bad iat")
    return int(claim)


def _object(segment: str) -> dict[str, Any]:
    try:
        found = json.loads(
            _decoded(segment), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise _PassportError(438, "not JSON") from None
    if not isinstance(found, dict):
        raise _PassportError(438, "not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 7515 section 4: which of two members counts must not be a matter of taste."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _decoded(segment: str) -> bytes:
    """Decode base64url without padding, nothing else (RFC 7515 section 2)."""
    if _SEGMENT.fullmatch(segment) is None:
        raise _PassportError(438, "not base64url")
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        raise _PassportError(438, "not base64url") from None


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact_signing_input(info: str, orig: Subject, dest: Subject, issued_at_s: int) -> bytes:
    """Return what the signature of a compact form is over (RFC 8224 section 4.1.1).

    Members stand in lexicographic order without white space (RFC 8225 section 9).
    """
    header = {"alg": "ES256", "typ": "passport", "x5u": info}
    claims = {
        "dest": {dest.kind: [dest.value]},
        "iat": issued_at_s,
        "orig": {orig.kind: orig.value},
    }
    parts = (
        json.dumps(part, separators=(",", ":"), ensure_ascii=False) for part in (header, claims)
    )
    return ".".join(encoded(part.encode("utf-8", "replace")) for part in parts).encode()


def parse_date(text: str) -> int | None:
    """Read a Date header (RFC 3261 section 20.17) as seconds since 1970; None when it is none."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    day, month_name, year, hour, minute, second = match.groups()
    at = _MONTHS.find(month_name.lower())
    if at % 3:  # no month, or no beginning of one
        return None
    month = at // 3 + 1
    try:
        moment = datetime(
            int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    return max(0, int(moment.timestamp()))
