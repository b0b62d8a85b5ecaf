"""A leg of the native stack: one dialog of the user agent and its media."""

from __future__ import annotations

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import CannotAnswer, Encoding, Leg, LegFacts, LegListener
from telephony.net.port_pool import PortPoolExhausted
from telephony.net.sip_endpoint import SipEndpoint
from telephony.rtp.srtp import available_suites
from telephony.sdp.description import Direction
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer
from telephony.sdp.remote import offered_host
from telephony.sip import events as sip
from telephony.sip.reason import reason_for
from telephony.stacks.call_core import CallCore
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.leg_digits import LegDigits
from telephony.stacks.media_config import ip_version
from telephony.stacks.media_digits import DigitRoute
from telephony.stacks.negotiation import Negotiation
from telephony.stacks.peer_policy import ReferUri, at_the_peers_host
from telephony.stacks.rtp_media import MediaPlane, RtpMedia


class NativeLeg:
    """Implements :class:`telephony.base.interfaces.Leg`; see there for the contract."""

    def __init__(
        self,
        user_agent: CallCore,
        endpoint: SipEndpoint,
        plane: MediaPlane,
        leg_id: str,
        facts: LegFacts,
        offer: bytes | None,
        policy: MediaPolicy | None = None,
        refer_uri: ReferUri = at_the_peers_host,
    ) -> None:
        self.leg_id = leg_id
        self.facts = facts
        self.ended = False
        self.failure: sip.CallFailed | None = None
        self.local_sdp = b""
        self._user_agent = user_agent
        self._endpoint = endpoint
        self._plane = plane
        self._policy = policy or MediaPolicy()
        self._refer_uri = refer_uri
        self._offer = offer
        self._outbound = not leg_id
        self._answered = False
        self._final_sent = False
        self._warning: tuple[tuple[str, str], ...] = ()
        self._fault: tuple[str, int] | None = None
        self.digits = LegDigits(user_agent, lambda: self.leg_id, self._now, endpoint.flush)
        self._media: RtpMedia | None = None
        self._negotiation: Negotiation | None = None
        self._listener: LegListener | None = None
        self._early_media = False
        self._confirmed = False
        self._adopted: tuple[Encoding, int] | None = None
        self._refer_accepted = False

    @property
    def media(self) -> RtpMedia:
        if self._media is None:
            raise LocalProtocolError("the leg's media was not prepared")
        return self._media

    @property
    def heard(self) -> bool:
        """True once the callee's side answered anything, 100 Trying included."""
        return self._user_agent.is_heard(self.leg_id)

    def listen(self, listener: LegListener) -> None:
        self._listener = self.digits.listener = listener

    # Commands

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> None:
        self._adopted = (encoding, sample_rate_hz)
        if self._media is not None:
            self._media.adopt_encoding(encoding, sample_rate_hz)

    def prepare(self) -> None:
        """Open the media port and answer the offer, or make one if there was none."""
        negotiation = self._open_media()
        if self._offer is None:
            # The model is connected before the answer to our offer is known.
            self.media.keep_encoding()
            self.local_sdp = negotiation.offer()
            return
        try:
            answer = negotiation.answer(self._offer)
        except NotAcceptable as error:
            # RFC 3261 section 13.3.1.3: the refusal says why.
            self._warning = (("Warning", error.warning_value),)
            raise CannotAnswer(error.status, error.warning) from error
        self.local_sdp = answer.sdp
        self.media.negotiated(answer.media)

    def prepare_offer(self) -> None:
        """Open the media port and make the offer of an outbound call."""
        self.local_sdp = self._open_media().offer()

    def _open_media(self) -> Negotiation:
        config = self._plane.config
        dtmf = self._policy.dtmf or config.dtmf
        codecs = self._policy.codecs or config.codecs
        try:
            signalling_host = self.facts.source_ip
            media_host = offered_host(self._offer or b"") or signalling_host
            self._media = RtpMedia(
                self._plane,
                self.digits.rtp_digit,
                self._media_failed,
                media_host=media_host,
                signalling_host=signalling_host,
                digits=DigitRoute(dtmf, self.digits, self.digits.rtp_digit_finished),
                codec=codecs[0],
                processing=self._policy.processing,
            )
            # The peer's own idea of its address may be that behind its NAT.
            same_version = ip_version(media_host) == ip_version(signalling_host)
            address = self._media.address_towards(signalling_host if same_version else media_host)
        except (PortPoolExhausted, OSError) as error:
            self.close()
            raise CannotAnswer(503, "No media port") from error
        if self._adopted is not None:
            self._media.adopt_encoding(*self._adopted)
        local = LocalMedia(
            address=address,
            port=self._media.port,
            codecs=codecs,
            ptime_ms=config.ptime_ms,
            # Who is to send tones or INFO is not told that there is a better way.
            telephone_event=config.telephone_event and dtmf in ("auto", "rfc4733"),
            comfort_noise=config.comfort_noise,
            srtp=self._policy.srtp,
            srtp_suites=available_suites(),
            rtcp_mux=config.rtcp.negotiated_mux,
        )
        self._negotiation = Negotiation(OfferAnswer(local, self._plane.ids))
        return self._negotiation

    def ring(self) -> None:
        if not self.ended:
            self._user_agent.ring(self.leg_id, self._now())
            self._endpoint.flush()

    def progress(self) -> None:
        if not self.ended and not self._answered:
            self._user_agent.progress(self.leg_id, self.local_sdp, self._now())
            self._endpoint.flush()

    def answer(self) -> None:
        if not self.ended:
            self._answered = True
            self._user_agent.answer(self.leg_id, self.local_sdp, self._now())
            self._endpoint.flush()

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None:
        if self.ended or self._final_sent:
            return
        self._final_sent = True
        wait = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
        headers = (*wait, *self._warning)
        self._user_agent.reject(self.leg_id, status, self._now(), reason=reason, headers=headers)
        self._endpoint.flush()

    def hangup(self, cause: str = "") -> None:
        if self.ended or self._final_sent:
            return
        if not self._outbound and not self._answered:
            self.reject(480)
            return
        self._final_sent = True
        headers = (("Reason", reason_for(cause)),) if cause else ()
        user_agent = self._user_agent
        if self._answered:
            user_agent.bye(self.leg_id, self._now(), headers)
        else:
            user_agent.cancel(self.leg_id, self._now(), headers)
        self._endpoint.flush()

    def hold(self) -> None:
        self._turn("sendonly")

    def resume(self) -> None:
        self._turn("sendrecv")

    def _turn(self, direction: Direction) -> None:
        """Offer another direction, as soon as nothing else is under way."""
        if self._negotiation is not None and self._answered:
            self._negotiation.turn(direction)
            self._offer_turn()

    def _offer_turn(self) -> None:
        negotiation = self._negotiation
        if self.ended or self._final_sent or not self._confirmed or negotiation is None:
            return
        if negotiation.unsaid and not negotiation.offer_pending:
            self._user_agent.reinvite(self.leg_id, negotiation.offer(), self._now())
            self._endpoint.flush()

    def transfer(self, target: str, replacing: Leg | None = None) -> None:
        if self.ended:
            return
        user_agent, replaced = self._user_agent, ""
        peer_uri = user_agent.remote_target(self.leg_id)
        refer_to = self._refer_uri(self.facts, target, peer_uri)
        if isinstance(replacing, NativeLeg):
            # RFC 5589 section 7.3: what is to be replaced is where its Contact says.
            replaced, refer_to = replacing.leg_id, ""
        if not user_agent.refer(self.leg_id, refer_to, self._now(), replaces_leg_id=replaced):
            # The leg to be replaced is over; that this one is not was seen above.
            gone = sip.ReferFinished(self.leg_id, 481, "The consultation is over")
            self._plane.loop.call_soon(self.refer_finished, gone)
        self._endpoint.flush()

    def answer_refer(self, status: int) -> None:
        user_agent, now = self._user_agent, self._now()
        if self.ended:
            return
        if self._refer_accepted:
            user_agent.notify_refer(self.leg_id, status, now)
            self._refer_accepted = status < 200
        elif status >= 300:
            user_agent.refuse_refer(self.leg_id, status, now)
        else:
            self._refer_accepted = status < 200
            user_agent.accept_refer(self.leg_id, now)
            if status != 100:
                user_agent.notify_refer(self.leg_id, status, now)
        self._endpoint.flush()

    def close(self) -> None:
        if self._media is not None:
            self._media.close()

    def _now(self) -> float:
        return self._plane.clock()

    # What the user agent reports

    def invite_cancelled(self, event: sip.InviteCancelled) -> None:
        self._end("remote", "cancelled", 487)

    def confirmed(self, event: sip.LegConfirmed) -> None:
        # RFC 3261 section 13.2.1: the answer to our offer in the 200 is in the ACK, unless a PRACK
        # brought it before.
        negotiation = self._negotiation
        awaited = self._offer is None and negotiation is not None and negotiation.offer_pending
        if awaited and not (event.sdp and self._take_answer(event.sdp)):
            self.hangup()
            return
        self._confirm()

    def _confirm(self) -> None:
        self._confirmed = True
        if self._listener is not None:
            self._listener.leg_confirmed()
        self._report_hold(held_before=False)
        self._offer_turn()

    def ack_timed_out(self, event: sip.AckTimedOut) -> None:
        self._fault = ("no_ack", 408)

    def offer_received(self, event: sip.OfferReceived) -> None:
        """Answer a re-INVITE: a new address, another direction, hold, or nothing new."""
        user_agent, now = self._user_agent, self._now()
        negotiation = self._negotiation
        assert negotiation is not None
        if event.sdp is None:
            user_agent.answer_offer(self.leg_id, negotiation.offer(), now)
        else:
            try:
                answer = negotiation.answer(event.sdp)
            except NotAcceptable as error:
                # RFC 3261 section 14.2: the session goes on as it was.
                warning = (("Warning", error.warning_value),)
                user_agent.refuse_offer(self.leg_id, error.status, now, warning)
            else:
                user_agent.answer_offer(self.leg_id, answer.sdp, now)
                held = self.media.caller_away
                self.media.negotiated(answer.media)
                self._report_hold(held)
        self._endpoint.flush()

    def offer_withdrawn(self, event: sip.OfferWithdrawn) -> None:
        if self._negotiation is not None:
            self._negotiation.lapse()

    def answer_received(self, event: sip.AnswerReceived) -> None:
        held = self.media.caller_away
        if event.sdp is not None and self._take_answer(event.sdp):
            self._report_hold(held)
        elif self._negotiation is not None:
            # The session goes on as it was.
            self._negotiation.lapse()
        self._offer_turn()

    def reinvite_failed(self, event: sip.ReinviteFailed) -> None:
        if self._negotiation is not None:
            self._negotiation.lapse()
            self._offer_turn()

    def call_progressed(self, event: sip.CallProgressed) -> None:
        # Each callee behind a forking proxy answers our offer: the last one is heard.
        if event.sdp is not None and self._take_answer(event.sdp):
            self._early_media = True
        if self._listener is not None:
            self._listener.leg_progressed(event.status, self._early_media)

    def call_answered(self, event: sip.CallAnswered) -> None:
        self._answered = True
        if event.sdp is None or not self._take_answer(event.sdp):
            self.hangup()
            return
        self._confirm()

    def call_failed(self, event: sip.CallFailed) -> None:
        self.failure = event
        self._end("remote", event.reason or "failed", event.status)

    def refer_received(self, event: sip.ReferReceived, allowed: bool) -> None:
        if allowed and self._listener is not None:
            self._listener.refer_received(event.refer_to, event.referred_by)
        else:
            self.answer_refer(603)

    def refer_progressed(self, event: sip.ReferProgressed) -> None:
        if self._listener is not None:
            self._listener.transfer_progressed(event.status, event.reason)

    def refer_finished(self, event: sip.ReferFinished) -> None:
        if self._listener is not None:
            self._listener.transfer_finished(event.status, event.reason, event.refused)

    def offer_replacement(self, leg: NativeLeg) -> bool:
        """Offer ``leg`` in the place of this one; False when nobody is there to take it."""
        if self.ended or self._listener is None:
            return False
        self._listener.leg_replaced(leg)
        return True

    def info_received(self, event: sip.InfoReceived) -> None:
        self.digits.info_received(event)

    def request_answered(self, event: sip.RequestAnswered) -> None:
        self.digits.request_answered(event)

    def leg_ended(self, event: sip.LegEnded) -> None:
        if self._fault is not None:
            self._end("error", *self._fault)
        else:
            self._end(event.by, event.reason_header, event.status or 0)

    def _take_answer(self, sdp: bytes) -> bool:
        negotiation = self._negotiation
        assert negotiation is not None
        try:
            self.media.negotiated(negotiation.take_answer(sdp))
        except NotAcceptable:
            return False
        return True

    def _report_hold(self, held_before: bool) -> None:
        held = self.media.caller_away
        if held != held_before and self._listener is not None:
            self._listener.leg_held(held)

    def _end(self, ended_by: str, cause: str, status: int) -> None:
        if self.ended:
            return
        self.ended = True
        if self._listener is not None:
            self._listener.leg_ended(ended_by, cause, status)

    # What the media reports.

    def _media_failed(self, error: Exception) -> None:
        """A fault of ours: this leg ends, and no other notices."""
        self._plane.loop.call_exception_handler(
            {"message": f"media of leg {self.leg_id} failed", "exception": error}
        )
        self._fault = ("media_failed", 500)
        if not self._outbound and not self._answered:
            self.reject(500)
        else:
            self.hangup()
        self._end("error", *self._fault)
