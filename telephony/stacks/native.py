"""The native stack: our user agent and our RTP plane behind the ``Signaling`` interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import sipmessage

from telephony.base.interfaces import LegFacts, LegListener
from telephony.net.sip_endpoint import SipEndpoint, Trace
from telephony.net.sip_stream import StreamLimits
from telephony.net.sources import SourceGuard
from telephony.net.tls import TlsContexts
from telephony.sip import events as sip
from telephony.sip.config import MessageLimits
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.sip.values import bare_host
from telephony.stacks.call_core import CallCore
from telephony.stacks.call_plan import CallPlan
from telephony.stacks.info_screen import screen_info
from telephony.stacks.intake import Intake
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy, user_of
from telephony.stacks.rtp_media import MediaPlane

OnIncoming = Callable[[NativeLeg], None]
OnFinished = Callable[[sip.RequestFinished], None]


class NativeStack:
    """Turns the user agent's events into legs; every inbound one goes to ``on_incoming``.

    ``user_agent`` is our own, or pyVoIP in its shape (:mod:`telephony.stacks.pyvoip`). Also places
    calls: with no ``on_incoming`` (a caller, not a bot) inbound calls get 404.
    ``policy`` may be replaced at any time; calls that are up keep what they have.
    """

    def __init__(
        self,
        user_agent: CallCore,
        plane: MediaPlane,
        on_incoming: OnIncoming | None = None,
        trace: Trace | None = None,
        *,
        policy: PeerPolicy | None = None,
        guard: SourceGuard | None = None,
        tls: TlsContexts | None = None,
        stream_limits: StreamLimits | None = None,
        message_limits: MessageLimits | None = None,
    ) -> None:
        self.user_agent = user_agent
        self.endpoint = SipEndpoint(
            user_agent,
            plane.loop,
            self._event,
            plane.clock,
            stream_limits=stream_limits,
            message_limits=message_limits,
            trace=trace,
            guard=guard,
            tls=tls,
            ids=plane.ids,
        )
        user_agent.screen_info_with(screen_info)
        self.plane = plane
        self.policy = policy or PeerPolicy()
        self._on_incoming = on_incoming
        self._legs: dict[str, NativeLeg] = {}
        self._requests: dict[str, OnFinished] = {}
        self._intake = Intake(plane.loop)
        self._react: dict[type, Callable[[NativeLeg, Any], None]] = {
            sip.InviteCancelled: NativeLeg.invite_cancelled,
            sip.LegConfirmed: NativeLeg.confirmed,
            sip.AckTimedOut: NativeLeg.ack_timed_out,
            sip.OfferReceived: NativeLeg.offer_received,
            sip.OfferWithdrawn: NativeLeg.offer_withdrawn,
            sip.AnswerReceived: NativeLeg.answer_received,
            sip.ReinviteFailed: NativeLeg.reinvite_failed,
            sip.InfoReceived: NativeLeg.info_received,
            sip.RequestAnswered: NativeLeg.request_answered,
            sip.LegEnded: NativeLeg.leg_ended,
            sip.CallProgressed: NativeLeg.call_progressed,
            sip.CallAnswered: NativeLeg.call_answered,
            sip.CallFailed: NativeLeg.call_failed,
            sip.ReferReceived: self._refer_received,
            sip.ReferProgressed: NativeLeg.refer_progressed,
            sip.ReferFinished: NativeLeg.refer_finished,
        }

    @property
    def legs(self) -> int:
        """How many legs have not ended."""
        return len(self._legs)

    # Requests of ours

    def place_call(
        self, uri: str, from_uri: str, headers: Sequence[tuple[str, str]] = ()
    ) -> NativeLeg:
        """Send an INVITE to the numeric host of ``uri``.

        Raises:
            ValueError: the URI is none, or its host is a name.
            OSError: there is no route to the host.
            CannotAnswer: there is no media port for the call.
        """
        target = sipmessage.URI.parse(uri)
        remote = (bare_host(target.host), target.port or 5060)
        flow = self.endpoint.flow_to(remote, _transport(target))
        plan = CallPlan(
            request_uri=uri,
            from_value=from_uri,
            flow=flow,
            headers=headers,
            media=self.policy.strangers,
            called=target.user or "",
            caller=user_of(from_uri),
        )
        return self.call(plan)

    def call(self, plan: CallPlan, listener: LegListener | None = None) -> NativeLeg:
        """Send the INVITE of ``plan``; raises CannotAnswer when there is no media port."""
        facts = LegFacts(
            sip_call_id="",
            called=plan.called,
            caller=plan.caller,
            caller_name="",
            source_ip=plan.flow.remote[0],
            transport=plan.flow.transport,
            trunk=plan.trunk,
            headers=dict(plan.headers),
        )
        leg = NativeLeg(
            self.user_agent,
            self.endpoint,
            self.plane,
            "",
            facts,
            None,
            plan.media,
            self.policy.refer_uri,
        )
        if listener is not None:
            leg.listen(listener)
        leg.prepare_offer()
        try:
            leg.leg_id = self.user_agent.invite(
                plan.request_uri,
                plan.from_value,
                leg.local_sdp,
                plan.flow,
                self.plane.clock(),
                headers=tuple(plan.headers),
                to=plan.to_value,
                routes=plan.routes,
                credentials=plan.credentials,
            )
        except BaseException:
            leg.close()
            raise
        leg.facts = replace(facts, sip_call_id=self.user_agent.legs[leg.leg_id].call_id)
        self._legs[leg.leg_id] = leg
        self.user_agent.knows_as(leg.leg_id, plan.trunk)
        self.endpoint.flush()
        return leg

    def send_request(
        self,
        method: str,
        uri: str,
        from_uri: str,
        to_uri: str,
        flow: Flow,
        on_finished: OnFinished,
        *,
        headers: Sequence[tuple[str, str]] = (),
        routes: Sequence[str] = (),
        credentials: Credentials | None = None,
        call_id: str = "",
        cseq: int = 0,
    ) -> str:
        """Send a request outside of any call; ``on_finished`` hears its outcome, later."""
        request_id = self.user_agent.send_request(
            method,
            uri,
            from_uri,
            to_uri,
            flow,
            self.plane.clock(),
            tuple(headers),
            routes=tuple(routes),
            credentials=credentials,
            call_id=call_id,
            cseq=cseq,
        )
        self._requests[request_id] = on_finished
        self.endpoint.flush()
        return request_id

    async def close(self) -> None:
        """Close every leg's media and every socket; says goodbye to nobody."""
        await self._intake.close()
        for leg in self._legs.values():
            leg.close()
        self._legs.clear()
        self._requests.clear()
        await self.endpoint.close()

    # What the user agent reports

    def _event(self, event: sip.Event) -> None:
        if isinstance(event, sip.RequestFinished):
            finished = self._requests.pop(event.request_id, None)
            if finished is not None:
                finished(event)
            return
        if isinstance(event, sip.InviteReceived):
            self._invite_received(event)
            return
        leg = self._legs.get(event.leg_id)
        react = self._react.get(type(event))
        if leg is None or react is None:
            return
        react(leg, event)
        if leg.ended:
            self._legs.pop(event.leg_id, None)

    def _invite_received(self, event: sip.InviteReceived) -> None:
        facts, policy = self.policy.read_facts(event), self.policy
        leg = NativeLeg(
            self.user_agent,
            self.endpoint,
            self.plane,
            event.leg_id,
            facts,
            event.sdp,
            policy.media_of(facts.trunk),
            policy.refer_uri,
        )
        self._legs[event.leg_id] = leg
        if (credentials := policy.credentials.get(facts.trunk)) is not None:
            self.user_agent.use_credentials(event.leg_id, credentials)
        self._intake.take(policy.screen, event, leg, lambda: self._report(event, leg))

    def _report(self, event: sip.InviteReceived, leg: NativeLeg) -> None:
        if event.replaces_leg_id:
            self._replace(event.replaces_leg_id, leg)
        elif self._on_incoming is None:
            leg.reject(404)
        else:
            self._on_incoming(leg)

    def _replace(self, replaced_id: str, leg: NativeLeg) -> None:
        """Give the call to whoever listens to the leg whose place it takes (RFC 3891)."""
        replaced = self._legs.get(replaced_id)
        if replaced is None or not replaced.offer_replacement(leg):
            leg.reject(481)

    def _refer_received(self, leg: NativeLeg, event: sip.ReferReceived) -> None:
        allowed = not event.replaces and self.policy.may_refer(leg.facts, event.refer_to)
        leg.refer_received(event, allowed)


def _transport(uri: sipmessage.URI) -> Literal["udp", "tcp", "tls"]:
    name = (uri.parameters.get("transport") or "udp").lower()
    if uri.scheme == "sips" or name == "tls":
        return "tls"
    if name not in ("udp", "tcp"):
        raise ValueError(f"transport {name} is not supported")
    return "tcp" if name == "tcp" else "udp"
