"""The answering side: what a request of a peer means (RFC 3261 sections 8.2, 9.2, 12.2.2 to 15)."""

from __future__ import annotations

from functools import partial

from telephony.base.errors import LocalProtocolError
from telephony.sip.agent import Agent
from telephony.sip.body import UnsupportedBodyError, find_sdp, media_type
from telephony.sip.dialog import Dialog
from telephony.sip.events import (
    AckTimedOut,
    AnswerReceived,
    InfoReceived,
    InviteCancelled,
    InviteReceived,
    LegConfirmed,
    LegEnded,
    OfferReceived,
    OfferWithdrawn,
)
from telephony.sip.flow import Outgoing
from telephony.sip.leg import Leg, LegState, Unacked
from telephony.sip.message import HeaderView, IncomingRequest, contact_uri
from telephony.sip.routing import response_flow
from telephony.sip.screening import Refusal, screen
from telephony.sip.status import ALLOW
from telephony.sip.transaction import ServerTransaction
from telephony.sip.transaction_table import Signal
from telephony.sip.uac import Uac
from telephony.sip.values import printable, read_address, read_number
from telephony.sip.writer import SDP_TYPE, HeaderLines, check_headers

_ACCEPT = ("Accept", SDP_TYPE)
_MAX_EXPIRES_S = 2**32 - 1


