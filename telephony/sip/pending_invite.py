"""An INVITE of a peer that waits for our final response."""

from __future__ import annotations

from telephony.sip.agent import Agent
from telephony.sip.events import InviteCancelled, LegEnded, OfferWithdrawn
from telephony.sip.leg import Leg, LegState
from telephony.sip.transaction import ServerTransaction


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
        self._give_up(InviteCancelled(self._leg.leg_id, reason), now)

    def transaction_failed(self, status: int, now: float) -> None:
        if self._leg.incoming is self._transaction:
            self._give_up(LegEnded(self._leg.leg_id, "error", status=status), now)

    def _give_up(self, event: InviteCancelled | LegEnded, now: float) -> None:
        agent, leg = self._agent, self._leg
        leg.incoming = None
        if leg.state is LegState.INCOMING:
            agent.end_leg(leg, event)
            agent.forget_early(leg, now)
        else:
            leg.stop_timers()
            agent.events.append(OfferWithdrawn(leg.leg_id))

    def repeat_provisional(self, now: float) -> None:
        leg, agent = self._leg, self._agent
        if leg.incoming is not self._transaction:
            return
        if leg.last_provisional:
            self._transaction.respond(180, leg.last_provisional, now)
        elif leg.reliable is not None:
            leg.reliable.send_again(now)
        due = now + agent.config.provisional_refresh_s
        leg.handles.append(agent.timers.schedule(due, self.repeat_provisional))
