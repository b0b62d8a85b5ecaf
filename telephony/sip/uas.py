"""The answering side: what a request of a peer means (RFC 3261 sections 8.2, 9.2, 12.2.2 to 15)."""

from __future__ import annotations

from collections.abc import Callable

from telephony.sip.agent import Agent
from telephony.sip.answers import Answers
from telephony.sip.body import find_sdp, media_type
from telephony.sip.dialog import Dialog
from telephony.sip.events import (
    InfoReceived,
    InviteCancelled,
    LegEnded,
    OfferReceived,
)
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import IncomingRequest, remote_target
from telephony.sip.opening import invite_received
from telephony.sip.pending_invite import PendingInvite
from telephony.sip.replaces import find_replaced
from telephony.sip.screening import InfoScreen, Refusal, take_info
from telephony.sip.status import ALLOW, SUPPORTED
from telephony.sip.transaction import ServerTransaction
from telephony.sip.values import printable, read_number
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


# BYEs cross, and a PRACK may come after the final response (RFC 3262 section 3).
_TAKEN_WHEN_ENDING = frozenset(("BYE", "PRACK"))
# Who has not answered our INVITE has to refuse it instead (section 15).
_REFUSED_WHEN_CALLING = frozenset(("BYE", "INVITE"))

ReceiveInDialog = Callable[[Leg, ServerTransaction, float], None]
ReceiveNew = Callable[[ServerTransaction, float], None]


class Uas:
    """Requests of peers. ``options_status`` and ``options_headers`` are what OPTIONS gets.

    ``screen_info`` is asked about every INFO that belongs to no package.

    ``in_dialog`` and ``outside`` map a method to what takes its requests; others get the answer
    of OPTIONS in a dialog and 481 outside.
    """

    __slots__ = (
        "_agent",
        "_answers",
        "in_dialog",
        "options_headers",
        "options_status",
        "outside",
        "screen_info",
    )

    def __init__(self, agent: Agent, answers: Answers) -> None:
        self._agent = agent
        self._answers = answers
        self.options_status = 200
        self.options_headers: HeaderLines = ()
        self.screen_info: InfoScreen = take_info
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

    def serve(self, transaction: ServerTransaction, now: float) -> None:
        """Take a request that was not refused, nor seen before."""
        request = transaction.request
        if request.to_tag and request.method != "CANCEL":
            self._receive_in_dialog(transaction, now)
        elif (receive := self.outside.get(request.method)) is not None:
            receive(transaction, now)
        else:
            self._agent.refuse(transaction, 481, now)

    def receive_ack(self, request: IncomingRequest, now: float) -> None:
        taken = self._agent.take_ack(request, now)
        if taken is not None:
            leg, unacked = taken
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
        replaces_leg_id = replaced.leg_id if replaced is not None else ""
        agent.events.append(invite_received(request, leg.leg_id, sdp, replaces_leg_id))

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
        kind = media_type(request.headers)
        refusal = self.screen_info(kind, request.body)
        if refusal is not None:
            agent.refuse(transaction, refusal.status, now, refusal.headers)
            return
        agent.respond(transaction, 200, now)
        agent.events.append(InfoReceived(leg.leg_id, printable(kind), request.body))

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
