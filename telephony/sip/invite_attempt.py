"""Our INVITE, first or within a dialog (RFC 3261 sections 9, 13 and 14)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import sipmessage

from telephony.sip.body import UnsupportedBodyError, find_sdp, same_session
from telephony.sip.dialog import Dialog
from telephony.sip.early_dialog import EarlyDialog, EarlyDialogs, reliable_rseq
from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    CallFailed,
    CallProgressed,
    OfferReceived,
    ReinviteFailed,
)
from telephony.sip.flow import Outgoing
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import HeaderView, IncomingResponse, contact_uri
from telephony.sip.outgoing_request import OutgoingRequest
from telephony.sip.status import reason_phrase
from telephony.sip.timers import TimerCallback, TimerHandle
from telephony.sip.transaction import ClientTransaction
from telephony.sip.transaction_table import Signal
from telephony.sip.values import printable
from telephony.sip.writer import SDP_TYPE, HeaderLines, write_request

if TYPE_CHECKING:
    from telephony.sip.uac import Uac


# How a cancelled INVITE ends when the CANCEL did it; a challenge is not answered any more.
_CANCELLED_AS = frozenset((401, 407, 408, 487))


class InviteAttempt:
    """The user of one INVITE's client transactions: one, and one more for every further try.

    ``target`` is the Request-URI without what a strict router makes of it. ``_acks`` holds the ACK
    by the branch of the try and the To tag, to be sent again with every repeated 2xx; None marks a
    2xx whose ACK waits for our answer to the offer in it. ``tries`` counts collisions, ``session``
    is the leg's ``offers_answered`` at the time of our offer. ``_limit`` runs until a final
    response. ``_dialog`` is that of a re-INVITE; ``_over`` is set by a refusal that stands.
    """

    __slots__ = (
        "_acks",
        "_cancel_headers",
        "_cancel_sent",
        "_dialog",
        "_early",
        "_limit",
        "_offered",
        "_over",
        "_provisional",
        "cancel_status",
        "cancelled",
        "leg",
        "refresh",
        "request",
        "sdp",
        "session",
        "target",
        "transaction",
        "tries",
        "uac",
    )

    def __init__(
        self, uac: Uac, leg: Leg, request: OutgoingRequest, sdp: bytes | None, target: str = ""
    ) -> None:
        self.uac = uac
        self.leg = leg
        self.request = request
        self.sdp = sdp
        self.target = target or request.parts.uri
        self.tries = 1
        self.refresh = False
        self.session = leg.offers_answered
        self.cancelled = False
        self.cancel_status = 487
        self.transaction: ClientTransaction | None = None
        self._acks: dict[tuple[str, str], Outgoing | None] = {}
        self._cancel_headers: HeaderLines = ()
        self._cancel_sent = False
        self._dialog = leg.dialog
        self._early = EarlyDialogs(uac.agent, leg)
        self._limit: TimerHandle | None = None
        self._offered = False
        self._over = False
        self._provisional = False

    @property
    def first(self) -> bool:
        """True for the INVITE that makes the leg, False within a dialog."""
        return self.leg.state is LegState.CALLING

    @property
    def heard(self) -> bool:
        """True once the other side answered anything to the last try, 100 Trying included."""
        return self._provisional

    @property
    def awaits_our_answer(self) -> bool:
        return self._offered

    def begin(self, now: float) -> None:
        """Send the INVITE, the first time or once more."""
        agent, request = self.uac.agent, self.request
        self._provisional = False
        data = request.write(now)
        self.transaction = agent.transactions.create_client(
            "INVITE", request.branch, request.flow, self, self._write_refusal_ack
        )
        self._limit_at(now + agent.config.ring_timeout_s, self._ring_timed_out)
        self.transaction.begin(data, now)

    def try_again(self, now: float) -> None:
        """Send the INVITE as a new request of the same call, after a refusal (section 8.1.3.5)."""
        cseq = max(self.request.parts.cseq, self._early.last_cseq)
        self._early.forget()
        self.leg.agreed = False
        self.request.renew(cseq)
        self.begin(now)

    def leg_ended(self, now: float) -> None:
        """Acknowledge an offer without an answer; wait only so long for what never comes."""
        if self._offered:
            self.send_ack(None, now)
            return
        self._limit_at(now + self.uac.agent.config.timers.give_up_s, self._abandon)

    def _limit_at(self, deadline: float, callback: TimerCallback) -> None:
        self._lift_limit()
        self._limit = self.uac.agent.timers.schedule(deadline, callback)

    def _lift_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _ring_timed_out(self, now: float) -> None:
        self.cancel_status = 408
        self.cancel(now)

    def cancel(self, now: float, headers: HeaderLines = ()) -> None:
        """Send CANCEL, as soon as a provisional response allows it (section 9.1)."""
        if not self.cancelled:
            self.cancelled = True
            self._cancel_headers = headers
        if self._cancel_sent or not self._provisional:
            return
        self._cancel_sent = True
        request = self.request
        parts = replace(request.parts, method="CANCEL")
        self.uac.send_cancel(parts, request.branch, request.flow, self._cancel_headers, now)
        self._limit_at(now + self.uac.agent.config.timers.give_up_s, self._abandon)

    def _abandon(self, now: float) -> None:
        if self.transaction is not None:
            self.transaction.step(Signal.ABANDON, now)

    # -- what the transaction reports ---------------------------------------------------------

    def response_received(self, response: IncomingResponse, now: float) -> None:
        if response.status < 200:
            self._progressed(response, now)
        elif response.status < 300:
            self._accepted(response, now)
        else:
            self._refused(response.status, printable(response.reason), response, now)

    def request_failed(self, status: int, now: float) -> None:
        unheard = status == 503 and self._wanted and not self._provisional
        if unheard and self.request.return_to_datagrams(now):
            self.begin(now)
        else:
            self._refused(status, reason_phrase(status), None, now)

    @property
    def _wanted(self) -> bool:
        return not self.cancelled and self.leg.state is not LegState.ENDING

    def _progressed(self, response: IncomingResponse, now: float) -> None:
        self._provisional = True
        self.leg.learn(response.headers)
        sdp = _sdp_or_none(response)
        if self.first and response.status > 100:
            early = self._early.progressed(response, partial(self._dialog_of, response))
            if early is not None:
                if not self._acknowledge_provisional(early, response, now):
                    return
                early.described(sdp, reliably=bool(early.rseq))
        if self.cancelled:
            self.cancel(now)
        elif self.first and response.status > 100:
            fork = printable(response.to_tag)
            event = CallProgressed(self.leg.leg_id, response.status, sdp, fork)
            self.uac.agent.events.append(event)

    def _acknowledge_provisional(
        self, early: EarlyDialog, response: IncomingResponse, now: float
    ) -> bool:
        """Send PRACK for a reliable response; False when it is to be ignored (RFC 3262 section 4).

        Its outcome changes nothing: a callee that wants none of it refuses the INVITE.
        """
        rseq = reliable_rseq(response)
        if not rseq or self.sdp is None:
            return True
        stats = self.uac.agent.stats
        if not early.accept_rseq(rseq):
            stats.provisionals_ignored += 1
            return False
        rack = (("RAck", f"{rseq} {response.cseq} INVITE"),)
        self.uac.send_in_dialog(early.dialog, "PRACK", rack, self._prack_finished, now)
        self.leg.agreed = self.leg.agreed or _sdp_or_none(response) is not None
        return True

    def _prack_finished(self, status: int, _reason: str, _now: float) -> None:
        if status >= 300:
            self.uac.agent.stats.pracks_refused += 1

    def _accepted(self, response: IncomingResponse, now: float) -> None:
        expected = not self._over and response.branch == self.request.branch
        if expected:
            self._lift_limit()
        key, dialog = (response.branch, response.to_tag), self._dialog
        if key in self._acks:
            ack = self._acks[key]
            if ack is not None:
                self.uac.agent.transactions.send(ack.data, ack.flow)
        elif expected and self.first:
            self._answered(response, now)
        elif expected and dialog is not None and dialog.remote_tag == response.to_tag:
            self._reinvite_answered(response, dialog, now)
        else:
            self._accepted_too_late(response, now)

    def _dialog_of(self, response: IncomingResponse) -> Dialog:
        """Return the dialog that a response makes, or makes final."""
        request = self.request
        dialog = self._early.dialog_of(response) or Dialog.for_uac(
            response, request.parts.from_value, self.target, request.flow
        )
        dialog.local_cseq = max(dialog.local_cseq, request.parts.cseq)
        dialog.authentication = request.authentication
        return dialog

    def _answered(self, response: IncomingResponse, now: float) -> None:
        """Make the dialog of the first 2xx (section 13.2.2.4).

        It needs no answer to our offer when a provisional response brought it (section 13.2.1). A
        dialog that we sent BYE is over, whatever is said in it afterwards (section 15.1.1).
        """
        agent, leg = self.uac.agent, self.leg
        self._early.leave()
        dialog = self._dialog_of(response)
        agent.enter_dialog(leg, dialog)
        leg.state = LegState.UP
        leg.confirmed = True
        sdp = _sdp_or_none(response)
        if sdp is None and self.sdp is not None:
            sdp = dialog.remote_sdp
        if self.cancelled or self._early.is_closed(response.to_tag):
            self.send_ack(None, now)
            failed = self._call_failed(487, reason_phrase(487), None)
            self.uac.end(leg, now, failed, self._cancel_headers)
            return
        self._acknowledge(response, sdp, now)
        self._settle(response, leg.local_sdp or self.sdp, sdp, now)
        agent.events.append(CallAnswered(leg.leg_id, sdp))

    def _settle(
        self, response: IncomingResponse, local: bytes | None, sdp: bytes | None, now: float
    ) -> None:
        """Note what the 2xx says of the session and of its timer."""
        self.leg.learn(response.headers)
        self.leg.agree(local=local, remote=sdp)
        self.uac.sessions.accepted(self.leg, response.headers, now)

    def _reinvite_answered(self, response: IncomingResponse, dialog: Dialog, now: float) -> None:
        dialog.refresh_target(contact_uri(response.headers))
        sdp = _sdp_or_none(response)
        self._acknowledge(response, sdp, now)
        if self.leg.state is not LegState.UP:
            return
        changed = not same_session(sdp, self.leg.remote_sdp)
        self._settle(response, self.sdp, sdp, now)
        if self.refresh:
            self.uac.sessions.refreshed()
        if changed or not self.refresh:
            offered = self.sdp is None and sdp is not None
            event = OfferReceived if offered else AnswerReceived
            self.uac.agent.events.append(event(self.leg.leg_id, sdp))

    def _acknowledge(self, response: IncomingResponse, sdp: bytes | None, now: float) -> None:
        """Send the ACK at once, unless it has to carry our answer to an offer."""
        if self.sdp is None and sdp is not None and self.leg.state is LegState.UP:
            self._offered = True
            self._acks[response.branch, response.to_tag] = None
            return
        self.send_ack(None, now)

    def send_ack(self, sdp: bytes | None, now: float) -> None:
        """Acknowledge the 2xx of the leg's dialog, with our answer if it made the offer."""
        dialog = self.leg.dialog
        if dialog is None:
            return
        self._offered = False
        if self.leg.outgoing is self:
            self.leg.outgoing = None
        key = self.request.branch, dialog.remote_tag
        self._acks[key] = self._send_ack_in(dialog, self.request.parts.cseq, sdp)

    def _send_ack_in(self, dialog: Dialog, cseq: int, sdp: bytes | None) -> Outgoing:
        """Send the ACK of a 2xx; it carries the credentials of the INVITE (section 13.2.2.4)."""
        agent = self.uac.agent
        parts, flow = self.uac.dialog_parts(dialog, "ACK", cseq, agent.new_branch())
        credentials = self.request.credential_lines
        data = write_request(parts, credentials, SDP_TYPE if sdp else "", sdp or b"")
        agent.transactions.send(data, flow)
        return Outgoing(data, flow)

    def _accepted_too_late(self, response: IncomingResponse, now: float) -> None:
        """A callee answered too many, or too late: its dialog is acknowledged and closed.

        One with the tags of the call is no other dialog (section 12): only its ACK is due.
        """
        call, key = self.leg.dialog, (response.branch, response.to_tag)
        if call is not None and call.remote_tag == response.to_tag:
            self._acks[key] = self._send_ack_in(call, response.cseq, None)
            return
        self.uac.agent.stats.extra_forks_ended += 1
        dialog = self._dialog_of(response)
        self._acks[key] = self._send_ack_in(dialog, response.cseq, None)
        self._early.close(dialog)
        self.uac.send_bye(dialog, None, (), now)

    def _refused(
        self, status: int, reason: str, response: IncomingResponse | None, now: float
    ) -> None:
        leg, agent = self.leg, self.uac.agent
        self._lift_limit()
        if response is not None and self._wanted and self.request.answer_challenge(response):
            self.try_again(now)
            return
        headers = response.headers if response is not None else None
        if self._wanted and self._ask_for_more(status, headers):
            self.try_again(now)
            return
        self._over = True
        self._early.leave()
        if leg.outgoing is self:
            leg.outgoing = None
        if leg.state is LegState.CALLING:
            agent.end_leg(leg, self._call_failed(status, reason, response))
        elif leg.state is LegState.UP and self.refresh:
            self.uac.sessions.refused(leg, status, headers, now)
        elif leg.state is LegState.UP:
            if status == 491 and self.uac.retry_later(self, now):
                return
            agent.events.append(ReinviteFailed(leg.leg_id, status, reason))
            self.uac.dialog_refused(leg, status, now)

    def _ask_for_more(self, status: int, headers: sipmessage.Headers | None) -> bool:
        """Take over the longer session that a 422 wants (RFC 4028 section 7.3)."""
        request, sessions = self.request, self.uac.sessions
        if request.tries > self.uac.agent.config.reinvite_attempts:
            return False
        if not sessions.raised(self.leg, status, headers):
            return False
        request.headers = sessions.renewed(self.leg, request.headers)
        return True

    def _call_failed(
        self, status: int, reason: str, response: IncomingResponse | None
    ) -> CallFailed:
        """Build the event; after a CANCEL the status says why it was sent."""
        if self.cancelled and (response is None or status in _CANCELLED_AS):
            status = self.cancel_status
            reason = reason_phrase(status)
        if response is None:
            return CallFailed(self.leg.leg_id, status, reason)
        return CallFailed(self.leg.leg_id, status, reason, HeaderView(response.headers))

    def _write_refusal_ack(self, to_value: str) -> bytes:
        parts = replace(self.request.parts, method="ACK", to_value=to_value)
        return write_request(parts, self.request.credential_lines)


def _sdp_or_none(response: IncomingResponse) -> bytes | None:
    try:
        return find_sdp(response.headers, response.body)
    except UnsupportedBodyError:
        return None
