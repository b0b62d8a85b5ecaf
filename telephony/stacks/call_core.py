"""What a leg needs of a user agent: our own, or another signalling stack in its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from telephony.net.sip_endpoint import UserAgentCore
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.sip.leg import LegState
from telephony.sip.message import DialogKey
from telephony.sip.screening import InfoScreen
from telephony.sip.stats import UserAgentStats
from telephony.sip.writer import HeaderLines


class KnownLeg(Protocol):
    """A leg whose end was not reported yet."""

    @property
    def call_id(self) -> str: ...

    @property
    def state(self) -> LegState: ...

    @property
    def peer_methods(self) -> frozenset[str]:
        """What the peer lists in Allow."""


class CallCore(UserAgentCore, Protocol):
    """Commands of :class:`telephony.sip.user_agent.UserAgent`; see there for the contract.

    They return False, and do nothing, when the leg is already over. What a stack can't do is
    refused by the event that tells of a refusal by the peer.
    """

    @property
    def legs(self) -> Mapping[str, KnownLeg]: ...

    def screen_info_with(self, screen: InfoScreen) -> None: ...

    def ring(self, leg_id: str, now: float) -> bool: ...

    def progress(self, leg_id: str, sdp: bytes, now: float) -> bool: ...

    def answer(self, leg_id: str, sdp: bytes, now: float) -> bool: ...

    def reject(
        self, leg_id: str, status: int, now: float, reason: str = "", headers: HeaderLines = ()
    ) -> bool: ...

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
    ) -> str: ...

    def cancel(self, leg_id: str, now: float, headers: HeaderLines = ()) -> bool: ...

    def bye(self, leg_id: str, now: float, headers: HeaderLines = ()) -> bool: ...

    def knows_as(self, leg_id: str, peer: str) -> bool: ...

    def is_heard(self, leg_id: str) -> bool: ...

    def use_credentials(self, leg_id: str, credentials: Credentials) -> bool: ...

    def answer_offer(self, leg_id: str, sdp: bytes, now: float) -> bool: ...

    def refuse_offer(
        self, leg_id: str, status: int, now: float, headers: HeaderLines = ()
    ) -> bool: ...

    def reinvite(self, leg_id: str, sdp: bytes | None, now: float) -> bool: ...

    def refer(
        self,
        leg_id: str,
        refer_to: str,
        now: float,
        referred_by: str = "",
        replaces_leg_id: str = "",
    ) -> bool: ...

    def accept_refer(self, leg_id: str, now: float) -> bool: ...

    def notify_refer(self, leg_id: str, status: int, now: float, reason: str = "") -> bool: ...

    def refuse_refer(self, leg_id: str, status: int, now: float) -> bool: ...

    def remote_target(self, leg_id: str) -> str: ...

    def request(
        self,
        leg_id: str,
        method: str,
        now: float,
        headers: HeaderLines = (),
        content_type: str = "",
        body: bytes = b"",
    ) -> bool: ...

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
    ) -> str: ...


class BotCore(CallCore, Protocol):
    """What the bot itself asks of a user agent, besides its calls."""

    @property
    def stats(self) -> UserAgentStats: ...

    @property
    def dialogs(self) -> Mapping[DialogKey, object]: ...

    def answer_options_with(self, status: int, headers: HeaderLines = ()) -> None: ...

    def contact_for(self, flow: Flow, user: str = "") -> str: ...
