"""What a final status of an INVITE means to who placed the call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telephony.base.dialing import DialOutcome

_OUTCOMES: Final[dict[int, DialOutcome]] = {
    486: "busy",
    600: "busy",
    408: "no_answer",
    480: "no_answer",
    487: "no_answer",
    404: "not_found",
    410: "not_found",
    484: "not_found",
    604: "not_found",
    400: "failed",
    # The network wants a login that we do not have: nobody was asked.
    401: "failed",
    407: "failed",
    488: "failed",
    606: "failed",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call was not answered.

    ``status`` is 0 when nothing was sent. ``local``: nobody answered, the status is our own.
    ``progressed``: there was a provisional response above 100, ``rang``: it was a 180.
    ``redirects`` are the Contacts of a 3xx, best first.
    """

    status: int
    reason: str
    local: bool = True
    progressed: bool = False
    rang: bool = False
    redirects: tuple[str, ...] = ()

    @property
    def outcome(self) -> DialOutcome:
        if self.local and not self.progressed:
            return "unreachable"
        return outcome_of(self.status)

    @property
    def server_failed(self) -> bool:
        """True when the next server may do better (RFC 3263 section 4.3).

        Nobody answered, or the server is out of service. Once a telephone rang the callee has
        decided, or was rung long enough.
        """
        return not self.rang and (self.local or 500 <= self.status < 600)

    @property
    def trunk_failed(self) -> bool:
        """True when the next trunk may do better: a server failed, or refused our login."""
        return self.server_failed or (not self.rang and self.status in (401, 407))


def outcome_of(status: int) -> DialOutcome:
    """Return what a status of 300 to 699 means to people.

    A 3xx that is not followed and a 5xx failed; another 4xx or 6xx is a refusal.
    """
    known = _OUTCOMES.get(status)
    if known is not None:
        return known
    return "rejected" if 400 <= status < 500 or status >= 600 else "failed"
