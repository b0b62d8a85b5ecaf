"""One call leg: a dialog and the INVITEs in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from telephony.sip.dialog import Dialog
from telephony.sip.flow import Outgoing
from telephony.sip.timers import TimerHandle

if TYPE_CHECKING:
    from telephony.sip.invite_attempt import InviteAttempt
    from telephony.sip.refer import Referral, Referred
    from telephony.sip.transaction import ServerTransaction
    from telephony.sip.writer import HeaderLines


class LegState(Enum):
    INCOMING = auto()
    """Their INVITE waits for our final response."""
    CALLING = auto()
    """Our INVITE waits for theirs."""
    UP = auto()
    """A 2xx was sent or received."""
    ENDING = auto()
    """Over for the layer above; a BYE of ours is on its way or waits for the ACK."""


@dataclass(slots=True)
class Unacked:
    """A 2xx that is repeated until its ACK comes (section 13.3.1.4)."""

    outgoing: Outgoing
    interval_s: float
    give_up_at: float
    offered: bool
    handle: TimerHandle | None = None

    def stop(self) -> None:
        if self.handle is not None:
            self.handle.cancel()


@dataclass(slots=True)
class Leg:
    """State shared by both sides of the user agent.

    ``incoming`` is the peer's INVITE without a final response, ``outgoing`` ours without one (or
    without its ACK). ``unacked`` holds our 2xx by the CSeq of their INVITE. ``bye_headers`` is not
    None when a BYE waits for an ACK. ``last_provisional`` is repeated for proxies. ``caller`` says
    that the leg began with our INVITE. ``retry`` runs while our re-INVITE waits after a collision.
    ``peer`` is the name under which admission knows the other side. ``referral`` is a REFER of ours
    under way, ``referred`` one of theirs.
    """

    leg_id: str
    state: LegState
    caller: bool
    dialog: Dialog | None = None
    incoming: ServerTransaction | None = None
    outgoing: InviteAttempt | None = None
    confirmed: bool = False
    unacked: dict[int, Unacked] = field(default_factory=dict)
    bye_headers: HeaderLines | None = None
    last_provisional: bytes = b""
    offers_answered: int = 0
    handles: list[TimerHandle] = field(default_factory=list)
    retry: TimerHandle | None = None
    peer: str = ""
    referral: Referral | None = None
    referred: Referred | None = None
    refers_seen: int = 0

    @property
    def invite_in_progress(self) -> bool:
        return self.incoming is not None or self.outgoing is not None or bool(self.unacked)

    def stop_timers(self) -> None:
        """Stop the timers of an INVITE that has its final response."""
        for handle in self.handles:
            handle.cancel()
        self.handles.clear()

    def stop_retrying(self) -> None:
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None

    def stop_referring(self) -> None:
        """Forget our REFER and theirs; one that is not answered yet still will be."""
        if self.referral is not None:
            self.referral.stop()
        self.referral = self.referred = None

    def stop_repeating(self) -> None:
        """Stop sending every 2xx that is not acknowledged."""
        for unacked in self.unacked.values():
            unacked.stop()
        self.unacked.clear()
