"""One call leg: a dialog and the INVITEs in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from telephony.sip.dialog import Dialog
from telephony.sip.flow import Outgoing
from telephony.sip.message import list_values
from telephony.sip.session_timer import SessionTimer
from telephony.sip.timers import TimerHandle

if TYPE_CHECKING:
    import sipmessage

    from telephony.sip.invite_attempt import InviteAttempt
    from telephony.sip.offers import PendingOffer
    from telephony.sip.refer import Referral, Referred
    from telephony.sip.reliable import ReliableResponses
    from telephony.sip.transaction import ServerTransaction
    from telephony.sip.update import UpdateAttempt
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
    ``early_dialogs`` are those of callees that did not answer yet, by their tag.
    ``peer`` is the name under which admission knows the other side. ``referral`` is a REFER of ours
    under way, ``referred`` one of theirs.

    ``local_sdp`` and ``remote_sdp`` are the descriptions in force, ``agreed`` says that an offer
    was answered in a message that cannot get lost. ``offered`` is an offer of the peer in an UPDATE
    or PRACK, ``updating`` our UPDATE under way, ``reliable`` what was sent reliably for the first
    INVITE, ``held_answer`` the description of a 2xx that waits for a PRACK. ``peer_methods`` are
    those of the peer's last Allow, in upper case.
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
    early_dialogs: dict[str, Dialog] = field(default_factory=dict)
    peer: str = ""
    referral: Referral | None = None
    referred: Referred | None = None
    refers_seen: int = 0
    local_sdp: bytes = b""
    remote_sdp: bytes = b""
    agreed: bool = False
    offered: PendingOffer | None = None
    updating: UpdateAttempt | None = None
    reliable: ReliableResponses | None = None
    held_answer: bytes | None = None
    session: SessionTimer = field(default_factory=SessionTimer)
    peer_methods: frozenset[str] = frozenset()

    def find_dialog(self, remote_tag: str) -> Dialog | None:
        """Return the dialog with the peer of that tag, early ones included."""
        dialog = self.dialog
        if dialog is not None and dialog.remote_tag == remote_tag:
            return dialog
        return self.early_dialogs.get(remote_tag)

    def has(self, dialog: Dialog) -> bool:
        """Return False for a dialog whose callee is out of the race: another one answered."""
        return self.find_dialog(dialog.remote_tag) is dialog

    @property
    def call_id(self) -> str:
        if self.dialog is not None:
            return self.dialog.call_id
        return self.outgoing.request.parts.call_id if self.outgoing is not None else ""

    @property
    def invite_in_progress(self) -> bool:
        return self.incoming is not None or self.outgoing is not None or bool(self.unacked)

    @property
    def awaits_their_answer(self) -> bool:
        """An offer of ours is under way: one of theirs is a collision (491)."""
        if self.outgoing is not None and not (self.state is LegState.CALLING and self.agreed):
            return True
        if self.updating is not None and self.updating.sdp is not None:
            return True
        if self.reliable is not None and self.reliable.offering:
            return True
        return any(unacked.offered for unacked in self.unacked.values())

    @property
    def awaits_our_answer(self) -> bool:
        """The peer's last offer is not answered: another one comes too early (500)."""
        if self.offered is not None:
            return True
        return self.incoming is not None and not (self.state is LegState.INCOMING and self.agreed)

    def agree(self, local: bytes | None = None, remote: bytes | None = None) -> None:
        """Note which descriptions are in force; None or empty: as before."""
        self.agreed = True
        self.local_sdp = local or self.local_sdp
        self.remote_sdp = remote or self.remote_sdp

    def learn(self, headers: sipmessage.Headers) -> None:
        """Take over what the peer says it can do."""
        if headers.get("Allow") is not None:
            methods = list_values(headers, "Allow")
            self.peer_methods = frozenset(method.upper() for method in methods)

    def stop_timers(self) -> None:
        """Stop the timers of an INVITE that has its final response."""
        if self.reliable is not None:
            self.reliable.stop()
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
