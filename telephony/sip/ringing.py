"""Our provisional responses to an INVITE, reliable or not, and the PRACKs they get."""

from __future__ import annotations

from functools import partial

from telephony.base.errors import LocalProtocolError
from telephony.sip.agent import Agent
from telephony.sip.answers import Answers
from telephony.sip.body import find_sdp
from telephony.sip.dialog import Dialog
from telephony.sip.events import AnswerReceived, LegEnded
from telephony.sip.leg import Leg, LegState
from telephony.sip.reliable import (
    OPTION_TAG,
    Provisional,
    ReliableResponses,
    read_rack,
    requires_reliability,
    supports_reliability,
)
from telephony.sip.transaction import ServerTransaction


class Ringing:
    """180 Ringing and early media (RFC 3261 section 13.3.1.1, RFC 3262)."""

    __slots__ = ("_agent", "_answers")

    def __init__(self, agent: Agent, answers: Answers) -> None:
        self._agent = agent
        self._answers = answers

    def ring(self, leg: Leg, now: float) -> None:
        """Send 180, reliably only to a caller that requires it."""
        self.progress(leg, b"", 180, now)

    def progress(self, leg: Leg, sdp: bytes, status: int, now: float) -> None:
        """Send a provisional response with ``sdp``, unless that cannot be.

        A description goes out once when it is sent reliably. To an INVITE without an offer it is
        our offer, which only a reliable response may carry and the first one has to (RFC 3262
        section 5): nothing is sent then without one.
        """
        transaction, dialog = _ringing(leg)
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is not a provisional response above 100")
        request = transaction.request
        required = requires_reliability(request.headers)
        wanted = bool(sdp) and self._agent.config.reliable_provisional
        reliable = required or (wanted and supports_reliability(request.headers))
        offerless = find_sdp(request.headers, request.body) is None
        described = leg.agreed or (leg.reliable is not None and leg.reliable.described)
        if described or (offerless and not reliable):
            sdp = b""
        if not reliable:
            self._send(leg, transaction, dialog, status, sdp, now)
        elif sdp or leg.reliable is not None or not offerless:
            offer = offerless and bool(sdp)
            self._send_reliably(leg, transaction, dialog, Provisional(status, sdp, offer), now)

    def _send(
        self,
        leg: Leg,
        transaction: ServerTransaction,
        dialog: Dialog,
        status: int,
        sdp: bytes,
        now: float,
    ) -> None:
        headers = self._agent.dialog_headers(transaction, dialog)
        leg.last_provisional = self._agent.write(transaction, status, headers, sdp)
        transaction.respond(status, leg.last_provisional, now)

    def _send_reliably(
        self,
        leg: Leg,
        transaction: ServerTransaction,
        dialog: Dialog,
        provisional: Provisional,
        now: float,
    ) -> None:
        if leg.reliable is None:
            write = partial(self._write, leg, transaction, dialog)
            gave_up = partial(self._gave_up, leg, transaction)
            leg.reliable = ReliableResponses(self._agent, transaction, write, gave_up)
        leg.last_provisional = b""
        leg.reliable.send(provisional, now)

    def _write(
        self,
        leg: Leg,
        transaction: ServerTransaction,
        dialog: Dialog,
        provisional: Provisional,
        rseq: int,
    ) -> bytes:
        if provisional.sdp:
            leg.local_sdp = provisional.sdp
            leg.agreed = not provisional.offer
        reliably = (("Require", OPTION_TAG), ("RSeq", str(rseq)))
        headers = (*self._agent.dialog_headers(transaction, dialog), *reliably)
        return self._agent.write(transaction, provisional.status, headers, provisional.sdp)

    def _gave_up(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """No PRACK for 64*T1: the INVITE is refused (RFC 3262 section 3)."""
        if leg.incoming is not transaction:
            return
        leg.incoming = None
        self._agent.respond(transaction, 504, now)
        self._agent.end_leg(leg, LegEnded(leg.leg_id, "error", status=504))
        self._agent.forget(leg)

    # -- PRACK ----------------------------------------------------------------------------------

    def receive_prack(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Take an acknowledgement, with the answer to our offer or an offer of the peer in it."""
        agent, request = self._agent, transaction.request
        rack = read_rack(request.headers)
        if rack is None:
            agent.refuse(transaction, 400, now, (("Warning", '399 telephony "bad RAck"'),))
            return
        reliable = leg.reliable
        acknowledged = reliable.acknowledge(rack) if reliable is not None else None
        if reliable is None or acknowledged is None:
            agent.refuse(transaction, 481, now)
            return
        sdp = find_sdp(request.headers, request.body)
        if sdp is None or acknowledged.offer or leg.state is LegState.ENDING:
            agent.respond(transaction, 200, now)
        else:
            self._answers.offers.receive(leg, transaction, sdp, now)
        if sdp is not None and acknowledged.offer and leg.state is not LegState.ENDING:
            leg.agree(remote=sdp)
            agent.events.append(AnswerReceived(leg.leg_id, sdp))
        reliable.send_next(now)
        self._answers.release(leg, now)


def _ringing(leg: Leg) -> tuple[ServerTransaction, Dialog]:
    if leg.state is not LegState.INCOMING or leg.incoming is None or leg.dialog is None:
        raise LocalProtocolError("the leg has no unanswered INVITE")
    if leg.held_answer is not None:
        raise LocalProtocolError("the call is answered already")
    return leg.incoming, leg.dialog
