"""Our answers to INVITEs: 180, 200 until its ACK, refusals (RFC 3261 sections 13.3 and 14.2)."""

from __future__ import annotations

from functools import partial

from telephony.base.errors import LocalProtocolError
from telephony.sip.agent import Agent
from telephony.sip.body import UnsupportedBodyError, find_sdp
from telephony.sip.dialog import Dialog
from telephony.sip.events import AckTimedOut, AnswerReceived, LegConfirmed, LegEnded
from telephony.sip.flow import Outgoing
from telephony.sip.leg import Leg, LegState, Unacked
from telephony.sip.message import IncomingRequest, contact_uri
from telephony.sip.offers import Offers
from telephony.sip.status import SUPPORTED
from telephony.sip.transaction import ServerTransaction
from telephony.sip.uac import Uac
from telephony.sip.writer import HeaderLines, check_headers


class Answers:
    """Final responses to the INVITEs of peers and the ACKs they get, and answers to offers."""

    __slots__ = ("_agent", "_uac", "offers", "sessions")

    def __init__(self, agent: Agent, uac: Uac) -> None:
        self._agent = agent
        self._uac = uac
        self.sessions = uac.sessions
        self.offers = Offers(agent, uac.sessions, self.release)

    def answer(self, leg: Leg, sdp: bytes, now: float) -> None:
        """Send 200 and repeat it until the ACK comes (section 13.3.1.4).

        It waits for what is not settled before it: the PRACK of a response with a description
        (RFC 3262 section 3), an offer in a PRACK or UPDATE that is not answered yet.
        """
        _incoming(leg, LegState.INCOMING)
        if leg.held_answer is not None:
            raise LocalProtocolError("the call is answered already")
        leg.held_answer = sdp
        self.release(leg, now)

    def release(self, leg: Leg, now: float) -> None:
        """Send a 200 that was held back, if nothing keeps it any more."""
        sdp = leg.held_answer
        described = leg.reliable is not None and leg.reliable.described
        if sdp is None or described or leg.offered is not None:
            return
        if leg.state is LegState.INCOMING and leg.incoming is not None and leg.dialog is not None:
            leg.held_answer = None
            leg.state = LegState.UP
            # What was agreed in a reliable response is not said again.
            self._accept(leg, leg.incoming, leg.dialog, b"" if leg.agreed else sdp, now)

    def answer_offer(self, leg: Leg, sdp: bytes, now: float) -> bool:
        """Answer a re-INVITE, or the offer in a 2xx; False when the peer withdrew it."""
        if leg.outgoing is not None and leg.outgoing.awaits_our_answer:
            leg.outgoing.send_ack(sdp, now)
            leg.agree(local=sdp)
            return True
        if leg.offered is not None:
            return self.offers.answer(leg, leg.offered, sdp, now)
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
        product = ("Server", agent.config.product)
        session = self.sessions.answered(leg, request.headers, now)
        headers = (*agent.dialog_headers(transaction, dialog), SUPPORTED, product, *session)
        data = agent.write(transaction, 200, headers, sdp)
        transaction.respond(200, data, now)
        offer = find_sdp(request.headers, request.body)
        leg.incoming = None
        leg.stop_timers()
        timers = agent.config.timers
        unacked = Unacked(
            outgoing=Outgoing(data, transaction.flow),
            interval_s=timers.t1_s,
            give_up_at=now + timers.give_up_s,
            offered=offer is None and bool(sdp),
        )
        if sdp:
            leg.agree(local=sdp, remote=offer)
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
        leg.incoming = leg.held_answer = None
        self._agent.respond(transaction, status, now, headers, reason)
        self._agent.end_leg(leg, LegEnded(leg.leg_id, "local", status=status))
        self._agent.forget_early(leg, now)

    def refuse_offer(self, leg: Leg, status: int, now: float, headers: HeaderLines = ()) -> bool:
        """Refuse a re-INVITE, or the offer in a 2xx: that one is acknowledged, then BYE."""
        _check_refusal(status, "", headers)
        if leg.outgoing is not None and leg.outgoing.awaits_our_answer:
            self._uac.bye(leg, now)
            return True
        if leg.offered is not None:
            self.offers.refuse(leg, leg.offered, status, now, headers)
            return True
        if leg.state is not LegState.UP:
            raise LocalProtocolError("the call is not answered yet; use reject()")
        if leg.incoming is None:
            return False
        transaction, leg.incoming = leg.incoming, None
        leg.stop_timers()
        self._agent.respond(transaction, status, now, headers)
        return True

    def acknowledged(
        self, leg: Leg, request: IncomingRequest, unacked: Unacked, now: float
    ) -> None:
        if leg.state is LegState.ENDING:
            self._send_waiting_bye(leg, now)
            return
        try:
            sdp = find_sdp(request.headers, request.body)
        except UnsupportedBodyError:
            sdp = None
        if unacked.offered:
            leg.agree(remote=sdp)
        if not leg.confirmed:
            leg.confirmed = True
            self._agent.events.append(LegConfirmed(leg.leg_id, sdp))
        elif unacked.offered:
            self._agent.events.append(AnswerReceived(leg.leg_id, sdp))

    def _send_waiting_bye(self, leg: Leg, now: float) -> None:
        if leg.dialog is not None and leg.bye_headers is not None and not leg.unacked:
            headers, leg.bye_headers = leg.bye_headers, None
            self._uac.send_bye(leg.dialog, leg, headers, now)


def _incoming(leg: Leg, state: LegState) -> tuple[ServerTransaction, Dialog]:
    if leg.state is not state or leg.incoming is None or leg.dialog is None:
        raise LocalProtocolError("the leg has no unanswered INVITE")
    return leg.incoming, leg.dialog


def _check_refusal(status: int, reason: str, headers: HeaderLines) -> None:
    if not 300 <= status <= 699:
        raise LocalProtocolError(f"{status} is not a refusal (300 to 699)")
    check_headers(headers, reason)
