"""Looks at the signatures of calls whose trunk wants that (STIR/SHAKEN)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import structlog

from telephony.app.settings import Identity
from telephony.base.interfaces import CannotAnswer, LegFacts
from telephony.net.certificates import CertificateConfig, CertificateFetcher
from telephony.net.clock import utc_now
from telephony.sip.caller_id import asserted_identity
from telephony.sip.events import InviteReceived
from telephony.sip.identity import Verifier, VerifierConfig
from telephony.stacks.identity_check import IdentityCheck, IdentityPolicy, IdentityRefused
from telephony.stacks.trunks.directory import TrunkDirectory

log = structlog.get_logger()


class IdentityScreen:
    """A :class:`telephony.stacks.peer_policy.CallScreen` with the attestation of each trunk.

    Raises OSError or ValueError when the roots can't be read.
    """

    def __init__(self, settings: Identity, directory: TrunkDirectory) -> None:
        roots = Path(settings.roots).read_bytes() if settings.roots is not None else b""
        verifier = Verifier(VerifierConfig(roots_pem=roots, max_age_s=settings.max_age_s))
        self._directory = directory
        self.certificates = CertificateFetcher(
            CertificateConfig(
                allowed_hosts=tuple(host.lower() for host in settings.allowed_hosts),
                timeout_s=settings.fetch_timeout_s,
            )
        )
        self._check = IdentityCheck(verifier, self.certificates)

    @property
    def counters(self) -> Mapping[str, object]:
        """Return the ``stats`` of the parts by what they are called in metrics."""
        return {"identity": self._check.stats, "certificates": self.certificates.stats}

    def concerns(self, facts: LegFacts) -> bool:
        trunk = self._directory.trunks.get(facts.trunk)
        return trunk is not None and trunk.attestation.mode != "off"

    async def check(self, event: InviteReceived, facts: LegFacts) -> LegFacts:
        """Return the facts with the call's attestation; raises CannotAnswer below the minimum."""
        trunk = self._directory.trunks[facts.trunk]
        wanted = trunk.attestation
        plan = self._directory.plan(trunk.name)
        # What is signed is the number, also that of a caller who withholds it from people.
        caller = asserted_identity(event.headers, trunk.inbound.trust_identity).number
        result = await self._check.check(
            event.headers,
            caller,
            facts.called,
            IdentityPolicy(wanted.mode, wanted.minimum, wanted.missing_is or ""),
            utc_now().timestamp(),
            plan=plan,
        )
        if isinstance(result, IdentityRefused):
            log.warning(
                "identity.refused", trunk=trunk.name, status=result.status, reason=result.detail
            )
            raise CannotAnswer(result.status, result.reason)
        if result.failure is not None:
            log.info("identity.failed", trunk=trunk.name, reason=result.failure.phrase)
        return replace(facts, attestation=result.attestation)

    async def close(self) -> None:
        await self.certificates.close()
