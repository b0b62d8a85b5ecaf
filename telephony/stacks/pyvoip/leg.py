"""What is known of one call between pyVoIP, its transactions and the layer above."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony.sip.authentication import Authentication
from telephony.sip.dialog import Dialog
from telephony.sip.leg import LegState, Unacked
from telephony.sip.timers import TimerHandle
from telephony.sip.transaction import ServerTransaction
from telephony.sip.writer import HeaderLines
from telephony.stacks.pyvoip.line import Line

if TYPE_CHECKING:
    from telephony.stacks.pyvoip.calling import InviteTry

__all__ = ["Leg", "LegState"]


@dataclass(slots=True, eq=False)
class Leg:
    """``line`` is the call as pyVoIP has it, ``dialog`` where its requests go; ``caller`` says
    that the call is ours.

    ``incoming`` is the peer's INVITE without a final response of ours, ``outgoing`` ours without
    one of theirs. ``unacked`` holds our 2xx by the CSeq of their INVITE; ``bye_headers`` is not
    None while a BYE waits for the ACK. ``handles`` are the timers of an INVITE that is open,
    ``last_provisional`` is repeated for proxies.
    """

    leg_id: str
    state: LegState
    line: Line
    call_id: str
    caller: bool = False
    dialog: Dialog | None = None
    incoming: ServerTransaction | None = None
    outgoing: InviteTry | None = None
    confirmed: bool = False
    unacked: dict[int, Unacked] = field(default_factory=dict)
    bye_headers: HeaderLines | None = None
    authentication: Authentication | None = None
    last_provisional: bytes = b""
    handles: list[TimerHandle] = field(default_factory=list)
    peer_methods: frozenset[str] = frozenset()
    """Empty: whatever the peer takes, pyVoIP writes no requests within a call but BYE."""

    @property
    def awaits_answer(self) -> bool:
        """An offer of ours is under way: one of theirs is a collision (491)."""
        return any(unacked.offered for unacked in self.unacked.values())

    def stop_timers(self) -> None:
        """Stop the timers of an INVITE that has its final response."""
        for handle in self.handles:
            handle.cancel()
        self.handles.clear()

    def stop_repeating(self) -> None:
        """Stop sending every 2xx that is not acknowledged."""
        for unacked in self.unacked.values():
            unacked.stop()
        self.unacked.clear()
