"""Our INVITE, which pyVoIP writes (RFC 3261 sections 9 and 13)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from telephony.sip.authentication import ChallengeKey
from telephony.sip.body import UnsupportedBodyError, find_sdp
from telephony.sip.dialog import Dialog
from telephony.sip.events import CallAnswered, CallFailed, CallProgressed
from telephony.sip.flow import Flow
from telephony.sip.leg import LegState
from telephony.sip.message import HeaderView, IncomingResponse
from telephony.sip.routing import contact_value, via_value
from telephony.sip.status import reason_phrase
from telephony.sip.timers import TimerCallback, TimerHandle
from telephony.sip.transaction import ClientTransaction
from telephony.sip.transaction_table import Signal
from telephony.sip.values import printable
from telephony.sip.writer import HeaderLines, RequestParts
from telephony.stacks.pyvoip.completing import complete_request
from telephony.stacks.pyvoip.core import Core
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.ending import Ending
from telephony.stacks.pyvoip.leg import Leg

_MAX_TRIES = 6
_MAX_FORKS = 16
# How a cancelled INVITE ends when the CANCEL did it.
_CANCELLED_AS = frozenset((401, 407, 408, 487))


@dataclass(slots=True)
class Invitation:
    """What is asked of the callee. ``target`` is the Request-URI before a strict router's."""

    number: str
    target: str
    sdp: bytes
    flow: Flow
    parts: RequestParts
    headers: HeaderLines = ()
    carried: dict[ChallengeKey, str] = field(default_factory=dict)

    @property
    def credential_lines(self) -> HeaderLines:
        """The credentials of the last try, which an ACK repeats (section 22.1)."""
        return [(name, value) for (name, _), value in self.carried.items()]


