"""What both sides of the user agent share: legs, dialogs, outputs."""

from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sip.config import UserAgentConfig
from telephony.sip.dialog import Dialog
from telephony.sip.events import CallFailed, InviteCancelled, LegEnded
from telephony.sip.flow import Flow
from telephony.sip.leg import Leg, LegState
from telephony.sip.routing import contact_value
from telephony.sip.size_switch import SizeSwitch
from telephony.sip.status import ALLOW
from telephony.sip.tables import Tables
from telephony.sip.transaction import ServerTransaction
from telephony.sip.writer import HeaderLines, response_head, write_response


class Agent(Tables[Leg]):
    """Tables and outputs of our own user agent, and how it answers a request."""

    __slots__ = ("size_switch",)

    def __init__(self, config: UserAgentConfig, ids: Ids) -> None:
        super().__init__(config, ids)
        self.size_switch = SizeSwitch(config, self.stats)

    def enter_early_dialog(self, leg: Leg, dialog: Dialog) -> None:
        """Let requests of a callee find the leg before the answer."""
        leg.early_dialogs[dialog.remote_tag] = dialog
        self.dialogs[dialog.key] = leg

    def leave_early_dialog(self, leg: Leg, dialog: Dialog) -> None:
        if leg.early_dialogs.pop(dialog.remote_tag, None) is not None:
            self.dialogs.pop(dialog.key, None)

    def disconnect(self, flow: Flow) -> None:
        """Note that the connection of ``flow`` is gone: requests need another one."""
        for (_, _, remote_tag), leg in self.dialogs.items():
            dialog = leg.find_dialog(remote_tag)
            if dialog is not None and dialog.flow == flow:
                dialog.connected = False

    def end_leg(self, leg: Leg, event: LegEnded | InviteCancelled | CallFailed) -> None:
        """Report the end once; the dialog stays for the BYE until ``forget``."""
        leg.state = LegState.ENDING
        leg.stop_timers()
        leg.stop_retrying()
        leg.stop_referring()
        leg.session.stop()
        if leg.dialog is not None:
            leg.dialog.over = True
        if self.legs.pop(leg.leg_id, None) is not None:
            self.events.append(event)

    def forget_early(self, leg: Leg, now: float) -> None:
        """Forget a leg that was never up, after the PRACK that may be on its way (RFC 3262)."""
        if leg.reliable is None or not leg.reliable.pending:
            self.forget(leg)
            return
        due = now + self.config.timers.give_up_s
        self.timers.schedule(due, lambda _now: self.forget(leg))

    def write(
        self,
        transaction: ServerTransaction,
        status: int,
        headers: HeaderLines = (),
        body: bytes = b"",
        reason: str = "",
    ) -> bytes:
        """Write a response; every one but 100 carries the transaction's To tag."""
        request = transaction.request
        if not transaction.head:
            transaction.head = response_head(
                request.via, request.via_lines[1:], request.flow.remote, request.headers
            )
        to_value = request.to_value
        if status == 100:
            stamp = request.headers.get("Timestamp")
            headers = (*headers, ("Timestamp", stamp)) if stamp else headers
        elif not request.to_tag:
            transaction.local_tag = transaction.local_tag or self.ids.token()
            to_value = f"{to_value};tag={transaction.local_tag}"
        return write_response(status, transaction.head, to_value, headers, body, reason)

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        headers: HeaderLines = (),
        reason: str = "",
    ) -> bool:
        """Answer without a body; False when a final response was already sent."""
        data = self.write(transaction, status, headers, b"", reason)
        return transaction.respond(status, data, now)

    def refuse(
        self, transaction: ServerTransaction, status: int, now: float, headers: HeaderLines = ()
    ) -> None:
        """Answer on our own with an error, and count it."""
        self.stats.refused[status] += 1
        self.respond(transaction, status, now, headers)

    def dialog_headers(self, transaction: ServerTransaction, dialog: Dialog) -> HeaderLines:
        """Return the headers of a response that makes or refreshes a dialog (section 12.1.1)."""
        routes = transaction.request.headers.getlist("Record-Route")
        contact = contact_value(self.config, transaction.flow, dialog.secure)
        return (*(("Record-Route", route) for route in routes), ("Contact", contact), ALLOW)
