"""One call over PJSIP as a leg: a state machine that events drive and that commands a line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import (
    CannotAnswer,
    Encoding,
    Leg,
    LegFacts,
    LegListener,
)
from telephony.sdp.refusal import NotAcceptable
from telephony.sip.events import CallFailed
from telephony.sip.reason import reason_for
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.peer_policy import ReferUri
from telephony.stacks.pjsip import call_events as tell
from telephony.stacks.pjsip.hold_request import HoldRequest
from telephony.stacks.pjsip.leg_parts import LegParts
from telephony.stacks.pjsip.line import Line
from telephony.stacks.pjsip.media import PjsipMedia
from telephony.stacks.pjsip.messages import header_of, headers_of, replacing_uri
from telephony.stacks.pjsip.offer_check import check_offer
from telephony.stacks.pjsip.referral import Referral

LINE_BUSY_S: Final = 0.2
"""How long a re-INVITE waits for the one that is under way."""


class PjsipLeg:
    """Implements :class:`telephony.base.interfaces.Leg`; see there for the contract."""

    def __init__(
        self,
        parts: LegParts,
        line: Line,
        facts: LegFacts,
        offer: bytes | None,
        policy: MediaPolicy,
        refer_uri: ReferUri,
        *,
        outbound: bool,
    ) -> None:
        self.facts = facts
        self.ended = False
        self.failure: CallFailed | None = None
        self.heard = False
        self.line = line
        self._parts = parts
        self._offer = offer
        self._policy = policy
        self._refer_uri = refer_uri
        self._outbound = outbound
        self._listener: LegListener | None = None
        self._media: PjsipMedia | None = None
        self._warning: tuple[tuple[str, str], ...] = ()
        self._remote_target = ""
        self._answered = False
        self._stands = False
        self._confirmed = False
        self._final_sent = False
        self._rejected = 0
        self._bye: bytes | None = None
        self._last_response: tell.ResponseReceived | None = None
        # Later responses are to re-INVITEs; to a call that came in all of them are.
        self._answered_message = not outbound
        self._digits_by_rtp: bool | None = None
        self._hold = HoldRequest(self._turn)
        self._referral = Referral(parts.loop, self._transfer_progressed, self._transfer_finished)
        self._timer: asyncio.TimerHandle | None = None
        if outbound:
            self._open_media()

    @property
    def media(self) -> PjsipMedia:
        if self._media is None:
            raise LocalProtocolError("the leg's media was not prepared")
        return self._media

    def listen(self, listener: LegListener) -> None:
        self._listener = listener

    def give_up_after(self, ring_timeout_s: float) -> None:
        """Cancel the call when nobody answers in time."""
        self._timer = self._parts.loop.call_later(ring_timeout_s, self.hangup, "no_answer")

    # Commands

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> None:
        self._open_media().adopt_encoding(encoding, sample_rate_hz)

    def prepare(self) -> None:
        """See whether PJSIP's answer will be one that the policy allows; raises CannotAnswer."""
        if self._offer is None:
            self._open_media()
            return
        parts = self._parts
        codecs = self._policy.codecs or parts.config.codecs
        try:
            spoken = check_offer(
                self._offer, codecs, self._policy.srtp, parts.srtp_suites, parts.ids
            )
        except NotAcceptable as refusal:
            # RFC 3261 section 13.3.1.3: the refusal says why.
            self._warning = (("Warning", refusal.warning_value),)
            raise CannotAnswer(refusal.status, refusal.warning) from refusal
        self._open_media().show_unless_adopted(spoken)

    def _open_media(self) -> PjsipMedia:
        if self._media is None:
            parts = self._parts
            self._media = PjsipMedia(
                parts.config,
                parts.ticker,
                parts.clock,
                self.line,
                self._media_failed,
                parts.bridge_rate_hz,
                self._policy.dtmf or parts.config.dtmf,
            )
        return self._media

    def ring(self) -> None:
        if not self.ended and not self._final_sent:
            self.line.respond(180)

    def progress(self) -> None:
        if not self.ended and not self._answered and not self._final_sent:
            self.line.respond(183)

    def answer(self) -> None:
        if not self.ended and not self._final_sent:
            self._answered = True
            self.line.respond(200)
            # PJSIP sends a BYE then, and waits as long again for an answer to that.
            wait_s = self._parts.ack_timeout_s
            self._timer = self._parts.loop.call_later(wait_s, self._ack_missed)

    def _ack_missed(self) -> None:
        """End a call that never stood up: nothing else watches over one that is not confirmed."""
        self.hangup()
        self._end("error", "no_ack", 408)

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None:
        wait = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        self.refuse(status, reason, (*wait, *self._warning))

    def refuse(
        self, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Send the final response with these headers, unless one was sent."""
        if self.ended or self._final_sent:
            return
        self._final_sent, self._rejected = True, status
        self.line.respond(status, reason, headers)

    def hangup(self, cause: str = "") -> None:
        if self.ended or self._final_sent:
            return
        if not self._outbound and not self._answered:
            self.reject(480)
            return
        self._final_sent = True
        self.line.hang_up((("Reason", reason_for(cause)),) if cause else ())

    def hold(self) -> None:
        if self._answered:
            self._hold.want(True)

    def resume(self) -> None:
        if self._answered:
            self._hold.want(False)

    def _turn(self, held: bool) -> None:
        if self.ended or self._final_sent:
            return
        if held:
            self.line.hold()
        else:
            self.line.resume()

    def transfer(self, target: str, replacing: Leg | None = None) -> None:
        if self.ended:
            return
        self._referral.begin()
        if not isinstance(replacing, PjsipLeg):
            self.line.refer(self._refer_uri(self.facts, target, self._remote_target))
        elif replacing.ended:
            later = self._parts.loop.call_soon
            later(self._referral.failed, 481, "The consultation is over")
        elif replacing.own_uri:
            self.line.refer(replacing.own_uri)
        else:
            self.line.refer_replacing(replacing.line)

    @property
    def own_uri(self) -> str:
        """The URI of the dialog's peer with the dialog that a call there is to replace.

        RFC 5589 section 7.3: that is where its Contact says. "" for a dialog whose tags PJSIP
        keeps to itself: that of a call that came in.
        """
        answer = self._last_response
        if answer is None or not self._stands or not self._remote_target:
            return ""
        return replacing_uri(self._remote_target, headers_of(answer.message))

    def answer_refer(self, status: int) -> None:
        """Nothing to answer: PJSIP's callback declines every REFER, nobody hears of one."""

    def close(self) -> None:
        if self._media is not None:
            self._media.close()

    # What PJSIP reports

    def receive(self, event: tell.CallEvent) -> None:
        """Take the next event of this call."""
        if not self.ended:
            _REACTIONS[type(event)](self, event)
        elif isinstance(event, tell.CountsRead) and self._media is not None:
            self._media.counted(event)

    def _state_changed(self, event: tell.StateChanged) -> None:
        self._remote_target = event.remote_target or self._remote_target
        if event.state == "disconnected":
            self._disconnected(event)
        elif event.state == "connecting" and self._outbound:
            self._answered = True
        elif event.state == "confirmed":
            self._answered = self._stands = True
            self._confirm()

    def _confirm(self) -> None:
        """Report the call once the dialog stands and audio is known, whichever comes last."""
        media = self._media
        if self._confirmed or not self._stands or media is None or not media.active:
            return
        self._confirmed = True
        self._stop_timer()
        if self._listener is not None:
            self._listener.leg_confirmed()
        self._report_hold(held_before=False)
        self._hold.open()

    def _media_changed(self, event: tell.MediaChanged) -> None:
        media = self._open_media()
        held = media.caller_away
        media.negotiated(event)
        if self._confirmed:
            self._report_hold(held)
        else:
            self._confirm()

    def _report_hold(self, held_before: bool) -> None:
        held = self.media.caller_away
        if held != held_before and self._listener is not None:
            self._listener.leg_held(held)

    def _counts_read(self, event: tell.CountsRead) -> None:
        if self._media is not None:
            self._media.counted(event)

    def _response_received(self, event: tell.ResponseReceived) -> None:
        self.heard = True
        if self._answered_message and event.status >= 200:
            self._reinvite_answered(event.status)
        if self._answered_message:
            return
        self._last_response = event
        self._answered_message = 200 <= event.status < 300
        if 100 < event.status < 200 and self._listener is not None:
            early = self._media is not None and self._media.active
            self._listener.leg_progressed(event.status, early)

    def _reinvite_answered(self, status: int) -> None:
        delay_s = self._hold.answered(status, self._parts.ids)
        if delay_s is not None:
            self._parts.loop.call_later(delay_s, self._hold.retry)

    def _bye_received(self, event: tell.ByeReceived) -> None:
        self._bye = event.message

    def _refer_answered(self, event: tell.ReferAnswered) -> None:
        self._referral.answered(event.status, event.reason)

    def _refer_notified(self, event: tell.ReferNotified) -> None:
        self._referral.notified(event.status, event.reason, event.final)

    def _transfer_progressed(self, status: int, reason: str) -> None:
        if self._listener is not None and not self.ended:
            self._listener.transfer_progressed(status, reason)

    def _transfer_finished(self, status: int, reason: str, refused: bool) -> None:
        if self._listener is not None and not self.ended:
            self._listener.transfer_finished(status, reason, refused)

    def _digit_pressed(self, event: tell.DigitPressed) -> None:
        """Take a digit by the way of the first one: some peers send each in both."""
        if self._digits_by_rtp is None:
            self._digits_by_rtp = event.by_rtp
        if self._digits_by_rtp is event.by_rtp and self._listener is not None:
            self._listener.digit_received(event.digit)

    def _command_failed(self, event: tell.CommandFailed) -> None:
        if event.what in ("hold", "resume"):
            if self._hold.refused():
                self._parts.loop.call_later(LINE_BUSY_S, self._hold.retry)
        elif event.what == "refer":
            self._referral.failed(500, event.reason)
        elif event.what == "place":
            self.failure = CallFailed("", 503, event.reason)
            self._end("remote", event.reason or "failed", 503)

    # The end

    def _disconnected(self, event: tell.StateChanged) -> None:
        status, reason = event.status, event.reason
        if self._outbound and not self._answered:
            self._fail(status, reason)
        elif self._bye is not None:
            self._end("remote", header_of(self._bye, "Reason"), 0)
        elif self._rejected:
            self._end("local", "", self._rejected)
        elif not self._outbound and not self._answered:
            cancelled = status in (0, 487)
            self._end(*(("remote", "cancelled", 487) if cancelled else ("error", reason, status)))
        elif self._final_sent:
            self._end("local", "", 0)
        elif not self._stands:
            self._end("error", "no_ack", 408)
        else:
            self._end("error", reason or "signalling_failed", status)

    def _fail(self, status: int, reason: str) -> None:
        """End a call of ours that nobody answered; a response of the network comes with it."""
        last = self._last_response
        if last is not None and last.status == status:
            self.failure = CallFailed("", status, reason, headers_of(last.message))
        else:
            self.failure = CallFailed("", status, reason)
        self._end("remote", reason or "failed", status)

    def _end(self, ended_by: str, cause: str, status: int) -> None:
        if self.ended:
            return
        self.ended = True
        self._stop_timer()
        self._referral.close()
        if self._listener is not None:
            self._listener.leg_ended(ended_by, cause, status)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _media_failed(self, error: Exception) -> None:
        """A fault of ours: this leg ends, and no other notices."""
        self._parts.loop.call_exception_handler(
            {"message": "media of a leg failed", "exception": error}
        )
        if not self._outbound and not self._answered:
            self.reject(500)
        else:
            self.hangup()
        self._end("error", "media_failed", 500)


_REACTIONS: dict[type, Callable[[PjsipLeg, Any], None]] = {
    tell.StateChanged: PjsipLeg._state_changed,
    tell.MediaChanged: PjsipLeg._media_changed,
    tell.CountsRead: PjsipLeg._counts_read,
    tell.ResponseReceived: PjsipLeg._response_received,
    tell.ByeReceived: PjsipLeg._bye_received,
    tell.ReferAnswered: PjsipLeg._refer_answered,
    tell.ReferNotified: PjsipLeg._refer_notified,
    tell.DigitPressed: PjsipLeg._digit_pressed,
    tell.CommandFailed: PjsipLeg._command_failed,
}
