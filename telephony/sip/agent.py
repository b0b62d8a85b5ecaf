"""What both sides of the user agent share: legs, dialogs, outputs."""

from __future__ import annotations

import sipmessage

from telephony.base.ids import Ids
from telephony.sip.config import UserAgentConfig
from telephony.sip.dialog import Dialog
from telephony.sip.events import CallFailed, Event, InviteCancelled, LegEnded
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import DialogKey
from telephony.sip.routing import contact_value, response_flow
from telephony.sip.size_switch import SizeSwitch
from telephony.sip.stateless import answerable_via, write_stateless
from telephony.sip.stats import UserAgentStats
from telephony.sip.status import ALLOW
from telephony.sip.timers import TimerQueue
from telephony.sip.transaction import ServerTransaction, TransactionLayer
from telephony.sip.writer import HeaderLines, response_head, write_response


class Agent:
    """Tables and outputs of one user agent, and how it answers a request."""

    __slots__ = (
        "config",
        "dialogs",
        "events",
        "ids",
        "legs",
        "outbox",
        "secret",
        "size_switch",
        "stats",
        "timers",
        "transactions",
    )

    def __init__(self, config: UserAgentConfig, ids: Ids) -> None:
        self.config = config
        self.ids = ids
        self.secret = ids.token(16).encode()
        self.stats = UserAgentStats()
        self.size_switch = SizeSwitch(config, self.stats)
        self.timers = TimerQueue()
        self.outbox: list[Outgoing] = []
        self.events: list[Event] = []
        self.legs: dict[str, Leg] = {}
        self.dialogs: dict[DialogKey, Leg] = {}
        self.transactions = TransactionLayer(config.timers, self.timers, self.outbox, self.stats)

    def new_branch(self) -> str:
        return f"z9hG4bK{self.ids.token()}"

    def find_leg(self, leg_id: str) -> Leg | None:
        """Return a leg that is not over; None when the peer was faster than our command."""
        leg = self.legs.get(leg_id)
        if leg is None:
            self.stats.commands_too_late += 1
        return leg

    def enter_dialog(self, leg: Leg, dialog: Dialog) -> None:
        leg.dialog = dialog
        self.dialogs[dialog.key] = leg

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

    def forget(self, leg: Leg) -> None:
        """Take the dialog out of the table; nothing of the leg is sent any more."""
        leg.stop_timers()
        leg.stop_repeating()
        if leg.dialog is not None and self.dialogs.get(leg.dialog.key) is leg:
            del self.dialogs[leg.dialog.key]

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
        to_flow = response_flow(via, flow, self.config.symmetric_signalling)
        self.transactions.send(data, to_flow)

    def dialog_headers(self, transaction: ServerTransaction, dialog: Dialog) -> HeaderLines:
        """Return the headers of a response that makes or refreshes a dialog (section 12.1.1)."""
        routes = transaction.request.headers.getlist("Record-Route")
        contact = contact_value(self.config, transaction.flow, dialog.secure)
        return (*(("Record-Route", route) for route in routes), ("Contact", contact), ALLOW)
