"""The answering side: what a request of a peer means (RFC 3261 sections 8.2, 9.2, 12.2.2 to 15)."""

from __future__ import annotations

from collections.abc import Callable

from telephony.sip.admission import Admitted
from telephony.sip.agent import Agent
from telephony.sip.answers import Answers
from telephony.sip.body import find_sdp, media_type
from telephony.sip.dialog import Dialog
from telephony.sip.events import (
    InfoReceived,
    InviteCancelled,
    InviteReceived,
    LegEnded,
    OfferReceived,
)
from telephony.sip.gate import Gate
from telephony.sip.leg import Leg, LegState
from telephony.sip.loops import came_back
from telephony.sip.message import HeaderView, IncomingRequest, remote_target
from telephony.sip.pending_invite import PendingInvite
from telephony.sip.replaces import find_replaced
from telephony.sip.routing import response_flow
from telephony.sip.screening import Refusal, screen
from telephony.sip.status import ALLOW, SUPPORTED
from telephony.sip.transaction import ServerTransaction
from telephony.sip.transaction_table import Signal
from telephony.sip.values import printable, read_address, read_number
from telephony.sip.writer import SDP_TYPE, HeaderLines

# Section 11.2.
_CAPABILITIES = (
    ALLOW,
    ("Accept", SDP_TYPE),
    ("Accept-Encoding", "identity"),
    ("Accept-Language", "en"),
    SUPPORTED,
)
_MAX_EXPIRES_S = 2**32 - 1
_OVERLOAD_RETRY_S = 10


# BYEs cross, and a PRACK may come after the final response (RFC 3262 section 3).
_TAKEN_WHEN_ENDING = frozenset(("BYE", "PRACK"))
# Who has not answered our INVITE has to refuse it instead (section 15).
_REFUSED_WHEN_CALLING = frozenset(("BYE", "INVITE"))

ReceiveInDialog = Callable[[Leg, ServerTransaction, float], None]
ReceiveNew = Callable[[ServerTransaction, float], None]


