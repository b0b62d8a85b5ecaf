"""Our answers to the INVITEs of peers, which pyVoIP writes (RFC 3261 sections 13.3 and 14.2)."""

from __future__ import annotations

from functools import partial

from telephony.base.errors import LocalProtocolError
from telephony.sip.body import UnsupportedBodyError, find_sdp
from telephony.sip.events import (
    AckTimedOut,
    AnswerReceived,
    InviteCancelled,
    LegConfirmed,
    LegEnded,
    OfferWithdrawn,
)
from telephony.sip.flow import Outgoing
from telephony.sip.leg import LegState, Unacked
from telephony.sip.message import IncomingRequest, contact_uri
from telephony.sip.transaction import ServerTransaction
from telephony.sip.writer import HeaderLines, check_headers
from telephony.stacks.pyvoip.core import Core
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.ending import Ending
from telephony.stacks.pyvoip.leg import Leg


class Answering:
    """Provisional and final responses to INVITEs, and the ACKs that the latter get."""

    def __init__(self, core: Core, ending: Ending) -> None:
        self._core = core
        self._ending = ending

    def provisional(self, leg: Leg, status: int, sdp: bytes, now: float) -> None:
        """Send 180, or 183 with ``sdp`` for media before the answer."""
        transaction = leg.incoming
        if leg.state is not LegState.INCOMING or transaction is None:
            return
        draft = self._core.enter(partial(leg.line.provisional, status, sdp))
        if draft is not None:
            data = self._core.respond(transaction, draft, now, in_dialog=True)
            leg.last_provisional = data

    def answer(self, leg: Leg, sdp: bytes, now: float) -> None:
        """Send 200 and repeat it until the ACK comes (section 13.3.1.4)."""
        transaction = leg.incoming
        if leg.state is not LegState.INCOMING or transaction is None:
            raise LocalProtocolError("the leg has no unanswered INVITE")
        draft = self._core.enter(partial(leg.line.answer, sdp))
        if draft is None:
            self._give_up(leg, transaction, now)
            return
        leg.state = LegState.UP
        self._accept(leg, transaction, draft, bool(sdp), now)

    def answer_offer(self, leg: Leg, sdp: bytes, now: float) -> bool:
        """Answer a re-INVITE; False when the peer withdrew it."""
        transaction = leg.incoming
        if leg.state is not LegState.UP or transaction is None or leg.dialog is None:
            return False
        draft = self._core.enter(partial(leg.line.renegotiate, transaction.request, sdp))
        if draft is None:
            leg.incoming = None
            self._core.refuse(transaction, 500, now)
            return True
        leg.dialog.refresh_target(contact_uri(transaction.request.headers))
        self._accept(leg, transaction, draft, bool(sdp), now)
        return True

    def refuse_offer(self, leg: Leg, status: int, now: float, headers: HeaderLines = ()) -> bool:
        """Refuse a re-INVITE; the session goes on as it was."""
        transaction = leg.incoming
        if leg.state is not LegState.UP or transaction is None:
            return False
        leg.incoming = None
        leg.stop_timers()
        request = transaction.request
        draft = self._core.enter(partial(leg.line.refuse_offer, request, status))
        if draft is None:
            self._core.refuse(transaction, status, now, headers)
        else:
            self._core.respond(transaction, draft, now, headers)
        return True

    def reject(self, leg: Leg, status: int, now: float, reason: str, headers: HeaderLines) -> None:
        """Refuse an unanswered call with a status of 300 to 699."""
        check_headers(headers, reason)
        transaction = leg.incoming
        if leg.state is not LegState.INCOMING or transaction is None:
            raise LocalProtocolError("the leg has no unanswered INVITE")
        leg.incoming = None
        draft = self._core.enter(partial(leg.line.refuse, status, reason))
        if draft is None:
            self._core.refuse(transaction, status, now, headers)
        else:
            self._core.respond(transaction, draft, now, headers)
        self._core.gate.invite_refused(transaction.request, status, now)
        self._core.end_leg(leg, LegEnded(leg.leg_id, "local", status=status))
        self._core.forget(leg)

    def _give_up(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        leg.incoming = None
        self._core.refuse(transaction, 500, now)
        self._core.end_leg(leg, LegEnded(leg.leg_id, "error", status=500))
        self._core.forget(leg)

    # The 200 and its ACK

    def _accept(
        self, leg: Leg, transaction: ServerTransaction, draft: Draft, described: bool, now: float
    ) -> None:
        core, request = self._core, transaction.request
        data = core.respond(transaction, draft, now, in_dialog=True)
        leg.incoming = None
        leg.stop_timers()
        timers = core.config.timers
        offered = described and not request.body
        outgoing = Outgoing(data, transaction.flow)
        unacked = Unacked(outgoing, timers.t1_s, now + timers.give_up_s, offered)
        leg.unacked[request.cseq] = unacked
        self._schedule_repeat(leg, unacked, now)

    def _schedule_repeat(self, leg: Leg, unacked: Unacked, now: float) -> None:
        due = min(now + unacked.interval_s, unacked.give_up_at)
        unacked.handle = self._core.timers.schedule(due, partial(self._repeat, leg, unacked))

    def _repeat(self, leg: Leg, unacked: Unacked, now: float) -> None:
        core = self._core
        if now < unacked.give_up_at:
            core.stats.retransmissions_sent += 1
            core.transactions.send(unacked.outgoing.data, unacked.outgoing.flow)
            unacked.interval_s = min(2 * unacked.interval_s, core.config.timers.t2_s)
            self._schedule_repeat(leg, unacked, now)
            return
        core.stats.acks_missing += 1
        leg.stop_repeating()
        if leg.state is LegState.ENDING:
            self._ending.acknowledged(leg, now)
            return
        core.events.append(AckTimedOut(leg.leg_id))
        self._ending.end(leg, LegEnded(leg.leg_id, "error", status=408), (), now)

    def acknowledged(
        self, leg: Leg, request: IncomingRequest, unacked: Unacked, now: float
    ) -> None:
        """Take the ACK of a 2xx of ours."""
        if leg.state is LegState.ENDING:
            self._ending.acknowledged(leg, now)
            return
        try:
            sdp = find_sdp(request.headers, request.body)
        except UnsupportedBodyError:
            sdp = None
        if not leg.confirmed:
            leg.confirmed = True
            self._core.events.append(LegConfirmed(leg.leg_id, sdp))
        elif unacked.offered:
            self._core.events.append(AnswerReceived(leg.leg_id, sdp))


class OpenInvite:
    """The user of an INVITE server transaction while it waits for our final response."""

    def __init__(self, core: Core, leg: Leg, transaction: ServerTransaction) -> None:
        self._core = core
        self._leg = leg
        self._transaction = transaction

    def withdrawn(self, now: float, reason: str = "") -> None:
        """CANCEL or Expires: 487. A first INVITE takes its leg along, a re-INVITE does not."""
        core, leg, transaction = self._core, self._leg, self._transaction
        if leg.incoming is not transaction:
            return
        first = leg.state is LegState.INCOMING
        draft = core.enter(leg.line.request_terminated) if first else None
        if draft is None:
            core.refuse(transaction, 487, now)
        else:
            core.respond(transaction, draft, now)
        self._give_up(InviteCancelled(leg.leg_id, reason))

    def transaction_failed(self, status: int, now: float) -> None:
        if self._leg.incoming is self._transaction:
            self._give_up(LegEnded(self._leg.leg_id, "error", status=status))

    def _give_up(self, event: InviteCancelled | LegEnded) -> None:
        core, leg = self._core, self._leg
        leg.incoming = None
        if leg.state is LegState.INCOMING:
            core.end_leg(leg, event)
            core.forget(leg)
        else:
            leg.stop_timers()
            core.events.append(OfferWithdrawn(leg.leg_id))

    def repeat_provisional(self, now: float) -> None:
        """Send the last 18x again, so that proxies do not give the call up (section 13.3.1)."""
        core, leg = self._core, self._leg
        if leg.incoming is not self._transaction:
            return
        if leg.last_provisional:
            self._transaction.respond(180, leg.last_provisional, now)
        due = now + core.config.provisional_refresh_s
        leg.handles.append(core.timers.schedule(due, self.repeat_provisional))
