"""A registration as PJSIP does it: one account for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow


@dataclass(frozen=True, slots=True)
class RegistrationState:
    """The outcome of a REGISTER: 408 or 503 without ``message`` when nobody answered."""

    status: int
    reason: str
    expires_s: int = 0
    message: bytes = field(default=b"", repr=False)

    @property
    def is_fault_of_server(self) -> bool:
        """True when another server may do better."""
        return self.status in (0, 408) or 500 <= self.status < 600


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """Who registers where, and over which flow."""

    address_of_record: str
    registrar_uri: str
    flow: Flow
    routes: tuple[str, ...] = ()
    credentials: Credentials | None = None
    expires_s: int = 3600


OnState = Callable[[RegistrationState], None]
