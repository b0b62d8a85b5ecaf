"""Decides about a call by its Identity header: certificate, verification, policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from telephony.net.certificates import CertificateUnavailable
from telephony.sip.identity import Verified, Verifier, read_identities
from telephony.sip.message import HeaderView
from telephony.sip.passport import Attestation, Invalid, Passport
from telephony.sip.reason import Reason
from telephony.sip.status import reason_phrase
from telephony.sip.telephone import is_telephone, number_of
from telephony.sip.values import read_address
from telephony.stacks.numbers import NumberPlan

IdentityMode = Literal["off", "tag", "require"]
Level = Attestation | Literal[""]

_NO_PLAN: Final = NumberPlan()
_STALE: Final = Invalid(403, "").phrase
_TOO_LOW: Final = "Insufficient Attestation"
_RANK: Final[dict[Level, int]] = {"": 0, "C": 1, "B": 2, "A": 3}


class Certificates(Protocol):
    """Where certificates come from; ``net.certificates`` has the one for production."""

    async def fetch(self, url: str) -> bytes:
        """Return the certificate chain at ``url``; raises CertificateUnavailable."""


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """What a trunk asks of the calls that come over it.

    ``off`` looks at nothing. ``tag`` verifies and lets every call in, with its attestation.
    ``require`` refuses calls whose header does not verify or whose attestation is below
    ``minimum`` ("" takes any that verifies). A call without a header counts as ``missing_is``
    there, so ``C`` lets it in where the minimum is C or none; "" refuses it.

    ``accept_to``: the number in To counts as called, too, as RFC 8224 section 4.1 has it. That lets
    calls in that were forwarded to us, and also calls to somebody else that are replayed to us.
    """

    mode: IdentityMode = "off"
    minimum: Level = ""
    missing_is: Level = ""
    accept_to: bool = False


@dataclass(frozen=True, slots=True)
class Attested:
    """The call may come in. ``attestation`` is "" unless a SHAKEN PASSporT verified.

    ``failure`` is why the header proves nothing, for the log; ``verstat`` is what RFC 3966 numbers
    carry for the result (3GPP TS 24.229 section 7.2A.20).
    """

    attestation: Level = ""
    origid: str = ""
    failure: Invalid | None = None
    verified: bool = False

    @property
    def verstat(self) -> str:
        if self.verified:
            return "TN-Validation-Passed"
        return "TN-Validation-Failed" if self.failure else "No-TN-Validation"


@dataclass(frozen=True, slots=True)
class IdentityRefused:
    """The call is to be refused with this status and phrase; ``detail`` is for the log."""

    status: int
    reason: str
    detail: str = ""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """RFC 9410: the failure as a Reason value, which survives where a proxy changes statuses.

        A refusal by policy alone has none.
        """
        if self.status == 403 and self.reason != _STALE:
            return ()
        return (("Reason", str(Reason("STIR", self.status, self.reason))),)


@dataclass(slots=True)
class IdentityCheckStats:
    """Counters of finished checks by outcome."""

    attested_a: int = 0
    attested_b: int = 0
    attested_c: int = 0
    verified_only: int = 0
    missing: int = 0
    failed: int = 0
    refused: int = 0


class IdentityCheck:
    """Checks calls for every trunk with one verifier and one store of certificates."""

    def __init__(self, verifier: Verifier, certificates: Certificates) -> None:
        self._verifier = verifier
        self._certificates = certificates
        self.stats = IdentityCheckStats()

    async def check(
        self,
        headers: HeaderView,
        caller: str,
        called: str,
        policy: IdentityPolicy,
        wall_clock_s: float,
        *,
        plan: NumberPlan | None = None,
    ) -> Attested | IdentityRefused:
        """Return what the Identity headers of an INVITE are worth, and whether it may come in.

        ``caller`` is the asserted number or URI, also of a caller who withholds it. ``plan`` is
        the trunk's: it gives numbers the country code that PASSporTs have. Of several headers the
        best counts, one that verifies is enough (RFC 8224 section 6.2); else the first failure.
        Waits for certificates as long as the fetcher does; raises nothing.
        """
        if policy.mode == "off":
            return Attested()
        plan = plan or _NO_PLAN
        caller, called = _canonical(plan, caller), _canonical(plan, called)
        to = _canonical(plan, _to_uri(headers)) if policy.accept_to else called
        found: Verified | Invalid | None = None
        for passport in read_identities(headers):
            outcome = await self._outcome(passport, caller, (called, to), wall_clock_s)
            found = _better(found, outcome)
            if isinstance(found, Verified) and found.attestation == "A":
                break
        result = _decide(found, policy)
        self._count(result)
        return result

    async def _outcome(
        self,
        passport: Passport | Invalid,
        caller: str,
        candidates: tuple[str, str],
        wall_clock_s: float,
    ) -> Verified | Invalid:
        if isinstance(passport, Invalid):
            return passport
        called, to = candidates
        # What is wrong already is not worth a request to a server of the caller's choice.
        target = called if passport.is_for(called) else to
        invalid = self._verifier.precheck(passport, caller, target, wall_clock_s)
        if invalid is not None:
            return invalid
        try:
            chain = await self._certificates.fetch(passport.info)
        except CertificateUnavailable as error:
            return Invalid(436, str(error))
        return self._verifier.verify(passport, chain, caller, target, wall_clock_s)

    def _count(self, result: Attested | IdentityRefused) -> None:
        stats = self.stats
        if isinstance(result, IdentityRefused):
            stats.refused += 1
        elif result.failure is not None:
            stats.failed += 1
        elif not result.verified:
            stats.missing += 1
        elif result.attestation == "A":
            stats.attested_a += 1
        elif result.attestation == "B":
            stats.attested_b += 1
        elif result.attestation == "C":
            stats.attested_c += 1
        else:
            stats.verified_only += 1


def _better(found: Verified | Invalid | None, other: Verified | Invalid) -> Verified | Invalid:
    if found is None or not isinstance(other, Verified):
        return found or other
    if isinstance(found, Verified) and _RANK[found.attestation] >= _RANK[other.attestation]:
        return found
    return other


def _decide(found: Verified | Invalid | None, policy: IdentityPolicy) -> Attested | IdentityRefused:
    match found:
        case Verified(attestation, origid):
            if policy.mode == "require" and _RANK[attestation] < _RANK[policy.minimum]:
                return _too_low(attestation, policy)
            return Attested(attestation, origid, verified=True)
        case Invalid() as failure:
            if policy.mode == "require":
                return IdentityRefused(failure.status, failure.phrase, failure.reason)
            return Attested(failure=failure)
    if policy.mode == "tag":
        return Attested()
    if not policy.missing_is:
        return IdentityRefused(428, reason_phrase(428), "no Identity header")
    if _RANK[policy.missing_is] < _RANK[policy.minimum]:
        return _too_low(policy.missing_is, policy)
    # It may come in as if it were attested so, but nobody attested it.
    return Attested()


def _too_low(attestation: Level, policy: IdentityPolicy) -> IdentityRefused:
    detail = f"attestation {attestation or 'none'} is below {policy.minimum}"
    return IdentityRefused(403, _TOO_LOW, detail)


def _canonical(plan: NumberPlan, text: str) -> str:
    """Give a number its country code, also one in a URI; other URIs stay."""
    number = number_of(text) if ":" in text else text
    return plan.to_e164(number) if is_telephone(number) else text


def _to_uri(headers: HeaderView) -> str:
    address = read_address(headers.get("To", ""))
    return address.uri if address is not None else ""
