"""PJSIP's accounts: who we are, how SIP and media of the calls over it are set up.

There are three kinds: one for every incoming call, one that places calls and asks servers (it is
changed before each), and one for each registration.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any, Final, Protocol

import pjsua2 as pj

from telephony.net.listen import is_wildcard
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.sip.values import bracketed_host
from telephony.stacks.call_plan import SrtpMode
from telephony.stacks.pjsip.config import PjsipConfig
from telephony.stacks.pjsip.director import octets
from telephony.stacks.pjsip.guarded import guarded
from telephony.stacks.pjsip.registration import OnState, RegistrationState

MAX_ACCOUNTS: Final = 8
"""PJSUA_MAX_ACC of a build that nobody configured; one more ends the process."""

_SRTP: Final[dict[SrtpMode, int]] = {
    "off": int(pj.PJMEDIA_SRTP_DISABLED),
    "optional": int(pj.PJMEDIA_SRTP_OPTIONAL),
    "required": int(pj.PJMEDIA_SRTP_MANDATORY),
}


class AccountListener(Protocol):
    """Hears of what comes to an account. Called in threads of PJSIP's."""

    def incoming_call(self, account: Any, call_id: int, message: bytes, source: str) -> None: ...

    def request_answered(self, token: int, status: int, reason: str, message: bytes) -> None: ...


class PjsipAccount(pj.Account):  # type: ignore[misc]
    """The director of one account's callbacks."""

    def __init__(self, listener: AccountListener) -> None:
        super().__init__()
        self._listener = listener
        self.on_registration: OnState | None = None

    @guarded
    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        message, source = octets(prm.rdata.wholeMsg), str(prm.rdata.srcAddress)
        self._listener.incoming_call(self, int(prm.callId), message, source)

    @guarded
    def onIncomingSubscribe(self, prm: Any) -> None:  # noqa: N802
        # Nobody's presence is told here.
        prm.code = pj.PJSIP_SC_BAD_EVENT

    @guarded
    def onRegState(self, prm: Any) -> None:  # noqa: N802
        if self.on_registration is not None:
            status = int(prm.code) or (503 if int(prm.status) else 0)
            message = octets(prm.rdata.wholeMsg)
            state = RegistrationState(status, str(prm.reason), int(prm.expiration), message)
            self.on_registration(state)

    @guarded
    def onSendRequest(self, prm: Any) -> None:  # noqa: N802
        event = prm.e.body.tsxState
        received = int(event.type) == pj.PJSIP_EVENT_RX_MSG
        message = octets(event.src.rdata.wholeMsg) if received else b""
        status, reason = int(event.tsx.statusCode), str(event.tsx.statusText)
        if prm.userData is not None:
            self._listener.request_answered(int(prm.userData), status, reason, message)


def account_config(
    config: PjsipConfig,
    id_uri: str,
    srtp: SrtpMode = "off",
    routes: Sequence[str] = (),
    credentials: Credentials | None = None,
) -> Any:
    """Return the settings of an account; nothing is registered by it."""
    made = pj.AccountConfig()
    made.idUri = id_uri
    for route in routes:
        made.sipConfig.proxies.append(route)
    if credentials is not None:
        made.sipConfig.authCreds.append(login(credentials))
    calls = made.callConfig
    optional, unused = pj.PJSUA_100REL_OPTIONAL, pj.PJSUA_100REL_NOT_USED
    calls.prackUse = optional if config.reliable_provisional else unused
    asks = config.session_expires_s > 0
    calls.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL if asks else pj.PJSUA_SIP_TIMER_INACTIVE
    calls.timerMinSESec = config.min_session_expires_s
    calls.timerSessExpiresSec = config.session_expires_s or 1800
    _set_up_media(made.mediaConfig, config, srtp)
    nat = made.natConfig
    nat.iceEnabled = False
    nat.contactRewriteUse = 0
    nat.sipOutboundUse = False
    return made


def _set_up_media(media: Any, config: PjsipConfig, srtp: SrtpMode) -> None:
    low, high = config.media_ports
    transport = media.transportConfig
    transport.port = low + low % 2
    transport.portRange = high - transport.port
    transport.randomizePort = True
    if not is_wildcard(config.media.host):
        transport.boundAddress = config.media.host
    if config.media.advertised_host is not None:
        transport.publicAddress = config.media.advertised_host
    media.srtpUse = _SRTP[srtp]
    media.srtpSecureSignaling = 0
    media.streamKaEnabled = False


def login(credentials: Credentials) -> Any:
    """Return a login by digest; a realm that is not known answers every one."""
    return pj.AuthCredInfo(
        "digest", credentials.realm or "*", credentials.username, 0, credentials.password
    )


def route_to(flow: Flow) -> str:
    """Return the route that takes a request to ``flow`` and does not stand in it (``hide``).

    A server whose certificate is checked is called by the name that stands there.
    """
    host = flow.server_name if flow.transport == "tls" and flow.server_name else flow.remote[0]
    return f"sip:{bracketed_host(host)}:{flow.remote[1]};transport={flow.transport};lr;hide"


def system_roots() -> str:
    """Return the file of the roots that the system believes, "" when it has none."""
    return ssl.get_default_verify_paths().cafile or ""
