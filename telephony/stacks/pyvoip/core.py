"""What both sides of the pyVoIP stack share: legs, dialogs, transactions, outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from telephony.base.ids import Ids
from telephony.sip.admission import Admission
from telephony.sip.config import UserAgentConfig
from telephony.sip.dialog import Dialog
from telephony.sip.events import CallFailed, InviteCancelled, LegEnded
from telephony.sip.flow import Flow
from telephony.sip.gate import Gate
from telephony.sip.routing import via_value
from telephony.sip.source_guard import SourceGuard
from telephony.sip.status import reason_phrase
from telephony.sip.tables import Tables
from telephony.sip.transaction import ServerTransaction
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


class Core(Tables[Leg]):
    """Tables and outputs, and the one door through which pyVoIP is entered."""

    def __init__(
        self,
        config: UserAgentConfig,
        ids: Ids,
        admission: Admission | None = None,
        guard: SourceGuard | None = None,
        on_fault: OnFault = lambda error: None,
    ) -> None:
        super().__init__(config, ids)
        self._on_fault = on_fault
        self.gate = Gate(admission, guard)
        self.pyvoip_stats = PyvoipStats()

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

    def end_leg(self, leg: Leg, event: LegEnded | InviteCancelled | CallFailed) -> None:
        """Report the end once; the dialog stays for the BYE until ``forget``."""
        leg.state = LegState.ENDING
        leg.stop_timers()
        if self.legs.pop(leg.leg_id, None) is not None:
            self.events.append(event)

    # Messages

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