class Uas:
    """Requests of peers, and our answers to their INVITEs."""

    __slots__ = ("_agent", "_uac", "options_headers", "options_status")

    def __init__(self, agent: Agent, uac: Uac) -> None:
        self._agent = agent
        self._uac = uac
        self.options_status = 200
        self.options_headers: HeaderLines = ()

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
        merged = not request.to_tag and agent.transactions.find_merged(request) is not None
        flow = response_flow(request.via, request.flow, agent.config.symmetric_signalling)
        transaction = agent.transactions.create_server(request, flow)
        if len(agent.transactions.server) > agent.config.max_server_transactions:
            refusal: Refusal | None = Refusal(503, (("Retry-After", "10"),))
        elif merged:
            refusal = Refusal(482)
        else:
            refusal = screen(request)
        if refusal is not None:
            agent.refuse(transaction, refusal.status, now, refusal.headers)
        elif request.method == "CANCEL":
            self._receive_cancel(transaction, now)
        elif request.to_tag:
            self._receive_in_dialog(transaction, now)
        elif request.method == "INVITE":
            self._receive_invite(transaction, now)
        elif request.method == "OPTIONS":
            self._answer_options(transaction, now)
        else:
            agent.refuse(transaction, 481, now)

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
        leg.dialog.flow = request.flow
        self._acknowledged(leg, request, unacked, now)

    def _acknowledged(
        self, leg: Leg, request: IncomingRequest, unacked: Unacked, now: float
    ) -> None:
        if leg.state is LegState.ENDING:
            self._send_waiting_bye(leg, now)
            return
        try:
            sdp = find_sdp(request.headers, request.body)
        except UnsupportedBodyError:
            sdp = None
        if not leg.confirmed:
            leg.confirmed = True
            self._agent.events.append(LegConfirmed(leg.leg_id, sdp))
        elif unacked.offered:
            self._agent.events.append(AnswerReceived(leg.leg_id, sdp))

    def _send_waiting_bye(self, leg: Leg, now: float) -> None:
        if leg.dialog is not None and leg.bye_headers is not None and not leg.unacked:
            headers, leg.bye_headers = leg.bye_headers, None
            self._uac.send_bye(leg.dialog, leg, headers, now)

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
        headers = (ALLOW, _ACCEPT, *self.options_headers)
        self._agent.respond(transaction, self.options_status, now, headers)

    # -- requests that make a dialog --------------------------------------------------------------

    def _receive_invite(self, transaction: ServerTransaction, now: float) -> None:
        agent, request = self._agent, transaction.request
        target = contact_uri(request.headers)
        if target is None:
            agent.refuse(transaction, 400, now, (("Warning", '399 telephony "no Contact"'),))
            return
        sdp = find_sdp(request.headers, request.body)
        transaction.local_tag = agent.ids.token()
        leg = Leg(transaction.local_tag, LegState.INCOMING, caller=False)
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
        )
        agent.events.append(event)

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
        if leg is None or leg.dialog is None:
            agent.refuse(transaction, 481, now)
            return
        if not leg.dialog.accept_cseq(request.cseq):
            agent.refuse(transaction, 500, now)
            return
        leg.dialog.flow = request.flow
        if request.method == "BYE":
            self._receive_bye(leg, transaction, now)
        elif leg.state is LegState.ENDING:
            agent.refuse(transaction, 481, now)
        elif request.method == "INVITE":
            self._receive_reinvite(leg, transaction, now)
        elif request.method == "INFO":
            self._receive_info(leg, transaction, now)
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
        if leg.outgoing is not None and leg.outgoing.awaits_our_answer:
            leg.outgoing.send_ack(None, now)
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
        if leg.incoming is not None:
            wait = (("Retry-After", str(agent.ids.uint16() % 11)),)
            agent.refuse(transaction, 500, now, wait)
        elif leg.outgoing is not None or any(u.offered for u in leg.unacked.values()):
            agent.refuse(transaction, 491, now)
        else:
            sdp = find_sdp(request.headers, request.body)
            self._begin_answering(leg, transaction, now)
            agent.events.append(OfferReceived(leg.leg_id, sdp))

    # -- commands ---------------------------------------------------------------------------------

    def ring(self, leg: Leg, now: float) -> None:
        transaction, dialog = _incoming(leg, LegState.INCOMING)
        headers = self._agent.dialog_headers(transaction, dialog)
        leg.last_provisional = self._agent.write(transaction, 180, headers)
        transaction.respond(180, leg.last_provisional, now)

    def answer(self, leg: Leg, sdp: bytes, now: float) -> None:
        """Send 200 and repeat it until the ACK comes (section 13.3.1.4)."""
        transaction, dialog = _incoming(leg, LegState.INCOMING)
        leg.state = LegState.UP
        self._accept(leg, transaction, dialog, sdp, now)

    def answer_offer(self, leg: Leg, sdp: bytes, now: float) -> bool:
        """Answer a re-INVITE, or the offer in a 2xx; False when the peer withdrew it."""
        if leg.outgoing is not None and leg.outgoing.awaits_our_answer:
            leg.outgoing.send_ack(sdp, now)
            return True
        if leg.state is not LegState.UP:
            raise LocalProtocolError("the call is not answered yet")
        if leg.incoming is None or leg.dialog is None:
            return False
        leg.offers_answered += 1
        leg.dialog.refresh_target(contact_uri(leg.incoming.request.headers))
        self._accept(leg, leg.incoming, leg.dialog, sdp, now)
        return True

    def _accept(
        self, leg: Leg, transaction: ServerTransaction, dialog: Dialog, sdp: bytes, now: float
    ) -> None:
        agent, request = self._agent, transaction.request
        headers = (*agent.dialog_headers(transaction, dialog), ("Server", agent.config.product))
        data = agent.write(transaction, 200, headers, sdp)
        transaction.respond(200, data, now)
        leg.incoming = None
        leg.stop_timers()
        timers = agent.config.timers
        unacked = Unacked(
            outgoing=Outgoing(data, transaction.flow),
            interval_s=timers.t1_s,
            give_up_at=now + timers.give_up_s,
            offered=not request.body,
        )
        leg.unacked[request.cseq] = unacked
        self._schedule_repeat(leg, unacked, now)

    def _schedule_repeat(self, leg: Leg, unacked: Unacked, now: float) -> None:
        due = min(now + unacked.interval_s, unacked.give_up_at)
        unacked.handle = self._agent.timers.schedule(due, partial(self._repeat, leg, unacked))

    def _repeat(self, leg: Leg, unacked: Unacked, now: float) -> None:
        agent = self._agent
        if now >= unacked.give_up_at:
            self._ack_timed_out(leg, now)
            return
        agent.stats.retransmissions_sent += 1
        agent.transactions.send(unacked.outgoing.data, unacked.outgoing.flow)
        unacked.interval_s = min(2 * unacked.interval_s, agent.config.timers.t2_s)
        self._schedule_repeat(leg, unacked, now)

    def _ack_timed_out(self, leg: Leg, now: float) -> None:
        agent = self._agent
        agent.stats.acks_missing += 1
        leg.stop_repeating()
        if leg.state is LegState.ENDING:
            self._send_waiting_bye(leg, now)
            return
        agent.events.append(AckTimedOut(leg.leg_id))
        self._uac.end(leg, now, LegEnded(leg.leg_id, "error", status=408))

    def reject(
        self, leg: Leg, status: int, now: float, reason: str = "", headers: HeaderLines = ()
    ) -> None:
        transaction, _ = _incoming(leg, LegState.INCOMING)
        _check_refusal(status, reason, headers)
        leg.incoming = None
        self._agent.respond(transaction, status, now, headers, reason)
        self._agent.end_leg(leg, LegEnded(leg.leg_id, "local", status=status))
        self._agent.forget(leg)

    def refuse_offer(self, leg: Leg, status: int, now: float, headers: HeaderLines = ()) -> bool:
        """Refuse a re-INVITE, or the offer in a 2xx: that one is acknowledged, then BYE."""
        _check_refusal(status, "", headers)
        if leg.outgoing is not None and leg.outgoing.awaits_our_answer:
            self._uac.bye(leg, now)
            return True
        if leg.state is not LegState.UP:
            raise LocalProtocolError("the call is not answered yet; use reject()")
        if leg.incoming is None:
            return False
        transaction, leg.incoming = leg.incoming, None
        leg.stop_timers()
        self._agent.respond(transaction, status, now, headers)
        return True