class InviteTry:
    """The user of one INVITE's client transactions: one, and one more for every challenge.

    ``_acks`` holds the ACK by To tag, to be sent again with every repeated 2xx, ``_described`` what
    callees said of the session before they answered: some do not say it again.
    """

    def __init__(self, core: Core, ending: Ending, leg: Leg, invitation: Invitation) -> None:
        self._core = core
        self._ending = ending
        self._leg = leg
        self._invitation = invitation
        self._acks: dict[str, tuple[bytes, Flow]] = {}
        self._described: dict[str, bytes] = {}
        self._branch = ""
        self._tries = 0
        self._transaction: ClientTransaction | None = None
        self._limit: TimerHandle | None = None
        self._cancelled = False
        self._cancel_sent = False
        self._cancel_headers: HeaderLines = ()
        self._cancel_status = 487
        self._over = False
        self.heard = False

    def begin(self, now: float) -> None:
        """Send the INVITE, the first time or once more."""
        core, wanted, line = self._core, self._invitation, self._leg.line
        self._tries += 1
        self.heard = False
        draft = core.enter(lambda: line.invite(wanted.number, wanted.sdp))
        if draft is None:
            # Whoever placed the call has yet to hear of the leg.
            core.timers.schedule(now, self._could_not_write)
            return
        self._branch = core.new_branch()
        via = via_value(core.config, wanted.flow, self._branch)
        wanted.parts = replace(wanted.parts, via=via)
        if self._leg.authentication is not None:
            wanted.carried = self._leg.authentication.answers("INVITE", wanted.parts.uri)
        headers = (*wanted.credential_lines, *wanted.headers)
        contact = contact_value(core.config, wanted.flow, False)
        data = complete_request(draft, wanted.parts, core.config, headers, contact)
        self._transaction = core.transactions.create_client(
            "INVITE", self._branch, wanted.flow, self, self._write_refusal_ack
        )
        self._limit_at(now + core.config.ring_timeout_s, self._ring_timed_out)
        self._transaction.begin(data, now)

    def cancel(self, now: float, headers: HeaderLines = ()) -> None:
        """Send CANCEL, as soon as a provisional response allows it (section 9.1)."""
        core, wanted = self._core, self._invitation
        if not self._cancelled:
            self._cancelled = True
            self._cancel_headers = headers
        if self._cancel_sent or not self.heard:
            return
        self._cancel_sent = True
        draft = core.enter(self._leg.line.cancel)
        if draft is not None:
            parts = replace(wanted.parts, method="CANCEL")
            data = complete_request(draft, parts, core.config, self._cancel_headers)
            core.transactions.create_client(
                "CANCEL", self._branch, wanted.flow, _Unwatched()
            ).begin(data, now)
        self._limit_at(now + core.config.timers.give_up_s, self._abandon)

    def _limit_at(self, deadline: float, callback: TimerCallback) -> None:
        self._lift_limit()
        self._limit = self._core.timers.schedule(deadline, callback)

    def _lift_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _ring_timed_out(self, now: float) -> None:
        self._cancel_status = 408
        self.cancel(now)

    def _abandon(self, now: float) -> None:
        if self._transaction is not None:
            self._transaction.step(Signal.ABANDON, now)

    # What the transaction reports

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
        self.heard = True
        if self._cancelled:
            self.cancel(now)
        elif self._leg.state is LegState.CALLING and response.status > 100:
            sdp, fork = _sdp_or_none(response), printable(response.to_tag)
            if sdp is not None and len(self._described) < _MAX_FORKS:
                self._described[response.to_tag] = sdp
            self._core.events.append(CallProgressed(self._leg.leg_id, response.status, sdp, fork))

    def _accepted(self, response: IncomingResponse, now: float) -> None:
        core, leg = self._core, self._leg
        self._lift_limit()
        if (ack := self._acks.get(response.to_tag)) is not None:
            core.transactions.send(*ack)
        elif leg.state is LegState.CALLING and not self._over:
            self._answered(response, now)
        else:
            self._end_extra_fork(response, now)

    def _dialog_of(self, response: IncomingResponse) -> Dialog:
        wanted = self._invitation
        return Dialog.for_uac(response, wanted.parts.from_value, wanted.target, wanted.flow)

    def _answered(self, response: IncomingResponse, now: float) -> None:
        """Take the first 2xx: its dialog is the call (section 13.2.2.4)."""
        core, leg = self._core, self._leg
        core.enter_dialog(leg, self._dialog_of(response))
        leg.state = LegState.UP
        leg.confirmed = True
        leg.outgoing = None
        draft = core.enter(partial(leg.line.answered, response))
        if draft is None:
            event = CallFailed(leg.leg_id, 500, reason_phrase(500))
            self._ending.end(leg, event, (), now)
            return
        self._send_ack(draft, response)
        if self._cancelled:
            failed = CallFailed(leg.leg_id, self._cancel_status, reason_phrase(self._cancel_status))
            self._ending.end(leg, failed, self._cancel_headers, now)
            return
        sdp = _sdp_or_none(response) or self._described.get(response.to_tag)
        core.events.append(CallAnswered(leg.leg_id, sdp))

    def _send_ack(self, draft: Draft, response: IncomingResponse) -> None:
        """Send the ACK of a 2xx; it carries the credentials of the INVITE."""
        core = self._core
        dialog = self._leg.dialog
        if dialog is None or dialog.remote_tag != response.to_tag:
            dialog = self._dialog_of(response)
        # pyVoIP sends it to the URI that was called, with another To tag each time.
        parts, flow = core.parts_in(dialog, "ACK", response.cseq, core.new_branch())
        lines = self._invitation.credential_lines
        data = complete_request(draft, parts, core.config, lines)
        core.transactions.send(data, flow)
        self._acks[response.to_tag] = (data, flow)

    def _end_extra_fork(self, response: IncomingResponse, now: float) -> None:
        """A callee answered too many, or too late: its dialog is acknowledged and closed."""
        core, line = self._core, self._leg.line
        core.stats.extra_forks_ended += 1
        ack = core.enter(partial(line.ack, response))
        if ack is None:
            return
        self._send_ack(ack, response)
        dialog = self._dialog_of(response)
        self._ending.send_bye(dialog, lambda _again: line.bye_fork(response), None, (), now)

    def _refused(
        self, status: int, reason: str, response: IncomingResponse | None, now: float
    ) -> None:
        core, leg = self._core, self._leg
        self._lift_limit()
        if response is not None and not self._cancelled and self._is_challenge(response):
            parts = self._invitation.parts
            self._invitation.parts = replace(parts, cseq=parts.cseq + 1)
            self.begin(now)
            return
        self._over = True
        leg.outgoing = None
        core.enter(leg.line.refused)
        if self._cancelled and (response is None or status in _CANCELLED_AS):
            status = self._cancel_status
            reason = reason_phrase(status)
        if response is None:
            self._fail(CallFailed(leg.leg_id, status, reason))
        else:
            self._fail(CallFailed(leg.leg_id, status, reason, HeaderView(response.headers)))

    def _could_not_write(self, now: float) -> None:
        self._fail(CallFailed(self._leg.leg_id, 500, reason_phrase(500)))

    def _fail(self, event: CallFailed) -> None:
        if self._leg.state is LegState.CALLING:
            self._core.end_leg(self._leg, event)

    def _is_challenge(self, response: IncomingResponse) -> bool:
        authentication, wanted = self._leg.authentication, self._invitation
        if authentication is None or response.status not in (401, 407):
            return False
        worth = self._tries < _MAX_TRIES and authentication.challenged(
            response.headers, wanted.carried, "INVITE", wanted.parts.uri
        )
        stats = self._core.stats
        if worth:
            stats.challenges_answered += 1
        else:
            stats.challenges_refused += 1
        return worth

    def _write_refusal_ack(self, to_value: str) -> bytes:
        """Return the ACK that belongs to the INVITE's own transaction (section 17.1.1.3)."""
        core, wanted = self._core, self._invitation
        parts = replace(wanted.parts, method="ACK", to_value=to_value)
        draft = core.enter(self._leg.line.ack_refusal) or Draft("ACK - SIP/2.0\r\nMax-Forwards: 70")
        return complete_request(draft, parts, core.config, wanted.credential_lines)


class _Unwatched:
    """The user of a CANCEL: what counts is how its INVITE ends."""

    def response_received(self, response: IncomingResponse, now: float) -> None:
        pass

    def request_failed(self, status: int, now: float) -> None:
        pass


def _sdp_or_none(response: IncomingResponse) -> bytes | None:
    try:
        return find_sdp(response.headers, response.body)
    except UnsupportedBodyError:
        return None