class Uas:
    """Requests of peers. ``options_status`` and ``options_headers`` are what OPTIONS gets.

    ``in_dialog`` and ``outside`` map a method to what takes its requests; others get the answer
    of OPTIONS in a dialog and 481 outside.
    """

    __slots__ = (
        "_agent",
        "_answers",
        "_gate",
        "in_dialog",
        "options_headers",
        "options_status",
        "outside",
    )

    def __init__(self, agent: Agent, answers: Answers, gate: Gate) -> None:
        self._agent = agent
        self._answers = answers
        self._gate = gate
        self.options_status = 200
        self.options_headers: HeaderLines = ()
        self.in_dialog: dict[str, ReceiveInDialog] = {
            "BYE": self._receive_bye,
            "INFO": self._receive_info,
            "INVITE": self._receive_reinvite,
        }
        self.outside: dict[str, ReceiveNew] = {
            "CANCEL": self._receive_cancel,
            "INVITE": self._receive_invite,
            "OPTIONS": self._answer_options,
        }

    # -- requests -------------------------------------------------------------------------------

    def receive_request(self, request: IncomingRequest, now: float) -> None:
        """Take a request; repeated ones get the last response again."""
        transactions = self._agent.transactions
        if request.method == "ACK":
            self._receive_ack(request, now)
        elif (existing := transactions.find_server(request, request.method)) is not None:
            self._agent.stats.retransmissions_received += 1
            existing.step(Signal.REQUEST, now)
        else:
            self._receive_new(request, now)

    def _receive_new(self, request: IncomingRequest, now: float) -> None:
        agent = self._agent
        transactions = agent.transactions
        initial = not request.to_tag and request.method != "CANCEL"
        merged = initial and transactions.find_merged(request) is not None
        if not self._passes_gate(request, merged, now):
            return
        if initial and len(transactions.server) >= agent.config.max_server_transactions:
            wait = (("Retry-After", str(_OVERLOAD_RETRY_S)),)
            agent.refuse_statelessly(503, request.method, request.headers, request.flow, wait)
            return
        flow = response_flow(request.via, request.flow, agent.config.symmetric_signalling)
        transaction = transactions.create_server(request, flow)
        looped = merged or (initial and came_back(request, transactions.client))
        refusal = Refusal(482) if looped else screen(request)
        if refusal is not None:
            agent.refuse(transaction, refusal.status, now, refusal.headers)
        elif request.to_tag and request.method != "CANCEL":
            self._receive_in_dialog(transaction, now)
        elif (receive := self.outside.get(request.method)) is not None:
            receive(transaction, now)
        else:
            agent.refuse(transaction, 481, now)

    def _passes_gate(self, request: IncomingRequest, merged: bool, now: float) -> bool:
        """Whether the sender may ask; a refusal gets no transaction (section 8.2.7)."""
        agent = self._agent
        if request.method == "CANCEL":
            known = agent.transactions.find_server(request, "INVITE") is not None
        else:
            known = merged or request.dialog_key in agent.dialogs
        ruling = self._gate.screen(request, known, now)
        if isinstance(ruling, Admitted):
            request.peer = ruling.peer_name
            return True
        if isinstance(ruling, Refusal):
            status, headers = ruling.status, ruling.headers
            agent.refuse_statelessly(status, request.method, request.headers, request.flow, headers)
        return False

    def _receive_ack(self, request: IncomingRequest, now: float) -> None:
        agent = self._agent
        transaction = agent.transactions.find_server(request, "INVITE")
        # In Accepted the ACK of a 2xx came with the INVITE's branch: it belongs to the dialog.
        if transaction is not None and not transaction.accepted:
            transaction.step(Signal.ACK, now)
            return
        leg = agent.dialogs.get(request.dialog_key)
        if leg is None or leg.dialog is None:
            agent.stats.acks_unmatched += 1
            return
        unacked = leg.unacked.pop(request.cseq, None)
        if unacked is None:
            agent.stats.acks_absorbed += 1
            return
        unacked.stop()
        leg.dialog.heard_over(request.flow)
        self._answers.acknowledged(leg, request, unacked, now)

    def _receive_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """Section 9.2. The 200 carries the INVITE's To tag; a final response wins the race."""
        agent = self._agent
        invite = agent.transactions.find_server(transaction.request, "INVITE")
        if invite is None:
            agent.refuse(transaction, 481, now)
            return
        transaction.local_tag = invite.local_tag
        agent.respond(transaction, 200, now)
        if not invite.answered and isinstance(invite.user, PendingInvite):
            reason = printable(transaction.request.headers.get("Reason") or "")
            invite.user.withdrawn(now, reason)

    def _answer_options(self, transaction: ServerTransaction, now: float) -> None:
        headers = (*_CAPABILITIES, *self.options_headers)
        self._agent.respond(transaction, self.options_status, now, headers)

    # -- requests that make a dialog --------------------------------------------------------------

    def _receive_invite(self, transaction: ServerTransaction, now: float) -> None:
        agent, request = self._agent, transaction.request
        target = remote_target(request)
        if target is None:
            agent.refuse(transaction, 400, now, (("Warning", '399 telephony "no Contact"'),))
            return
        replaced = find_replaced(request.headers, agent.dialogs, request.peer)
        if isinstance(replaced, Refusal):
            agent.refuse(transaction, replaced.status, now)
            return
        if self._interval_refused(transaction, now):
            return
        sdp = find_sdp(request.headers, request.body)
        transaction.local_tag = agent.ids.token()
        leg = Leg(transaction.local_tag, LegState.INCOMING, caller=False, peer=request.peer)
        leg.learn(request.headers)
        leg.remote_sdp = sdp or b""
        agent.legs[leg.leg_id] = leg
        agent.enter_dialog(leg, Dialog.for_uas(request, transaction.local_tag, target))
        self._begin_answering(leg, transaction, now)
        caller, called = read_address(request.from_value), read_address(request.to_value)
        event = InviteReceived(
            leg_id=leg.leg_id,
            request_uri=printable(request.uri),
            from_uri=printable(caller.uri) if caller else "",
            from_display=printable(caller.display) if caller else "",
            to_uri=printable(called.uri) if called else "",
            call_id=printable(request.call_id),
            headers=HeaderView(request.headers),
            sdp=sdp,
            flow=request.flow,
            peer=request.peer,
            replaces_leg_id=replaced.leg_id if replaced is not None else "",
        )
        agent.events.append(event)

    def _interval_refused(self, transaction: ServerTransaction, now: float) -> bool:
        """Answer 422 when the session would be too short (RFC 4028 section 9)."""
        refusal = self._answers.sessions.refusal(transaction.request.headers)
        if refusal is not None:
            self._agent.refuse(transaction, refusal.status, now, refusal.headers)
        return refusal is not None

    def _begin_answering(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Send 100 at once; give the INVITE up when its Expires passes (section 13.3.1)."""
        agent = self._agent
        leg.incoming = transaction
        leg.last_provisional = b""
        transaction.user = pending = PendingInvite(agent, leg, transaction)
        agent.respond(transaction, 100, now)
        refresh_s = agent.config.provisional_refresh_s
        leg.handles.append(agent.timers.schedule(now + refresh_s, pending.repeat_provisional))
        expires_s = read_number(transaction.request.headers.get("Expires"), _MAX_EXPIRES_S)
        if expires_s:
            leg.handles.append(agent.timers.schedule(now + expires_s, pending.withdrawn))

    # -- requests within a dialog -----------------------------------------------------------------

    def _receive_in_dialog(self, transaction: ServerTransaction, now: float) -> None:
        agent, request = self._agent, transaction.request
        leg = agent.dialogs.get(request.dialog_key)
        dialog = leg.find_dialog(request.from_tag) if leg is not None else None
        if leg is None or dialog is None:
            agent.refuse(transaction, 481, now)
            return
        if not dialog.accept_cseq(request.cseq):
            agent.refuse(transaction, 500, now)
            return
        dialog.heard_over(request.flow)
        if not _takes(leg, request.method):
            agent.refuse(transaction, 481, now)
        elif (receive := self.in_dialog.get(request.method)) is not None:
            receive(leg, transaction, now)
        else:
            self._answer_options(transaction, now)

    def _receive_bye(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Section 15.1.2: whatever INVITE is still open in either direction is over as well."""
        agent = self._agent
        agent.respond(transaction, 200, now)
        reason = printable(transaction.request.headers.get("Reason") or "")
        early = leg.state is LegState.INCOMING
        if leg.incoming is not None:
            agent.respond(leg.incoming, 487, now)
            leg.incoming = None
        if leg.outgoing is not None:
            leg.outgoing.leg_ended(now)
        if early:
            agent.end_leg(leg, InviteCancelled(leg.leg_id, reason))
        else:
            agent.end_leg(leg, LegEnded(leg.leg_id, "remote", reason))
        agent.forget(leg)

    def _receive_info(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        agent, request = self._agent, transaction.request
        if request.headers.get("Info-Package") is not None:  # RFC 6086 section 4.2.2
            agent.refuse(transaction, 469, now, (("Recv-Info", ""),))
            return
        agent.respond(transaction, 200, now)
        event = InfoReceived(leg.leg_id, printable(media_type(request.headers)), request.body)
        agent.events.append(event)

    def _receive_reinvite(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Section 14.2; an offer of ours without its answer counts as a request of ours."""
        agent, request = self._agent, transaction.request
        offers = self._answers.offers
        refusal = offers.refusal(leg) if leg.incoming is None else offers.too_early()
        if refusal is not None or leg.outgoing is not None:
            refusal = refusal or Refusal(491)
            agent.refuse(transaction, refusal.status, now, refusal.headers)
        elif not self._interval_refused(transaction, now):
            leg.learn(request.headers)
            sdp = find_sdp(request.headers, request.body)
            self._begin_answering(leg, transaction, now)
            agent.events.append(OfferReceived(leg.leg_id, sdp))


def _takes(leg: Leg, method: str) -> bool:
    """Whether a request is of any use in the present state of its leg."""
    if leg.state is LegState.ENDING:
        return method in _TAKEN_WHEN_ENDING
    return leg.state is not LegState.CALLING or method not in _REFUSED_WHEN_CALLING
