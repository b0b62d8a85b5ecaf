"""The calling side: INVITE and CANCEL, and every request within a dialog."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from telephony.base.errors import LocalProtocolError
from telephony.sip.agent import Agent
from telephony.sip.authentication import Authentication
from telephony.sip.collision import collision_delay_s
from telephony.sip.credentials import Credentials
from telephony.sip.dialog import Dialog
from telephony.sip.events import CallFailed, LegEnded, ReinviteFailed, RequestAnswered
from telephony.sip.flow import Flow
from telephony.sip.invite_attempt import InviteAttempt
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import IncomingResponse
from telephony.sip.opening import opening_parts
from telephony.sip.outgoing_request import OutgoingRequest
from telephony.sip.request_attempt import FinalCallback, RequestAttempt, ResponseCallback
from telephony.sip.routing import local_host_port, via_value
from telephony.sip.session_refresh import SessionRefresher
from telephony.sip.status import ALLOW, EXTENSIONS, reason_phrase
from telephony.sip.update import Updates
from telephony.sip.values import read_tag, uri_scheme
from telephony.sip.writer import (
    SDP_TYPE,
    HeaderLines,
    RequestParts,
    check_addresses,
    check_headers,
    check_routes,
    write_request,
)

_ACCEPT = ("Accept", SDP_TYPE)
# A reliable response may carry the callee's offer when we made none, and PRACK would have to answer
# it: then we do without (RFC 3262 section 5).
_RELIABLE = "100rel"
_CALLING_EXTENSIONS = tuple(dict.fromkeys((_RELIABLE, "199", *EXTENSIONS)))
_SHORT_WAIT_S = 0.1
# A dialog whose peer answers so no longer exists (section 12.2.1.2).
_DIALOG_IS_GONE = frozenset((408, 481))


class Uac:
    """Requests of ours. Methods taking a Leg are called with one that is not over."""

    __slots__ = ("agent", "sessions", "updates")

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.sessions = SessionRefresher(self)
        self.updates = Updates(self)

    # -- the first INVITE -----------------------------------------------------------------------

    def invite(
        self,
        request_uri: str,
        from_uri: str,
        sdp: bytes | None,
        flow: Flow,
        now: float,
        headers: HeaderLines = (),
        to: str | None = None,
        *,
        routes: Sequence[str] = (),
        credentials: Credentials | None = None,
    ) -> str:
        agent = self.agent
        check_addresses(request_uri, from_uri, to or request_uri)
        check_headers(headers)
        check_routes(routes)
        leg_id = agent.ids.token()
        host = local_host_port(agent.config, flow).rpartition(":")[0]
        parts = opening_parts(
            "INVITE",
            request_uri,
            routes,
            from_uri=from_uri,
            from_tag=leg_id,
            to_uri=to or request_uri,
            call_id=f"{agent.ids.token(12)}@{host}",
        )
        leg = Leg(leg_id, LegState.CALLING, caller=True)
        request = self._invite_request(parts, flow, sdp, headers)
        request.headers = self.sessions.renewed(leg, request.headers)
        request.secure = uri_scheme(request_uri) == "sips"
        if credentials is not None:
            request.authentication = Authentication(credentials, agent.ids)
        agent.legs[leg_id] = leg
        leg.outgoing = attempt = InviteAttempt(self, leg, request, sdp, request_uri)
        attempt.begin(now)
        return leg_id

    def _invite_request(
        self, parts: RequestParts, flow: Flow, sdp: bytes | None, headers: HeaderLines
    ) -> OutgoingRequest:
        config = self.agent.config
        reliable = sdp is not None and not read_tag(parts.to_value)
        product = ("User-Agent", config.product)
        return OutgoingRequest(
            agent=self.agent,
            parts=parts,
            flow=flow,
            headers=(ALLOW, _ACCEPT, _supported(reliable), product, *headers),
            content_type=SDP_TYPE if sdp else "",
            body=sdp or b"",
            contact=True,
        )

    def cancel(self, leg: Leg, now: float, headers: HeaderLines = ()) -> None:
        """Give up a call of ours; one that was answered in the same moment is ended by BYE."""
        check_headers(headers)
        if leg.state is LegState.CALLING and leg.outgoing is not None:
            leg.outgoing.cancel(now, headers)
        elif leg.caller and leg.state is LegState.UP:
            self.bye(leg, now, headers)
        else:
            raise LocalProtocolError("cancel() is for calls of ours; use reject() or bye()")

    # -- within a dialog ------------------------------------------------------------------------

    def dialog_parts(
        self, dialog: Dialog, method: str, cseq: int, branch: str = ""
    ) -> tuple[RequestParts, Flow]:
        """Return a request within ``dialog``; one without ``branch`` has no Via yet."""
        config = self.agent.config
        uri, routes, flow = dialog.request_path(config.symmetric_signalling)
        via = via_value(config, flow, branch) if branch else ""
        parts = RequestParts(
            method=method,
            uri=uri,
            via=via,
            routes=routes,
            from_value=dialog.local_value,
            to_value=dialog.remote_value,
            call_id=dialog.call_id,
            cseq=cseq,
        )
        return parts, flow

    def reinvite(self, leg: Leg, sdp: bytes | None, now: float) -> None:
        """Offer a changed session. A collision already known is reported like one on the wire.

        What ends by itself is none: for a refresh of ours or an ACK on its way the offer waits. One
        that waits already gives way to it, and is not heard of any more.
        """
        dialog = _up(leg)
        leg.stop_retrying()
        refreshing = leg.outgoing is not None and leg.outgoing.refresh
        acknowledged_soon = bool(leg.unacked) and leg.incoming is None and leg.outgoing is None
        if refreshing or acknowledged_soon:
            again = partial(self._reinvite_after_wait, leg, sdp, leg.offers_answered)
            leg.retry = self.agent.timers.schedule(now + _SHORT_WAIT_S, again)
            return
        if leg.invite_in_progress or leg.awaits_our_answer or leg.awaits_their_answer:
            self._collided(leg)
            return
        self._begin_reinvite(leg, dialog, sdp, 1, now)

    def _collided(self, leg: Leg) -> None:
        self.agent.events.append(ReinviteFailed(leg.leg_id, 491, reason_phrase(491)))

    def _reinvite_after_wait(self, leg: Leg, sdp: bytes | None, session: int, now: float) -> None:
        """Send it now, unless the peer changed the session meanwhile: the offer is stale."""
        leg.retry = None
        if leg.offers_answered != session:
            self._collided(leg)
        else:
            self.reinvite(leg, sdp, now)

    def refresh(self, leg: Leg, now: float) -> None:
        """Send a re-INVITE that changes nothing (RFC 4028 section 7.4)."""
        self._begin_reinvite(leg, _up(leg), leg.local_sdp, 1, now, refresh=True)

    def _begin_reinvite(
        self,
        leg: Leg,
        dialog: Dialog,
        sdp: bytes | None,
        tries: int,
        now: float,
        *,
        refresh: bool = False,
    ) -> None:
        parts, flow = self.dialog_parts(dialog, "INVITE", dialog.next_cseq())
        request = self._invite_request(parts, flow, sdp, ())
        request.headers = self.sessions.renewed(leg, request.headers)
        request.secure = dialog.secure
        request.authentication = dialog.authentication
        request.next_cseq = dialog.next_cseq
        leg.outgoing = attempt = InviteAttempt(self, leg, request, sdp)
        attempt.tries = tries
        attempt.refresh = refresh
        attempt.begin(now)

    def retry_later(self, attempt: InviteAttempt, now: float) -> bool:
        """Schedule a re-INVITE again after a collision (section 14.1); False: often enough."""
        leg, agent = attempt.leg, self.agent
        if attempt.tries >= agent.config.reinvite_attempts:
            return False
        delay_s = collision_delay_s(leg.caller, agent.ids)
        leg.stop_retrying()
        leg.retry = agent.timers.schedule(now + delay_s, partial(self._retry, attempt))
        return True

    def _retry(self, attempt: InviteAttempt, now: float) -> None:
        """Send it again, unless the peer changed the session meanwhile: the offer is stale."""
        leg = attempt.leg
        leg.retry = None
        if leg.invite_in_progress or leg.dialog is None or leg.offers_answered != attempt.session:
            self._collided(leg)
            return
        self._begin_reinvite(leg, leg.dialog, attempt.sdp, attempt.tries + 1, now)

    def request(
        self,
        leg: Leg,
        method: str,
        now: float,
        headers: HeaderLines = (),
        content_type: str = "",
        body: bytes = b"",
    ) -> None:
        dialog = _up(leg)
        if method not in ("INFO", "OPTIONS"):
            raise LocalProtocolError(f"request() does not send {method}")
        check_headers((*headers, ("Content-Type", content_type)))
        finished = partial(self._request_finished, leg, method)
        self.send_in_dialog(dialog, method, headers, finished, now, content_type, body)

    def _request_finished(
        self, leg: Leg, method: str, status: int, reason: str, now: float
    ) -> None:
        if leg.state is LegState.UP:
            event = RequestAnswered(leg.leg_id, method, status, reason)
            self.agent.events.append(event)
            self.dialog_refused(leg, status, now)

    def send_in_dialog(
        self,
        dialog: Dialog,
        method: str,
        headers: HeaderLines,
        finished: FinalCallback,
        now: float,
        content_type: str = "",
        body: bytes = b"",
        *,
        received: ResponseCallback | None = None,
        contact: bool = False,
    ) -> None:
        """Send a request that is not an INVITE, and answer the challenges to it.

        ``contact`` is for target refresh requests (RFC 3311 section 5.1).
        """
        parts, flow = self.dialog_parts(dialog, method, dialog.next_cseq())
        request = OutgoingRequest(
            agent=self.agent,
            parts=parts,
            flow=flow,
            next_cseq=dialog.next_cseq,
            headers=headers,
            content_type=content_type,
            body=body,
            contact=contact,
            secure=dialog.secure,
            authentication=dialog.authentication,
        )

        def wanted() -> bool:
            return method == "BYE" or not dialog.over

        RequestAttempt(request, finished, received, wanted).begin(now)

    def send_cancel(
        self, parts: RequestParts, branch: str, flow: Flow, headers: HeaderLines, now: float
    ) -> None:
        """Send a CANCEL over the way of its INVITE, where the outcome shows (section 9.1).

        It carries no credentials: it can't be challenged (section 22.1).
        """
        transactions = self.agent.transactions
        cancel = transactions.create_client("CANCEL", branch, flow, _Ignored())
        cancel.begin(write_request(parts, headers), now)

    # -- the end --------------------------------------------------------------------------------

    def bye(self, leg: Leg, now: float, headers: HeaderLines = ()) -> None:
        if leg.state is LegState.CALLING:
            self.cancel(leg, now, headers)
            return
        _up(leg)
        check_headers(headers)
        self.end(leg, now, LegEnded(leg.leg_id, "local"), headers)

    def end(
        self, leg: Leg, now: float, event: LegEnded | CallFailed, headers: HeaderLines = ()
    ) -> None:
        """Report ``event`` and send BYE.

        The callee's BYE waits for the ACK of its first 2xx (section 15). A re-INVITE of the peer
        that is still open is answered 487, an offer in its 2xx acknowledged without an answer.
        """
        agent = self.agent
        if leg.incoming is not None:
            agent.respond(leg.incoming, 487, now)
            leg.incoming = None
        if leg.outgoing is not None:
            leg.outgoing.leg_ended(now)
        agent.end_leg(leg, event)
        if leg.unacked and not leg.confirmed:
            leg.bye_headers = headers
        elif leg.dialog is not None:
            leg.stop_repeating()
            self.send_bye(leg.dialog, leg, headers, now)

    def send_bye(self, dialog: Dialog, leg: Leg | None, headers: HeaderLines, now: float) -> None:
        """Send BYE; the dialog of ``leg`` is forgotten when its transaction has an outcome.

        A connection that is found dead costs the BYE, and nobody else would end the call over
        there: it goes out once more over a new one.
        """
        again = headers if dialog.connected else None
        finished = partial(self._bye_finished, dialog, leg, again)
        self.send_in_dialog(dialog, "BYE", headers, finished, now)

    def _bye_finished(
        self,
        dialog: Dialog,
        leg: Leg | None,
        again: HeaderLines | None,
        status: int,
        _reason: str,
        now: float,
    ) -> None:
        if status == 503 and again is not None and not dialog.connected:
            self.send_bye(dialog, leg, again, now)
        elif leg is not None:
            self.agent.forget(leg)

    def dialog_refused(self, leg: Leg, status: int, now: float) -> None:
        """End the leg when ``status`` says that the peer no longer has the dialog."""
        if status in _DIALOG_IS_GONE:
            self.end(leg, now, LegEnded(leg.leg_id, "error", status=status))


def _up(leg: Leg) -> Dialog:
    if leg.state is not LegState.UP or leg.dialog is None:
        raise LocalProtocolError("the call is not answered yet")
    return leg.dialog


class _Ignored:
    """The user of a transaction whose outcome does not matter."""

    __slots__ = ()

    def response_received(self, response: IncomingResponse, now: float) -> None: ...

    def request_failed(self, status: int, now: float) -> None: ...


def _supported(reliable: bool) -> tuple[str, str]:
    tags = [tag for tag in _CALLING_EXTENSIONS if reliable or tag != _RELIABLE]
    return "Supported", ", ".join(tags)
