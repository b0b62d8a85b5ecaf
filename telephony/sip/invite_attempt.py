"""Our INVITE, first or within a dialog (RFC 3261 sections 9, 13 and 14)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telephony.sip.body import UnsupportedBodyError, find_sdp
from telephony.sip.dialog import Dialog
from telephony.sip.events import (
    AnswerReceived,
    CallAnswered,
    CallFailed,
    CallProgressed,
    OfferReceived,
    ReinviteFailed,
)
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import HeaderView, IncomingResponse, contact_uri
from telephony.sip.status import reason_phrase
from telephony.sip.timers import TimerCallback, TimerHandle
from telephony.sip.transaction import ClientTransaction
from telephony.sip.transaction_table import Signal
from telephony.sip.values import printable
from telephony.sip.writer import SDP_TYPE, RequestParts, write_request

if TYPE_CHECKING:
    from telephony.sip.uac import Uac


class InviteAttempt:
    """The user of one INVITE client transaction.

    ``_acks`` holds the ACK by To tag, to be sent again with every repeated 2xx; None marks a 2xx
    whose ACK waits for our answer to the offer in it. ``tries`` counts collisions, ``session`` is
    the leg's ``offers_answered`` at the time of our offer. ``_limit`` runs until a final response.
    """

    __slots__ = (
        "_acks",
        "_cancel_sent",
        "_limit",
        "_offered",
        "_provisional",
        "cancel_status",
        "cancelled",
        "flow",
        "leg",
        "parts",
        "sdp",
        "session",
        "transaction",
        "tries",
        "uac",
    )

    def __init__(
        self, uac: Uac, leg: Leg, parts: RequestParts, flow: Flow, sdp: bytes | None
    ) -> None:
        self.uac = uac
        self.leg = leg
        self.parts = parts
        self.flow = flow
        self.sdp = sdp
        self.tries = 1
        self.session = leg.offers_answered
        self.cancelled = False
        self.cancel_status = 487
        self.transaction: ClientTransaction | None = None
        self._acks: dict[str, Outgoing | None] = {}
        self._cancel_sent = False
        self._limit: TimerHandle | None = None
        self._offered = False
        self._provisional = False

    @property
    def first(self) -> bool:
        """True for the INVITE that makes the leg, False within a dialog."""
        return self.leg.state is LegState.CALLING

    @property
    def awaits_our_answer(self) -> bool:
        return self._offered

    def begin(self, branch: str, data: bytes, now: float) -> None:
        agent = self.uac.agent
        self.transaction = agent.transactions.create_client(
            "INVITE", branch, self.flow, self, self._write_refusal_ack
        )
        self._limit_at(now + agent.config.ring_timeout_s, self._ring_timed_out)
        self.transaction.begin(data, now)

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

    def cancel(self, now: float) -> None:
        """Send CANCEL, as soon as a provisional response allows it (section 9.1)."""
        self.cancelled = True
        if self._cancel_sent or not self._provisional or self.transaction is None:
            return
        self._cancel_sent = True
        parts = replace(self.parts, method="CANCEL")
        self.uac.send_cancel(parts, self.transaction.key[0], self.flow, now)
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
        self._refused(status, reason_phrase(status), None, now)

    def _progressed(self, response: IncomingResponse, now: float) -> None:
        self._provisional = True
        if self.cancelled:
            self.cancel(now)
        elif self.first and response.status > 100:
            sdp = _sdp_or_none(response)
            event = CallProgressed(self.leg.leg_id, response.status, sdp)
            self.uac.agent.events.append(event)

    def _accepted(self, response: IncomingResponse, now: float) -> None:
        self._lift_limit()
        tag = response.to_tag
        if tag in self._acks:
            ack = self._acks[tag]
            if ack is not None:
                self.uac.agent.transactions.send(ack.data, ack.flow)
        elif self.first:
            self._answered(response, now)
        elif self._acks or self.leg.dialog is None or tag != self.leg.dialog.remote_tag:
            self._end_extra_fork(response, now)
        else:
            self._reinvite_answered(response, self.leg.dialog, now)

    def _dialog_of(self, response: IncomingResponse) -> Dialog:
        return Dialog.for_uac(response, self.parts.from_value, self.parts.uri, self.flow)

    def _answered(self, response: IncomingResponse, now: float) -> None:
        """Make the dialog of the first 2xx (section 13.2.2.4)."""
        agent, leg = self.uac.agent, self.leg
        agent.enter_dialog(leg, self._dialog_of(response))
        leg.state = LegState.UP
        leg.confirmed = True
        sdp = _sdp_or_none(response)
        if self.cancelled:
            self.send_ack(None, now, response.to_tag)
            leg.outgoing = None
            self.uac.end(leg, now, self._call_failed(487, "", None))
            return
        self._acknowledge(response, sdp, now)
        agent.events.append(CallAnswered(leg.leg_id, sdp))

    def _reinvite_answered(self, response: IncomingResponse, dialog: Dialog, now: float) -> None:
        dialog.refresh_target(contact_uri(response.headers))
        sdp = _sdp_or_none(response)
        self._acknowledge(response, sdp, now)
        if self.leg.state is LegState.UP:
            event = OfferReceived if self.sdp is None else AnswerReceived
            self.uac.agent.events.append(event(self.leg.leg_id, sdp))

    def _acknowledge(self, response: IncomingResponse, sdp: bytes | None, now: float) -> None:
        """Send the ACK at once, unless it has to carry our answer to an offer."""
        if self.sdp is None and sdp is not None and self.leg.state is LegState.UP:
            self._offered = True
            self._acks[response.to_tag] = None
            return
        self.leg.outgoing = None
        self.send_ack(None, now, response.to_tag)

    def send_ack(self, sdp: bytes | None, now: float, to_tag: str = "") -> None:
        """Acknowledge the 2xx of the leg's dialog, with our answer if it made the offer."""
        dialog = self.leg.dialog
        if dialog is None:
            return
        self._offered = False
        if self.leg.outgoing is self:
            self.leg.outgoing = None
        self._acks[to_tag or dialog.remote_tag] = self._send_ack_in(dialog, sdp)

    def _send_ack_in(self, dialog: Dialog, sdp: bytes | None) -> Outgoing:
        agent = self.uac.agent
        parts, flow = self.uac.dialog_parts(dialog, "ACK", self.parts.cseq, agent.new_branch())
        data = write_request(parts, (), SDP_TYPE if sdp else "", sdp or b"")
        agent.transactions.send(data, flow)
        return Outgoing(data, flow)

    def _end_extra_fork(self, response: IncomingResponse, now: float) -> None:
        """A second callee answered too: its dialog is acknowledged and closed."""
        self.uac.agent.stats.extra_forks_ended += 1
        dialog = self._dialog_of(response)
        self._acks[response.to_tag] = self._send_ack_in(dialog, None)
        self.uac.send_bye(dialog, None, (), now)

    def _refused(
        self, status: int, reason: str, response: IncomingResponse | None, now: float
    ) -> None:
        leg, agent = self.leg, self.uac.agent
        self._lift_limit()
        if leg.outgoing is self:
            leg.outgoing = None
        if leg.state is LegState.CALLING:
            agent.end_leg(leg, self._call_failed(status, reason, response))
        elif leg.state is LegState.UP:
            if status == 491 and self.uac.retry_later(self, now):
                return
            agent.events.append(ReinviteFailed(leg.leg_id, status, reason))
            self.uac.dialog_refused(leg, status, now)

    def _call_failed(
        self, status: int, reason: str, response: IncomingResponse | None
    ) -> CallFailed:
        """Build the event; after a CANCEL the status says why it was sent."""
        if self.cancelled and status in (408, 487):
            status = self.cancel_status
            reason = reason_phrase(status)
        if response is None:
            return CallFailed(self.leg.leg_id, status, reason)
        return CallFailed(self.leg.leg_id, status, reason, HeaderView(response.headers))

    def _write_refusal_ack(self, to_value: str) -> bytes:
        return write_request(replace(self.parts, method="ACK", to_value=to_value))


def _sdp_or_none(response: IncomingResponse) -> bytes | None:
    try:
        return find_sdp(response.headers, response.body)
    except UnsupportedBodyError:
        return None
