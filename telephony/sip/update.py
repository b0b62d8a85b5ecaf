"""UPDATE in both directions, before and after the call is answered (RFC 3311)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from telephony.base.errors import LocalProtocolError
from telephony.sip.body import UnsupportedBodyError, find_sdp
from telephony.sip.collision import collision_delay_s
from telephony.sip.dialog import Dialog
from telephony.sip.events import AnswerReceived, ReinviteFailed
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import IncomingResponse, contact_uri
from telephony.sip.session_refresh import retry_after_s
from telephony.sip.status import ALLOW, SUPPORTED, reason_phrase
from telephony.sip.transaction import ServerTransaction
from telephony.sip.writer import SDP_TYPE, HeaderLines

if TYPE_CHECKING:
    from telephony.sip.offers import Offers
    from telephony.sip.uac import Uac

_LONGEST_WAIT_S = 10


@dataclass(slots=True)
class UpdateAttempt:
    """An UPDATE of ours in ``dialog``, which may be that of a callee who does not answer the call.

    ``sdp`` None: no offer. ``refresh``: the layer above knows nothing of it.

    ``session`` is the leg's ``offers_answered`` at the time of our offer, ``response`` the final
    one if there was any.
    """

    dialog: Dialog
    sdp: bytes | None
    refresh: bool
    session: int
    tries: int = 0
    response: IncomingResponse | None = None


class Updates:
    """The UPDATEs of all legs; one of ours at a time in each."""

    __slots__ = ("_agent", "_uac")

    def __init__(self, uac: Uac) -> None:
        self._uac = uac
        self._agent = uac.agent

    # -- ours -----------------------------------------------------------------------------------

    def update(self, leg: Leg, sdp: bytes | None, now: float) -> None:
        """Offer a changed session, or with ``sdp`` None only refresh target and timer.

        What is known to fail is reported like a refusal on the wire: 405 when the peer does not
        allow UPDATE, 491 for a collision.
        """
        dialog = _dialog_for_update(leg, sdp)
        collides = sdp is not None and (leg.awaits_our_answer or leg.awaits_their_answer)
        if "UPDATE" not in leg.peer_methods:
            self._failed(leg, 405)
        elif collides or leg.updating is not None or leg.retry is not None:
            self._failed(leg, 491)
        else:
            self._begin(leg, UpdateAttempt(dialog, sdp, False, leg.offers_answered), now)

    def refresh(self, leg: Leg, now: float) -> None:
        """Refresh the session: what it carries stays as it is."""
        dialog = _dialog_for_update(leg, None)
        self._begin(leg, UpdateAttempt(dialog, None, True, leg.offers_answered), now)

    def _begin(self, leg: Leg, attempt: UpdateAttempt, now: float) -> None:
        attempt.tries += 1
        attempt.response = None
        leg.updating = attempt
        sessions = self._uac.sessions
        session = sessions.request_headers(leg) if leg.state is LegState.UP else ()
        headers: HeaderLines = (ALLOW, SUPPORTED, *session)
        self._uac.send_in_dialog(
            attempt.dialog,
            "UPDATE",
            headers,
            partial(self._finished, leg, attempt),
            now,
            SDP_TYPE if attempt.sdp else "",
            attempt.sdp or b"",
            received=partial(_received, attempt),
            contact=True,
        )

    def _finished(
        self, leg: Leg, attempt: UpdateAttempt, status: int, reason: str, now: float
    ) -> None:
        if leg.updating is attempt:
            leg.updating = None
        if leg.state is LegState.ENDING:
            return
        response = attempt.response
        if not leg.has(attempt.dialog):
            self._failed(leg, 481)
        elif response is not None and 200 <= status < 300:
            self._accepted(leg, attempt, response, now)
        else:
            self._refused(leg, attempt, status, reason, now)

    def _accepted(
        self, leg: Leg, attempt: UpdateAttempt, response: IncomingResponse, now: float
    ) -> None:
        dialog = attempt.dialog
        dialog.refresh_target(contact_uri(response.headers))
        leg.learn(response.headers)
        self._uac.sessions.accepted(leg, response.headers, now)
        if attempt.refresh:
            self._uac.sessions.refreshed()
            return
        sdp = None
        if attempt.sdp is not None:
            sdp = _sdp_or_none(response)
            leg.agree(local=attempt.sdp, remote=sdp)
            dialog.remote_sdp = sdp or dialog.remote_sdp
        self._agent.events.append(AnswerReceived(leg.leg_id, sdp))

    def _refused(
        self, leg: Leg, attempt: UpdateAttempt, status: int, reason: str, now: float
    ) -> None:
        headers = attempt.response.headers if attempt.response is not None else None
        if attempt.refresh:
            self._uac.sessions.refused(leg, status, headers, now)
            return
        if attempt.tries < self._agent.config.reinvite_attempts:
            wait_s = retry_after_s(headers) if status == 500 else None
            if status == 491:
                wait_s = collision_delay_s(leg.caller, self._agent.ids)
            elif self._uac.sessions.raised(leg, status, headers):
                wait_s = 0
            if wait_s is not None and wait_s <= _LONGEST_WAIT_S:
                leg.stop_retrying()
                again = partial(self._retry, leg, attempt)
                leg.retry = self._agent.timers.schedule(now + wait_s, again)
                return
        self._failed(leg, status, reason)
        if leg.state is LegState.UP:
            self._uac.dialog_refused(leg, status, now)

    def _retry(self, leg: Leg, attempt: UpdateAttempt, now: float) -> None:
        """Send it again, unless the peer changed the session meanwhile: the offer is stale."""
        leg.retry = None
        collides = leg.awaits_our_answer or leg.awaits_their_answer
        stale = collides or leg.offers_answered != attempt.session
        if not leg.has(attempt.dialog):
            self._failed(leg, 481)
        elif leg.updating is not None or (attempt.sdp is not None and stale):
            self._failed(leg, 491)
        else:
            self._begin(leg, attempt, now)

    def _failed(self, leg: Leg, status: int, reason: str = "") -> None:
        event = ReinviteFailed(leg.leg_id, status, reason or reason_phrase(status))
        self._agent.events.append(event)

    # -- theirs ---------------------------------------------------------------------------------

    def receive(self, offers: Offers, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Report an offer; answer an UPDATE without one at once (section 5.2)."""
        agent, request = self._agent, transaction.request
        refusal = self._uac.sessions.refusal(request.headers)
        sdp = find_sdp(request.headers, request.body)
        if refusal is None and sdp is None and leg.offered is not None:
            refusal = offers.refusal(leg)
        if refusal is not None:
            agent.refuse(transaction, refusal.status, now, refusal.headers)
            return
        leg.learn(request.headers)
        if sdp is not None:
            offers.receive(leg, transaction, sdp, now)
            return
        headers = offers.update_headers(leg, transaction, now)
        transaction.respond(200, agent.write(transaction, 200, headers), now)


def _received(attempt: UpdateAttempt, response: IncomingResponse, _now: float) -> None:
    attempt.response = response


def _sdp_or_none(response: IncomingResponse) -> bytes | None:
    try:
        return find_sdp(response.headers, response.body)
    except UnsupportedBodyError:
        return None


def _dialog_for_update(leg: Leg, sdp: bytes | None) -> Dialog:
    """Return the dialog to send UPDATE in; before the answer both sides must know it."""
    early = leg.reliable is not None and leg.reliable.acknowledged
    known = leg.state is LegState.UP or leg.state is LegState.CALLING or early
    dialog = leg.dialog
    if dialog is None and len(leg.early_dialogs) == 1:
        (dialog,) = leg.early_dialogs.values()
    if dialog is None or not known:
        raise LocalProtocolError("the peer does not have the dialog yet")
    if sdp is not None and not leg.agreed:
        raise LocalProtocolError("the first offer is not answered yet")
    return dialog
