"""Offers of the peer outside of INVITE: in an UPDATE (RFC 3311) or a PRACK (RFC 3262)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from telephony.sip.agent import Agent
from telephony.sip.events import OfferReceived, OfferWithdrawn
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import contact_uri
from telephony.sip.screening import Refusal
from telephony.sip.session_refresh import SessionRefresher
from telephony.sip.status import SUPPORTED
from telephony.sip.timers import TimerHandle
from telephony.sip.transaction import ServerTransaction
from telephony.sip.writer import HeaderLines


@dataclass(slots=True)
class PendingOffer:
    """An offer that the layer above has not answered yet; ``limit`` runs until 504."""

    transaction: ServerTransaction
    sdp: bytes
    limit: TimerHandle


class Offers:
    """At most one offer of each leg; ``settled(leg, now)`` is called when it is out of the way."""

    __slots__ = ("_agent", "_sessions", "_settled")

    def __init__(
        self, agent: Agent, sessions: SessionRefresher, settled: Callable[[Leg, float], None]
    ) -> None:
        self._agent = agent
        self._sessions = sessions
        self._settled = settled

    def receive(self, leg: Leg, transaction: ServerTransaction, sdp: bytes, now: float) -> None:
        """Report the offer, or refuse it when it comes in between (RFC 3311 section 5.2)."""
        refusal = self.refusal(leg)
        if refusal is not None:
            self._agent.refuse(transaction, refusal.status, now, refusal.headers)
            return
        # Nothing but INVITE may wait for a person; nobody would retransmit longer than this.
        due = now + self._agent.config.timers.give_up_s / 2
        unanswered = partial(self._unanswered, leg, transaction)
        limit = self._agent.timers.schedule(due, unanswered)
        leg.offered = PendingOffer(transaction, sdp, limit)
        self._agent.events.append(OfferReceived(leg.leg_id, sdp))

    def refusal(self, leg: Leg) -> Refusal | None:
        """Return why no offer of the peer can be taken now."""
        if leg.awaits_our_answer:
            return self.too_early()
        return Refusal(491) if leg.awaits_their_answer else None

    def too_early(self) -> Refusal:
        """Return the refusal of an offer that comes before the one before it is answered."""
        return Refusal(500, (("Retry-After", str(self._agent.ids.uint16() % 11)),))

    def answer(self, leg: Leg, offer: PendingOffer, sdp: bytes, now: float) -> bool:
        """Send the answer; False when another callee answered the call meanwhile."""
        agent, transaction = self._agent, offer.transaction
        dialog = leg.find_dialog(transaction.request.from_tag)
        if dialog is None:
            self.refuse(leg, offer, 481, now)
            return False
        dialog.remote_sdp = offer.sdp
        leg.offers_answered += 1
        leg.agree(local=sdp, remote=offer.sdp)
        headers: HeaderLines = ()
        if transaction.request.method == "UPDATE":
            headers = self.update_headers(leg, transaction, now)
        data = agent.write(transaction, 200, headers, sdp)
        transaction.respond(200, data, now)
        self._settle(leg, offer, now)
        return True

    def update_headers(self, leg: Leg, transaction: ServerTransaction, now: float) -> HeaderLines:
        """Take over the peer's target and refresh the session; return the headers of the 200."""
        request = transaction.request
        dialog = leg.find_dialog(request.from_tag)
        if dialog is None:  # the callee that sent it is out of the race
            return ()
        dialog.refresh_target(contact_uri(request.headers))
        session = self._sessions.answered(leg, request.headers, now)
        return (*self._agent.dialog_headers(transaction, dialog), SUPPORTED, *session)

    def refuse(
        self, leg: Leg, offer: PendingOffer, status: int, now: float, headers: HeaderLines = ()
    ) -> None:
        self._agent.respond(offer.transaction, status, now, headers)
        self._settle(leg, offer, now)

    def _settle(self, leg: Leg, offer: PendingOffer, now: float) -> None:
        offer.limit.cancel()
        leg.offered = None
        self._settled(leg, now)

    def _unanswered(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        offer = leg.offered
        if offer is None or offer.transaction is not transaction:
            return
        if leg.state is not LegState.ENDING:
            self._agent.events.append(OfferWithdrawn(leg.leg_id))
        self.refuse(leg, offer, 504, now)
