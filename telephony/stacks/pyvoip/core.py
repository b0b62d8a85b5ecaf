"""What both sides of the pyVoIP stack share: legs, dialogs, transactions, outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import sipmessage

from telephony.base.ids import Ids
from telephony.sip.admission import Admission
from telephony.sip.config import UserAgentConfig
from telephony.sip.dialog import Dialog
from telephony.sip.events import CallFailed, Event, InviteCancelled, LegEnded
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.gate import Gate
from telephony.sip.message import DialogKey
from telephony.sip.routing import response_flow, via_value
from telephony.sip.source_guard import SourceGuard
from telephony.sip.stateless import answerable_via, write_stateless
from telephony.sip.stats import UserAgentStats
from telephony.sip.status import reason_phrase
from telephony.sip.timers import TimerQueue
from telephony.sip.transaction import ServerTransaction, TransactionLayer
from telephony.sip.writer import HeaderLines, RequestParts
from telephony.stacks.pyvoip.completing import complete_response
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.leg import Leg, LegState

_T = TypeVar("_T")

OnFault = Callable[[Exception], None]
"""Is told what pyVoIP raised; it was counted already."""


@dataclass(slots=True)
class PyvoipStats:
    """``faults`` are exceptions of pyVoIP, by their names; each cost one message or one call."""

    faults: Counter[str] = field(default_factory=Counter)


class Core:
    """Tables and outputs, and the one door through which pyVoIP is entered."""

    def __init__(
        self,
        config: UserAgentConfig,
        ids: Ids,
        admission: Admission | None = None,
        guard: SourceGuard | None = None,
        on_fault: OnFault = lambda error: None,
    ) -> None:
        self._on_fault = on_fault
        self.config = config
        self.ids = ids
        self.gate = Gate(admission, guard)
        self.secret = ids.token(16).encode()
        self.stats = UserAgentStats()
        self.pyvoip_stats = PyvoipStats()
        self.timers = TimerQueue()
        self.outbox: list[Outgoing] = []
        self.events: list[Event] = []
        self.legs: dict[str, Leg] = {}
        self.dialogs: dict[DialogKey, Leg] = {}
        self.transactions = TransactionLayer(config.timers, self.timers, self.outbox, self.stats)

    def enter(self, call: Callable[[], _T]) -> _T | None:
        """Return what ``call`` into pyVoIP returns; None, and counted, when pyVoIP fails.

        pyVoIP raises whatever Python does with what it did not expect: that may cost the message
        or the call at hand, and nothing else.
        """
        try:
            return call()
        except Exception as error:
            self.pyvoip_stats.faults[type(error).__name__] += 1
            self._on_fault(error)
            return None

    # Legs

    def find_leg(self, leg_id: str) -> Leg | None:
        """Return a leg that is not over; None when the peer was faster than our command."""
        leg = self.legs.get(leg_id)
        if leg is None:
            self.stats.commands_too_late += 1
        return leg

    def enter_dialog(self, leg: Leg, dialog: Dialog) -> None:
        leg.dialog = dialog
        self.dialogs[dialog.key] = leg

    def end_leg(self, leg: Leg, event: LegEnded | InviteCancelled | CallFailed) -> None:
        """Report the end once; the dialog stays for the BYE until ``forget``."""
        leg.state = LegState.ENDING
        leg.stop_timers()
        if self.legs.pop(leg.leg_id, None) is not None:
            self.events.append(event)

    def forget(self, leg: Leg) -> None:
        """Take the dialog out of the table; nothing of the leg is sent any more."""
        leg.stop_timers()
        leg.stop_repeating()
        if leg.dialog is not None and self.dialogs.get(leg.dialog.key) is leg:
            del self.dialogs[leg.dialog.key]

    # Messages

    def new_branch(self) -> str:
        return f"z9hG4bK{self.ids.token()}"

    def parts_in(
        self, dialog: Dialog, method: str, cseq: int, branch: str
    ) -> tuple[RequestParts, Flow]:
        """Return what a request within ``dialog`` says of itself, and where it goes."""
        uri, routes, flow = dialog.request_path(self.config.symmetric_signalling)
        parts = RequestParts(
            method=method,
            uri=uri,
            via=via_value(self.config, flow, branch),
            routes=routes,
            from_value=dialog.local_value,
            to_value=dialog.remote_value,
            call_id=dialog.call_id,
            cseq=cseq,
        )
        return parts, flow

    def respond(
        self,
        transaction: ServerTransaction,
        draft: Draft,
        now: float,
        headers: HeaderLines = (),
        *,
        in_dialog: bool = False,
    ) -> bytes:
        """Send what pyVoIP answers; returns the octets."""
        data = complete_response(draft, transaction, self.config, headers, in_dialog=in_dialog)
        transaction.respond(int(draft.start_line.split(" ")[1]), data, now)
        return data

    def refuse(
        self, transaction: ServerTransaction, status: int, now: float, headers: HeaderLines = ()
    ) -> None:
        """Answer what pyVoIP has no answer to: it knows no OPTIONS, and no status but 486."""
        if status >= 300:
            self.stats.refused[status] += 1
        transaction.local_tag = transaction.local_tag or self.ids.token()
        draft = Draft(f"SIP/2.0 {status} {reason_phrase(status)}\r\n\r\n")
        self.respond(transaction, draft, now, headers)

    def refuse_statelessly(
        self,
        status: int,
        method: str,
        headers: sipmessage.Headers,
        flow: Flow,
        extra: HeaderLines = (),
    ) -> None:
        """Answer a request that gets no transaction, if it can be answered at all."""
        via = answerable_via(method, headers)
        if via is None:
            return
        self.stats.refused[status] += 1
        data = write_stateless(status, via, headers, flow.remote, self.secret, extra)
        self.transactions.send(data, response_flow(via, flow, self.config.symmetric_signalling))
