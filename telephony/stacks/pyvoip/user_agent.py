"""pyVoIP in the place of our user agent: the same commands, bytes, events and deadlines.

See :class:`telephony.sip.user_agent.UserAgent` for what to drain after which call. Calls, their
states and their messages are pyVoIP's; around it are our parser (pyVoIP sees nothing that it could
not read), our transactions (pyVoIP repeats nothing, and forgets nothing), our dialogs (pyVoIP sends
everything to one server), our digest and our session descriptions. What pyVoIP has no idea of
(re-INVITEs of ours, REFER) is refused: :data:`telephony.stacks.capabilities.CAPABILITIES`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sip.admission import Admission
from telephony.sip.authentication import Authentication
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.doorway import Doorway
from telephony.sip.events import (
    Event,
    LegEnded,
    ReferFinished,
    ReinviteFailed,
    RequestAnswered,
)
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.leg import LegState
from telephony.sip.message import DialogKey
from telephony.sip.opening import opening_parts
from telephony.sip.out_of_dialog import OutsideRequest
from telephony.sip.routing import contact_value, local_host_port
from telephony.sip.screening import InfoScreen, screen
from telephony.sip.source_guard import SourceGuard
from telephony.sip.stats import UserAgentStats
from telephony.sip.status import reason_phrase
from telephony.sip.telephone import number_of
from telephony.sip.writer import (
    HeaderLines,
    check_addresses,
    check_headers,
    check_routes,
)
from telephony.stacks.pyvoip.answering import Answering
from telephony.stacks.pyvoip.calling import Invitation, InviteTry
from telephony.stacks.pyvoip.core import Core, OnFault, PyvoipStats
from telephony.stacks.pyvoip.ending import Ending
from telephony.stacks.pyvoip.incoming import Incoming
from telephony.stacks.pyvoip.leg import Leg
from telephony.stacks.pyvoip.line import Line
from telephony.stacks.pyvoip.message import METHODS
from telephony.stacks.pyvoip.outside import Outside


class PyvoipUserAgent:
    """Implements :class:`telephony.stacks.call_core.CallCore`; see there for the contract."""

    def __init__(
        self,
        config: UserAgentConfig,
        ids: Ids,
        admission: Admission | None = None,
        guard: SourceGuard | None = None,
        on_fault: OnFault = lambda error: None,
    ) -> None:
        self._core = Core(config, ids, admission, guard, on_fault)
        self._ending = Ending(self._core)
        self._answering = Answering(self._core, self._ending)
        self._incoming = Incoming(self._core, self._answering)
        self._doorway = Doorway(
            self._core,
            self._core.gate,
            self._incoming.receive_ack,
            self._incoming.serve,
            partial(screen, methods=METHODS, extensions=()),
        )
        self._outside = Outside(self._core)

    # Inputs

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one datagram. Nothing a peer sends raises."""
        self._doorway.receive_message(data, flow, now)

    def transport_failed(self, flow: Flow, now: float) -> None:
        """A datagram over ``flow`` was refused by the network."""
        self._core.stats.transports_failed += 1
        self._core.transactions.transport_failed(flow, now)

    def datagram_undelivered(self, head: bytes, now: float) -> Flow | None:
        """The network gave back a datagram: see :meth:`.Tables.datagram_undelivered`."""
        return self._core.datagram_undelivered(head, now)

    def next_timer(self) -> float | None:
        return self._core.timers.next_deadline()

    def handle_timer(self, now: float) -> None:
        self._core.timers.run(now)

    # Outputs

    def messages_to_send(self) -> list[Outgoing]:
        return self._core.messages_to_send()

    def events_received(self) -> list[Event]:
        return self._core.events_received()

    @property
    def stats(self) -> UserAgentStats:
        return self._core.stats

    @property
    def pyvoip_stats(self) -> PyvoipStats:
        return self._core.pyvoip_stats

    @property
    def dialogs(self) -> Mapping[DialogKey, Leg]:
        """Every dialog, those whose BYE is not answered yet included."""
        return self._core.dialogs

    @property
    def legs(self) -> Mapping[str, Leg]:
        """Every leg whose end was not reported yet."""
        return self._core.legs

    @property
    def transaction_count(self) -> int:
        return len(self._core.transactions)

    # Answering

    def ring(self, leg_id: str, now: float) -> bool:
        leg = self._core.find_leg(leg_id)
        if leg is not None:
            self._answering.provisional(leg, 180, b"", now)
        return leg is not None

    def progress(self, leg_id: str, sdp: bytes, now: float, status: int = 183) -> bool:
        leg = self._core.find_leg(leg_id)
        if leg is not None:
            # Without 100rel an offer of ours can only be in the 200 (RFC 3261 section 13.2.1).
            offered = leg.incoming is not None and bool(leg.incoming.request.body)
            self._answering.provisional(leg, status, sdp if offered else b"", now)
        return leg is not None

    def answer(self, leg_id: str, sdp: bytes, now: float) -> bool:
        leg = self._core.find_leg(leg_id)
        if leg is not None:
            self._answering.answer(leg, sdp, now)
        return leg is not None

    def reject(
        self, leg_id: str, status: int, now: float, reason: str = "", headers: HeaderLines = ()
    ) -> bool:
        leg = self._core.find_leg(leg_id)
        if leg is not None:
            self._answering.reject(leg, status, now, reason, headers)
        return leg is not None

    def answer_options_with(self, status: int, headers: HeaderLines = ()) -> None:
        check_headers(headers)
        self._incoming.options_status = status
        self._incoming.options_headers = tuple(headers)

    def screen_info_with(self, screen: InfoScreen) -> None:
        """Choose which INFO is refused from now on, and why."""
        self._incoming.screen_info = screen

    def answer_offer(self, leg_id: str, sdp: bytes, now: float) -> bool:
        leg = self._core.find_leg(leg_id)
        return leg is not None and self._answering.answer_offer(leg, sdp, now)

    def refuse_offer(self, leg_id: str, status: int, now: float, headers: HeaderLines = ()) -> bool:
        leg = self._core.find_leg(leg_id)
        return leg is not None and self._answering.refuse_offer(leg, status, now, headers)

    # Calling

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
        """Call ``request_uri`` over ``flow``; raises OSError when that is no UDP."""
        core = self._core
        check_addresses(request_uri, from_uri, to or request_uri)
        check_headers(headers)
        check_routes(routes)
        if flow.reliable:
            raise OSError(errno.EPROTONOSUPPORT, "pyVoIP speaks UDP only")
        leg_id = core.ids.token()
        host, _, port = local_host_port(core.config, flow).rpartition(":")
        line = core.enter(partial(Line, (host, int(port)), flow.remote, leg_id, core.ids))
        if line is None:
            raise OSError(errno.EPROTO, "pyVoIP failed")
        parts = opening_parts(
            "INVITE",
            request_uri,
            routes,
            from_uri=from_uri,
            from_tag=leg_id,
            to_uri=to or request_uri,
            call_id=f"{core.ids.token(12)}@{host}",
        )
        leg = Leg(leg_id, LegState.CALLING, line, parts.call_id, caller=True)
        if credentials is not None:
            leg.authentication = Authentication(credentials, core.ids)
        core.legs[leg_id] = leg
        number = number_of(request_uri)
        invitation = Invitation(number, request_uri, sdp or b"", flow, parts, tuple(headers))
        leg.outgoing = InviteTry(core, self._ending, leg, invitation)
        leg.outgoing.begin(now)
        return leg_id

    def cancel(self, leg_id: str, now: float, headers: HeaderLines = ()) -> bool:
        check_headers(headers)
        leg = self._core.find_leg(leg_id)
        if leg is None:
            return False
        if not leg.caller:
            raise LocalProtocolError("cancel() is for calls of ours; use reject() or bye()")
        return self.bye(leg_id, now, headers)

    def bye(self, leg_id: str, now: float, headers: HeaderLines = ()) -> bool:
        check_headers(headers)
        leg = self._core.find_leg(leg_id)
        if leg is None:
            return False
        if leg.outgoing is not None and leg.state is LegState.CALLING:
            leg.outgoing.cancel(now, headers)
            return True
        if leg.state is not LegState.UP:
            raise LocalProtocolError("the call is not answered yet; use reject()")
        if leg.incoming is not None:
            # A re-INVITE that is still open is over as well (RFC 3261 section 15).
            self._core.refuse(leg.incoming, 487, now)
            leg.incoming = None
        self._ending.end(leg, LegEnded(leg_id, "local"), headers, now)
        return True

    def knows_as(self, leg_id: str, peer: str) -> bool:
        """Do nothing: no call takes the place of another here."""
        return self._core.find_leg(leg_id) is not None

    def is_heard(self, leg_id: str) -> bool:
        leg = self._core.find_leg(leg_id)
        return leg is None or leg.outgoing is None or leg.outgoing.heard

    def use_credentials(self, leg_id: str, credentials: Credentials) -> bool:
        leg = self._core.find_leg(leg_id)
        if leg is not None:
            leg.authentication = Authentication(credentials, self._core.ids)
        return leg is not None

    # What pyVoIP can't

    def reinvite(self, leg_id: str, sdp: bytes | None, now: float) -> bool:
        """Refuse to offer another session; ReinviteFailed follows."""
        if (leg := self._core.find_leg(leg_id)) is not None:
            self._tell_later(ReinviteFailed(leg.leg_id, 501, reason_phrase(501)), now)
        return leg is not None

    def refer(
        self,
        leg_id: str,
        refer_to: str,
        now: float,
        referred_by: str = "",
        replaces_leg_id: str = "",
    ) -> bool:
        """Refuse to send REFER; ReferFinished follows."""
        if (leg := self._core.find_leg(leg_id)) is not None:
            refused = ReferFinished(leg.leg_id, 501, reason_phrase(501), refused=True)
            self._tell_later(refused, now)
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
        """Refuse to send INFO; RequestAnswered follows."""
        if (leg := self._core.find_leg(leg_id)) is not None:
            self._tell_later(RequestAnswered(leg.leg_id, method, 501, reason_phrase(501)), now)
        return leg is not None

    def accept_refer(self, leg_id: str, now: float) -> bool:
        """Do nothing: every REFER was refused (405)."""
        return False

    def notify_refer(self, leg_id: str, status: int, now: float, reason: str = "") -> bool:
        return False

    def refuse_refer(self, leg_id: str, status: int, now: float) -> bool:
        return False

    def _tell_later(self, event: Event, now: float) -> None:
        """Tell what came of a command once whoever gave it is done."""
        self._core.timers.schedule(now, lambda _now: self._core.events.append(event))

    # Outside of calls

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
    ) -> str:
        """Send REGISTER or OPTIONS; RequestFinished follows, under the id returned."""
        request = OutsideRequest(
            method, uri, from_uri, to_uri, flow, headers, routes, credentials, call_id, cseq
        )
        return self._outside.send(request, now)

    def contact_for(self, flow: Flow, user: str = "") -> str:
        """Return our Contact value on ``flow``, with ``user`` in it if it is not empty."""
        config = self._core.config
        return contact_value(replace(config, contact_user=user) if user else config, flow, False)

    def remote_target(self, leg_id: str) -> str:
        """Return the Contact URI of the leg's peer; "" when there is no dialog."""
        leg = self._core.legs.get(leg_id)
        return leg.dialog.remote_target if leg is not None and leg.dialog is not None else ""
