"""Legs, dialogs, transactions and outputs of a user agent, whatever its legs are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

import sipmessage

from telephony.base.ids import Ids
from telephony.sip.config import UserAgentConfig
from telephony.sip.dialog import Dialog
from telephony.sip.events import Event
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.leg import Unacked
from telephony.sip.message import DialogKey, IncomingRequest
from telephony.sip.routing import response_flow
from telephony.sip.stateless import answerable_via, write_stateless
from telephony.sip.stats import UserAgentStats
from telephony.sip.timers import TimerQueue
from telephony.sip.transaction import ServerTransaction, TransactionLayer
from telephony.sip.transaction_table import Signal
from telephony.sip.writer import HeaderLines


class TabledLeg(Protocol):
    """What the tables have to know of a leg."""

    dialog: Dialog | None
    unacked: dict[int, Unacked]

    def stop_timers(self) -> None: ...
    def stop_repeating(self) -> None: ...


LegT = TypeVar("LegT", bound=TabledLeg)


class Tables(ABC, Generic[LegT]):
    """``legs`` are those whose end was not reported yet; ``dialogs`` outlive them by a BYE."""

    __slots__ = (
        "config",
        "dialogs",
        "events",
        "ids",
        "legs",
        "outbox",
        "secret",
        "stats",
        "timers",
        "transactions",
    )

    def __init__(self, config: UserAgentConfig, ids: Ids) -> None:
        self.config = config
        self.ids = ids
        self.secret = ids.token(16).encode()
        self.stats = UserAgentStats()
        self.timers = TimerQueue()
        self.outbox: list[Outgoing] = []
        self.events: list[Event] = []
        self.legs: dict[str, LegT] = {}
        self.dialogs: dict[DialogKey, LegT] = {}
        self.transactions = TransactionLayer(config.timers, self.timers, self.outbox, self.stats)

    def new_branch(self) -> str:
        return f"z9hG4bK{self.ids.token()}"

    def find_leg(self, leg_id: str) -> LegT | None:
        """Return a leg that is not over; None when the peer was faster than our command."""
        leg = self.legs.get(leg_id)
        if leg is None:
            self.stats.commands_too_late += 1
        return leg

    def enter_dialog(self, leg: LegT, dialog: Dialog) -> None:
        leg.dialog = dialog
        self.dialogs[dialog.key] = leg

    def forget(self, leg: LegT) -> None:
        """Take the dialog out of the table; nothing of the leg is sent any more."""
        leg.stop_timers()
        leg.stop_repeating()
        if leg.dialog is not None and self.dialogs.get(leg.dialog.key) is leg:
            del self.dialogs[leg.dialog.key]

    def take_ack(self, request: IncomingRequest, now: float) -> tuple[LegT, Unacked] | None:
        """Return the leg whose 2xx an ACK confirms, and that 2xx, which is no longer repeated."""
        transaction = self.transactions.find_server(request, "INVITE")
        # In Accepted the ACK of a 2xx came with the INVITE's branch: it belongs to the dialog.
        if transaction is not None and not transaction.accepted:
            transaction.step(Signal.ACK, now)
            return None
        leg = self.dialogs.get(request.dialog_key)
        if leg is None or leg.dialog is None:
            self.stats.acks_unmatched += 1
            return None
        unacked = leg.unacked.pop(request.cseq, None)
        if unacked is None:
            self.stats.acks_absorbed += 1
            return None
        unacked.stop()
        leg.dialog.heard_over(request.flow)
        return leg, unacked

    @abstractmethod
    def refuse(
        self, transaction: ServerTransaction, status: int, now: float, headers: HeaderLines = ()
    ) -> None:
        """Answer on our own with an error, and count it."""

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

    def datagram_undelivered(self, head: bytes, now: float) -> Flow | None:
        """The network gave back a datagram that begins with ``head`` (RFC 3261 section 18.4).

        Returns the flow of the request that failed of it, None when there is none.
        """
        flow = self.transactions.datagram_undelivered(head, now)
        if flow is not None:
            self.stats.transports_failed += 1
        return flow

    # What is drained after every call

    def messages_to_send(self) -> list[Outgoing]:
        messages = self.outbox[:]
        self.outbox.clear()
        return messages

    def events_received(self) -> list[Event]:
        events, self.events = self.events, []
        return events