class PendingInvite:
    """The user of an INVITE server transaction while it waits for our final response."""

    __slots__ = ("_agent", "_leg", "_transaction")

    def __init__(self, agent: Agent, leg: Leg, transaction: ServerTransaction) -> None:
        self._agent = agent
        self._leg = leg
        self._transaction = transaction

    def withdrawn(self, now: float, reason: str = "") -> None:
        """CANCEL or Expires: 487. A first INVITE takes its leg along, a re-INVITE does not."""
        if self._leg.incoming is not self._transaction:
            return
        self._agent.respond(self._transaction, 487, now)
        self._give_up(InviteCancelled(self._leg.leg_id, reason))

    def transaction_failed(self, status: int, now: float) -> None:
        if self._leg.incoming is self._transaction:
            self._give_up(LegEnded(self._leg.leg_id, "error", status=status))

    def _give_up(self, event: InviteCancelled | LegEnded) -> None:
        agent, leg = self._agent, self._leg
        leg.incoming = None
        if leg.state is LegState.INCOMING:
            agent.end_leg(leg, event)
            agent.forget(leg)
        else:
            leg.stop_timers()
            agent.events.append(OfferWithdrawn(leg.leg_id))

    def repeat_provisional(self, now: float) -> None:
        leg, agent = self._leg, self._agent
        if leg.incoming is not self._transaction:
            return
        if leg.last_provisional:
            self._transaction.respond(180, leg.last_provisional, now)
        due = now + agent.config.provisional_refresh_s
        leg.handles.append(agent.timers.schedule(due, self.repeat_provisional))


def _incoming(leg: Leg, state: LegState) -> tuple[ServerTransaction, Dialog]:
    if leg.state is not state or leg.incoming is None or leg.dialog is None:
        raise LocalProtocolError("the leg has no unanswered INVITE")
    return leg.incoming, leg.dialog


def _check_refusal(status: int, reason: str, headers: HeaderLines) -> None:
    if not 300 <= status <= 699:
        raise LocalProtocolError(f"{status} is not a refusal (300 to 699)")
    check_headers(headers, reason)
