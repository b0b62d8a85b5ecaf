"""The user agent: bytes, commands and time in; messages, events and the next deadline out.

After any call drain ``messages_to_send()``, then ``events_received()``, and set the timer to
``next_timer()``. Commands return False, and do nothing, when the leg is already over: the peer was
faster, and the event that says so is on its way. They raise LocalProtocolError when the state of a
living leg does not allow them.

Hosts are not resolved. The first INVITE goes to the flow it is given; later requests go to numeric
addresses, or to where the peer was last heard (see ``routing.next_hop_flow``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from telephony.base.ids import Ids
from telephony.sip.admission import Admission
from telephony.sip.agent import Agent
from telephony.sip.answers import Answers
from telephony.sip.authentication import Authentication
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.doorway import Doorway
from telephony.sip.events import Event
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.gate import Gate
from telephony.sip.leg import Leg
from telephony.sip.message import DialogKey
from telephony.sip.out_of_dialog import OutOfDialog, OutsideRequest
from telephony.sip.refer import Refers
from telephony.sip.ringing import Ringing
from telephony.sip.routing import contact_value
from telephony.sip.screening import InfoScreen
from telephony.sip.source_guard import SourceGuard
from telephony.sip.stats import UserAgentStats
from telephony.sip.uac import Uac
from telephony.sip.uas import Uas
from telephony.sip.writer import HeaderLines, check_headers


class UserAgent:
    """Both sides of every call of one SIP endpoint, over any number of flows."""

    __slots__ = (
        "_agent",
        "_answers",
        "_doorway",
        "_gate",
        "_out_of_dialog",
        "_refers",
        "_ringing",
        "_uac",
        "_uas",
    )

    def __init__(
        self,
        config: UserAgentConfig,
        ids: Ids,
        admission: Admission | None = None,
        guard: SourceGuard | None = None,
    ) -> None:
        self._agent = Agent(config, ids)
        self._gate = Gate(admission, guard)
        self._out_of_dialog = OutOfDialog(self._agent)
        self._uac = Uac(self._agent)
        self._answers = Answers(self._agent, self._uac)
        self._uas = Uas(self._agent, self._answers)
        self._doorway = Doorway(self._agent, self._gate, self._uas.receive_ack, self._uas.serve)
        self._refers = Refers(self._agent, self._uac)
        self._ringing = Ringing(self._agent, self._answers)
        self._uas.in_dialog |= {
            "PRACK": self._ringing.receive_prack,
            "UPDATE": partial(self._uac.updates.receive, self._answers.offers),
            "REFER": self._refers.receive_refer,
            "NOTIFY": self._refers.receive_notify,
        }
        self._uas.outside |= {"REFER": self._refers.refuse_outside}

    # -- inputs -----------------------------------------------------------------------------------

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one datagram, or one message of a stream. Nothing a peer sends raises."""
        self._doorway.receive_message(data, flow, now)

    def transport_failed(self, flow: Flow, now: float) -> None:
        """The connection of ``flow`` is gone, or a datagram to it was refused."""
        self._agent.stats.transports_failed += 1
        if flow.reliable:
            self._agent.disconnect(flow)
        self._agent.transactions.transport_failed(flow, now)

    def datagram_undelivered(self, head: bytes, now: float) -> Flow | None:
        """The network gave back a datagram: see :meth:`.Tables.datagram_undelivered`."""
        return self._agent.datagram_undelivered(head, now)

    def next_timer(self) -> float | None:
        """Return when ``handle_timer`` is to be called next, None when nothing waits."""
        return self._agent.timers.next_deadline()

    def handle_timer(self, now: float) -> None:
        self._agent.timers.run(now)

    # -- outputs ----------------------------------------------------------------------------------

    def messages_to_send(self) -> list[Outgoing]:
        return self._agent.messages_to_send()

    def events_received(self) -> list[Event]:
        return self._agent.events_received()

    @property
    def stats(self) -> UserAgentStats:
        return self._agent.stats

    @property
    def dialogs(self) -> Mapping[DialogKey, Leg]:
        """Every dialog, those whose BYE is not answered yet included."""
        return self._agent.dialogs

    @property
    def legs(self) -> Mapping[str, Leg]:
        """Every leg whose end was not reported yet."""
        return self._agent.legs

    @property
    def transaction_count(self) -> int:
        return len(self._agent.transactions)

    # -- answering --------------------------------------------------------------------------------

    def ring(self, leg_id: str, now: float) -> bool:
        """Send 180 Ringing."""
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            self._ringing.ring(leg, now)
        return leg is not None

    def progress(self, leg_id: str, sdp: bytes, now: float, status: int = 183) -> bool:
        """Send a provisional response with ``sdp`` for media before the answer.

        A caller that knows 100rel acknowledges it (RFC 3262); if it never does, LegEnded (504)
        follows. An answer to its offer is then not repeated by answer(). To an INVITE without an
        offer ``sdp`` is ours, and AnswerReceived brings the answer to it; a caller that does not
        know 100rel gets the response without it.
        """
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            self._ringing.progress(leg, sdp, status, now)
        return leg is not None

    def answer(self, leg_id: str, sdp: bytes, now: float) -> bool:
        """Send 200 OK with ``sdp``; LegConfirmed or AckTimedOut follows.

        While a reliable response with a description waits for its PRACK, so does the 200.
        """
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            self._answers.answer(leg, sdp, now)
        return leg is not None

    def reject(
        self, leg_id: str, status: int, now: float, reason: str = "", headers: HeaderLines = ()
    ) -> bool:
        """Refuse an unanswered call with a status of 300 to 699; LegEnded follows at once."""
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            incoming = leg.incoming
            self._answers.reject(leg, status, now, reason, headers)
            if incoming is not None:
                self._gate.invite_refused(incoming.request, status, now)
        return leg is not None

    def answer_options_with(self, status: int, headers: HeaderLines = ()) -> None:
        """Choose what OPTIONS gets from now on, such as 503 with Retry-After while draining."""
        check_headers(headers)
        self._uas.options_status = status
        self._uas.options_headers = tuple(headers)

    def screen_info_with(self, screen: InfoScreen) -> None:
        """Choose which INFO is refused from now on, and why."""
        self._uas.screen_info = screen

    # -- calling ----------------------------------------------------------------------------------

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
        """Call ``request_uri`` over ``flow`` and return the leg id.

        ``from_uri`` and ``to`` (by default the Request-URI) are URIs, or name-addrs such as
        ``"Bot" <sip:bot@example.com>``. ``sdp`` None asks the callee for its offer. ``routes`` are
        Route values such as ``<sip:proxy.example.com;lr>``, nearest first. ``credentials`` answer
        challenges (401, 407) to the INVITE and to every later request of the leg.
        """
        return self._uac.invite(
            request_uri,
            from_uri,
            sdp,
            flow,
            now,
            headers,
            to,
            routes=routes,
            credentials=credentials,
        )

    def cancel(self, leg_id: str, now: float, headers: HeaderLines = ()) -> bool:
        """Give up a call of ours; CallFailed (487) follows, LegEnded if it was just answered.

        ``headers``, such as Reason (RFC 3326), go into the CANCEL, or the BYE in its place.
        """
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            self._uac.cancel(leg, now, headers)
        return leg is not None

    def knows_as(self, leg_id: str, peer: str) -> bool:
        """Take the other side for ``peer``: only its calls may replace this one (RFC 3891)."""
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            leg.peer = peer
        return leg is not None

    def is_heard(self, leg_id: str) -> bool:
        """Tell whether a call of ours got any response yet; silence means a dead server."""
        leg = self._agent.find_leg(leg_id)
        return leg is None or leg.outgoing is None or leg.outgoing.heard

    def use_credentials(self, leg_id: str, credentials: Credentials) -> bool:
        """Answer challenges to our requests in an incoming call: a peer's proxy may ask for it."""
        leg = self._agent.find_leg(leg_id)
        if leg is not None and leg.dialog is not None:
            leg.dialog.authentication = Authentication(credentials, self._agent.ids)
        return leg is not None

    # -- outside of calls -------------------------------------------------------------------------

    def send_request(
        self,
        method: str,
        uri: str,
        from_uri: str,
        to_uri: str,
        flow: Flow,
        now: float,
        headers: HeaderLines = (),
        *,
        routes: Sequence[str] = (),
        credentials: Credentials | None = None,
        call_id: str = "",
        cseq: int = 0,
        body: bytes = b"",
        content_type: str = "",
    ) -> str:
        """Send REGISTER, OPTIONS or MESSAGE; RequestFinished follows, under the id returned.

        Requests with the same ``call_id`` (registrations) follow each other: the CSeq is ``cseq``
        or, if that was used up by a challenge, the next one. There is no Contact but that in
        ``headers``: see contact_for().
        """
        request = OutsideRequest(method, uri, from_uri, to_uri, flow, headers, routes, credentials)
        request = replace(request, call_id=call_id, cseq=cseq, body=body, content_type=content_type)
        return self._out_of_dialog.send(request, now)

    def contact_for(self, flow: Flow, user: str = "") -> str:
        """Return our Contact value on ``flow``, with ``user`` in it if it is not empty."""
        config = self._agent.config
        if user:
            config = replace(config, contact_user=user)
        return contact_value(config, flow, False)

    # -- both -------------------------------------------------------------------------------------

    def bye(self, leg_id: str, now: float, headers: HeaderLines = ()) -> bool:
        """End an answered call; LegEnded follows at once. A call of ours still ringing: cancel."""
        leg = self._agent.find_leg(leg_id)
        if leg is not None and leg.held_answer is not None:
            # Nothing but a refusal ends a call whose 200 was not sent (RFC 3261 section 15).
            self._answers.reject(leg, 480, now, "", headers)
        elif leg is not None:
            self._uac.bye(leg, now, headers)
        return leg is not None

    def answer_offer(self, leg_id: str, sdp: bytes, now: float) -> bool:
        """Answer OfferReceived, or CallAnswered after invite(sdp=None); False if withdrawn."""
        leg = self._agent.find_leg(leg_id)
        return leg is not None and self._answers.answer_offer(leg, sdp, now)

    def refuse_offer(self, leg_id: str, status: int, now: float, headers: HeaderLines = ()) -> bool:
        """Refuse OfferReceived, the session stays; an offer in a 2xx can only end the call."""
        leg = self._agent.find_leg(leg_id)
        return leg is not None and self._answers.refuse_offer(leg, status, now, headers)

    def reinvite(self, leg_id: str, sdp: bytes | None, now: float) -> bool:
        """Offer a changed session; AnswerReceived or ReinviteFailed follows.

        With ``sdp`` None the peer makes the offer: OfferReceived, then answer_offer(). A collision
        (491) is tried again after the delay of section 14.1, or gives way to the next reinvite().
        """
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            self._uac.reinvite(leg, sdp, now)
        return leg is not None

    def update(self, leg_id: str, sdp: bytes | None, now: float) -> bool:
        """Offer a changed session by UPDATE (RFC 3311); AnswerReceived or ReinviteFailed follows.

        Before the answer to the call too, once a first offer was answered reliably. With ``sdp``
        None it only refreshes the session and our address, and AnswerReceived has no description.
        A peer that does not allow UPDATE is not sent one: ReinviteFailed (405).
        """
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            self._uac.updates.update(leg, sdp, now)
        return leg is not None

    def request(
        self,
        leg_id: str,
        method: str,
        now: float,
        headers: HeaderLines = (),
        content_type: str = "",
        body: bytes = b"",
    ) -> bool:
        """Send INFO or OPTIONS in the dialog; RequestAnswered follows."""
        leg = self._agent.find_leg(leg_id)
        if leg is not None:
            self._uac.request(leg, method, now, headers, content_type, body)
        return leg is not None

    # -- transfer ---------------------------------------------------------------------------------

    def refer(
        self,
        leg_id: str,
        refer_to: str,
        now: float,
        referred_by: str = "",
        replaces_leg_id: str = "",
    ) -> bool:
        """Ask the peer to call the URI ``refer_to`` (RFC 3515); ReferFinished follows.

        With ``replaces_leg_id``, a leg of ours that is up, the peer's call takes its place
        (RFC 3891); an empty ``refer_to`` then means the other end of that leg. False also when
        that leg is over.
        """
        leg = self._agent.find_leg(leg_id)
        replaced = self._agent.find_leg(replaces_leg_id) if replaces_leg_id else None
        if leg is None or (replaces_leg_id and replaced is None):
            return False
        self._refers.refer(leg, refer_to, now, referred_by, replaced)
        return True

    def accept_refer(self, leg_id: str, now: float) -> bool:
        """Take a ReferReceived: 202, then notify_refer() tells how our call goes on."""
        leg = self._agent.find_leg(leg_id)
        return leg is not None and self._refers.accept(leg, now)

    def notify_refer(self, leg_id: str, status: int, now: float, reason: str = "") -> bool:
        """Tell the status of the call that the peer asked for; one of 200 or more is the last."""
        leg = self._agent.find_leg(leg_id)
        return leg is not None and self._refers.notify(leg, status, reason, now)

    def refuse_refer(self, leg_id: str, status: int, now: float) -> bool:
        """Decline a ReferReceived."""
        leg = self._agent.find_leg(leg_id)
        return leg is not None and self._refers.refuse(leg, status, now)

    def remote_target(self, leg_id: str) -> str:
        """Return the Contact URI of the leg's peer; "" when there is no dialog."""
        leg = self._agent.legs.get(leg_id)
        return leg.dialog.remote_target if leg is not None and leg.dialog is not None else ""
