"""The native stack: our user agent and our RTP plane behind the ``Signaling`` interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import sipmessage

from telephony.base.interfaces import LegFacts
from telephony.net.sip_endpoint import SipEndpoint, Trace
from telephony.sip import events as sip
from telephony.sip.flow import Flow
from telephony.sip.user_agent import UserAgent
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.rtp_media import MediaPlane

OnIncoming = Callable[[NativeLeg], None]


class NativeStack:
    """Turns the user agent's events into legs; every inbound one goes to ``on_incoming``.

    Also places calls: with no ``on_incoming`` (a caller, not a bot) inbound calls get 404.
    """

    def __init__(
        self,
        user_agent: UserAgent,
        plane: MediaPlane,
        on_incoming: OnIncoming | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.user_agent = user_agent
        self.endpoint = SipEndpoint(user_agent, plane.loop, self._event, plane.clock, trace=trace)
        self.plane = plane
        self._on_incoming = on_incoming
        self._legs: dict[str, NativeLeg] = {}
        self._react: dict[type, Callable[[NativeLeg, Any], None]] = {
            sip.InviteCancelled: NativeLeg.invite_cancelled,
            sip.LegConfirmed: NativeLeg.confirmed,
            sip.AckTimedOut: NativeLeg.ack_timed_out,
            sip.OfferReceived: NativeLeg.offer_received,
            sip.OfferWithdrawn: NativeLeg.offer_withdrawn,
            sip.AnswerReceived: NativeLeg.answer_received,
            sip.InfoReceived: NativeLeg.info_received,
            sip.LegEnded: NativeLeg.leg_ended,
            sip.CallProgressed: NativeLeg.call_progressed,
            sip.CallAnswered: NativeLeg.call_answered,
            sip.CallFailed: NativeLeg.call_failed,
        }

    @property
    def legs(self) -> int:
        """How many legs have not ended."""
        return len(self._legs)

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
        transport = _transport(target)
        flow = self.endpoint.flow_to((target.host, target.port or 5060), transport)
        facts = LegFacts(
            sip_call_id="",
            called=target.user or "",
            caller=_user(from_uri),
            caller_name="",
            source_ip=target.host,
            transport=transport,
            trunk="",
            headers=dict(headers),
        )
        leg = NativeLeg(self.user_agent, self.endpoint, self.plane, "", facts, None)
        leg.prepare_offer()
        try:
            leg.leg_id = self.user_agent.invite(
                uri, from_uri, leg.local_sdp, flow, self.plane.clock(), headers=tuple(headers)
            )
        except BaseException:
            leg.close()
            raise
        self._legs[leg.leg_id] = leg
        self.endpoint.flush()
        return leg

    async def close(self) -> None:
        """Close every leg's media and every socket; says goodbye to nobody."""
        for leg in self._legs.values():
            leg.close()
        self._legs.clear()
        await self.endpoint.close()

    def _event(self, event: sip.Event) -> None:
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
        leg = NativeLeg(
            self.user_agent, self.endpoint, self.plane, event.leg_id, _facts(event), event.sdp
        )
        self._legs[event.leg_id] = leg
        if self._on_incoming is None:
            leg.reject(404)
        else:
            self._on_incoming(leg)


def _facts(event: sip.InviteReceived) -> LegFacts:
    flow: Flow = event.flow
    return LegFacts(
        sip_call_id=event.call_id,
        called=_user(event.request_uri),
        caller=_user(event.from_uri),
        caller_name=event.from_display,
        source_ip=flow.remote[0],
        transport=flow.transport,
        trunk="",
        headers=event.headers,
    )


def _user(uri: str) -> str:
    """Return the user part of a SIP or tel URI, without its parameters."""
    try:
        user = sipmessage.URI.parse(uri).user
    except ValueError:
        return ""
    # RFC 3966 parameters of a telephone-subscriber in a SIP URI are not the number.
    return (user or "").split(";", 1)[0]


def _transport(uri: sipmessage.URI) -> Literal["udp", "tcp"]:
    name = (uri.parameters.get("transport") or "udp").lower()
    if name not in ("udp", "tcp"):
        raise ValueError(f"transport {name} is not supported")
    return "tcp" if name == "tcp" else "udp"
