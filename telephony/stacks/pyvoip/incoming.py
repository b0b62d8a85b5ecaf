"""Requests of peers: what they mean, and what pyVoIP is told (RFC 3261 sections 8.2, 9.2, 12.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from telephony.sip.body import find_sdp, media_type
from telephony.sip.dialog import Dialog
from telephony.sip.events import (
    InfoReceived,
    InviteCancelled,
    LegEnded,
    OfferReceived,
)
from telephony.sip.leg import LegState
from telephony.sip.message import IncomingRequest, remote_target
from telephony.sip.opening import invite_received
from telephony.sip.routing import local_host_port
from telephony.sip.screening import InfoScreen, take_info
from telephony.sip.transaction import ServerTransaction
from telephony.sip.values import printable, read_number
from telephony.sip.writer import SDP_TYPE, HeaderLines
from telephony.stacks.pyvoip.answering import Answering, OpenInvite
from telephony.stacks.pyvoip.core import Core
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.leg import Leg
from telephony.stacks.pyvoip.line import Line
from telephony.stacks.pyvoip.message import ALLOW

_MAX_EXPIRES_S = 2**32 - 1
_CAPABILITIES = (
    ALLOW,
    ("Accept", SDP_TYPE),
    ("Accept-Encoding", "identity"),
    ("Accept-Language", "en"),
    ("Supported", ""),
)


class Incoming:
    """``options_status`` and ``options_headers`` are what OPTIONS gets.

    ``screen_info`` is asked about every INFO that belongs to no package.
    """

    def __init__(self, core: Core, answering: Answering) -> None:
        self._core = core
        self._answering = answering
        self.options_status = 200
        self.options_headers: HeaderLines = ()
        self.screen_info: InfoScreen = take_info
        self._in_dialog: dict[str, Callable[[Leg, ServerTransaction, float], None]] = {
            "BYE": self._receive_bye,
            "INFO": self._receive_info,
            "INVITE": self._receive_reinvite,
        }
        self._outside: dict[str, Callable[[ServerTransaction, float], None]] = {
            "CANCEL": self._receive_cancel,
            "INVITE": self._receive_invite,
            "OPTIONS": self._answer_options,
        }

    def serve(self, transaction: ServerTransaction, now: float) -> None:
        """Take a request that was not refused, nor seen before."""
        request = transaction.request
        if request.to_tag and request.method != "CANCEL":
            self._receive_in_dialog(transaction, now)
        elif (receive := self._outside.get(request.method)) is not None:
            receive(transaction, now)
        else:
            self._core.refuse(transaction, 481, now)

    # Outside of dialogs

    def _receive_invite(self, transaction: ServerTransaction, now: float) -> None:
        core, request = self._core, transaction.request
        target = remote_target(request)
        if target is None:
            core.refuse(transaction, 400, now, (("Warning", '399 telephony "no Contact"'),))
            return
        tag = transaction.local_tag = core.ids.token()
        host, _, port = local_host_port(core.config, request.flow).rpartition(":")
        line = core.enter(partial(Line, (host, int(port)), request.flow.remote, tag, core.ids))
        if line is None or core.enter(partial(_take_invite, line, request)) is None:
            core.refuse(transaction, 500, now)
            return
        leg = Leg(tag, LegState.INCOMING, line, request.call_id)
        core.legs[tag] = leg
        core.enter_dialog(leg, Dialog.for_uas(request, tag, target))
        self._begin_answering(leg, transaction, now)
        sdp = find_sdp(request.headers, request.body)
        core.events.append(invite_received(request, tag, sdp))

    def _begin_answering(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Send 100 at once; give the INVITE up when its Expires passes (section 13.3.1)."""
        core = self._core
        leg.incoming = transaction
        leg.last_provisional = b""
        transaction.user = invite = OpenInvite(core, leg, transaction)
        trying = core.enter(partial(leg.line.provisional, 100))
        if trying is not None:
            core.respond(transaction, trying, now)
        due = now + core.config.provisional_refresh_s
        leg.handles.append(core.timers.schedule(due, invite.repeat_provisional))
        expires_s = read_number(transaction.request.headers.get("Expires"), _MAX_EXPIRES_S)
        if expires_s:
            leg.handles.append(core.timers.schedule(now + expires_s, invite.withdrawn))

    def _receive_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """Section 9.2. The 200 carries the INVITE's To tag; a final response wins the race."""
        core, request = self._core, transaction.request
        invite = core.transactions.find_server(request, "INVITE")
        if invite is None:
            core.refuse(transaction, 481, now)
            return
        transaction.local_tag = invite.local_tag
        leg = core.legs.get(invite.local_tag)
        open_invite = invite.user if isinstance(invite.user, OpenInvite) else None
        ringing = leg is not None and leg.state is LegState.INCOMING and not invite.answered
        draft: Draft | None = None
        if leg is not None and ringing:
            draft = core.enter(partial(leg.line.cancel_received, request))
        if draft is None:
            core.refuse(transaction, 200, now)
        else:
            core.respond(transaction, draft, now)
        if not invite.answered and open_invite is not None:
            open_invite.withdrawn(now, printable(request.headers.get("Reason") or ""))

    def _answer_options(self, transaction: ServerTransaction, now: float) -> None:
        headers = (*_CAPABILITIES, *self.options_headers)
        self._core.refuse(transaction, self.options_status, now, headers)

    # Within a dialog

    def receive_ack(self, request: IncomingRequest, now: float) -> None:
        taken = self._core.take_ack(request, now)
        if taken is not None:
            leg, unacked = taken
            self._answering.acknowledged(leg, request, unacked, now)

    def _receive_in_dialog(self, transaction: ServerTransaction, now: float) -> None:
        core, request = self._core, transaction.request
        leg = core.dialogs.get(request.dialog_key)
        if leg is None or leg.dialog is None:
            core.refuse(transaction, 481, now)
            return
        if not leg.dialog.accept_cseq(request.cseq):
            core.refuse(transaction, 500, now)
            return
        leg.dialog.heard_over(request.flow)
        if leg.state is LegState.ENDING and request.method != "BYE":
            core.refuse(transaction, 481, now)
        elif (receive := self._in_dialog.get(request.method)) is not None:
            receive(leg, transaction, now)
        else:
            self._answer_options(transaction, now)

    def _receive_bye(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Section 15.1.2: an INVITE that is still open is over as well."""
        core, request = self._core, transaction.request
        draft = core.enter(partial(leg.line.bye_received, request))
        if draft is None:
            core.refuse(transaction, 200, now)
        else:
            core.respond(transaction, draft, now)
        reason = printable(request.headers.get("Reason") or "")
        if leg.incoming is not None:
            core.refuse(leg.incoming, 487, now)
            leg.incoming = None
        if leg.state is LegState.INCOMING:
            core.end_leg(leg, InviteCancelled(leg.leg_id, reason))
        else:
            core.end_leg(leg, LegEnded(leg.leg_id, "remote", reason))
        core.forget(leg)

    def _receive_info(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        core, request = self._core, transaction.request
        if request.headers.get("Info-Package") is not None:  # RFC 6086 section 4.2.2
            core.refuse(transaction, 469, now, (("Recv-Info", ""),))
            return
        kind = media_type(request.headers)
        refusal = self.screen_info(kind, request.body)
        if refusal is not None:
            core.refuse(transaction, refusal.status, now, refusal.headers)
            return
        draft = core.enter(partial(leg.line.ok, request))
        if draft is None:
            core.refuse(transaction, 200, now)
        else:
            core.respond(transaction, draft, now)
        core.events.append(InfoReceived(leg.leg_id, printable(kind), request.body))

    def _receive_reinvite(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Section 14.2: one at a time, and none while an offer of ours is not answered."""
        core, request = self._core, transaction.request
        if leg.incoming is not None:
            wait = ("Retry-After", str(core.ids.uint16() % 11))
            core.refuse(transaction, 500, now, (wait,))
        elif leg.state is LegState.CALLING or leg.awaits_answer:
            core.refuse(transaction, 491, now)
        else:
            self._begin_answering(leg, transaction, now)
            sdp = find_sdp(request.headers, request.body)
            core.events.append(OfferReceived(leg.leg_id, sdp))


def _take_invite(line: Line, request: IncomingRequest) -> bool:
    line.receive_invite(request)
    return True
