"""What it takes to place a call, as the layers above ask for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from telephony.base.errors import TelephonyError
from telephony.base.interfaces import Leg, LegListener

DialOutcome = Literal["busy", "no_answer", "rejected", "not_found", "unreachable", "failed"]
"""Why nobody answered: 486/600; 408/480/487 or the ringing timeout; 403/603/607 and other
refusals; 404/484/410/604; no trunk or server could be reached; anything else (5xx, 488)."""


class DialFailed(TelephonyError):  # noqa: N818 - what happened, not a fault
    """Nobody answered. ``status`` is the last SIP status, 0 when none came from the network."""

    def __init__(self, outcome: DialOutcome, status: int, reason: str) -> None:
        self.outcome = outcome
        self.status = status
        self.reason = reason
        super().__init__(f"{outcome}: {status} {reason}" if status else f"{outcome}: {reason}")


@dataclass(frozen=True, slots=True)
class DialRequest:
    """A call to be placed.

    ``target`` is a number (``+15550100``) or a SIP URI. ``trunks`` are tried in order; empty means
    every trunk that takes outbound calls, in the order of the configuration. ``caller_id`` is the
    number shown, empty for the trunk's own. ``headers`` are added to the INVITE.
    """

    target: str
    trunks: tuple[str, ...] = ()
    caller_id: str = ""
    caller_name: str = ""
    ring_timeout_s: float = 60.0
    headers: Sequence[tuple[str, str]] = ()


OnLeg = Callable[[Leg], None]
"""Is given a leg that is about to be rung."""


class Dialer(Protocol):
    """Places calls over the trunks."""

    async def dial(
        self, request: DialRequest, listener: LegListener, *, on_leg: OnLeg | None = None
    ) -> Leg:
        """Call until somebody answers; return the answered leg, its media not started by us.

        ``listener`` hears the leg from its first provisional response on, early media included,
        and goes on hearing it. ``on_leg`` is given every leg that is tried, one after the other,
        before the listener hears of it: its media may be started as soon as early media is
        reported. Legs that nobody answered are ended and closed here, and report nothing more.

        A trunk that cannot be reached or is out of service (5xx, 408
        without any answer, its limit of calls) gives way to the next one; what the callee decides
        (busy, declined) does not. Cancelling the task cancels the call. Raises DialFailed.
        """
