"""PJSIP plugged together: admission, ports, and the stack."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog

from telephony.app.settings import Settings
from telephony.app.settings_mapping import to_admission_config, to_tls_config
from telephony.app.stack_side import SideParts
from telephony.base.errors import LocalProtocolError
from telephony.net.clock import monotonic
from telephony.net.tls import TlsContexts
from telephony.sip.admission import Admission, AdmissionConfig
from telephony.sip.flow import Address, Flow, Transport
from telephony.stacks.capabilities import CAPABILITIES, Capabilities
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.pjsip.config import PjsipConfig
from telephony.stacks.pjsip.registrar import PjsipRegistrar
from telephony.stacks.pjsip.stack import PjsipStack
from telephony.stacks.pjsip.symbols import max_calls_built_in
from telephony.stacks.trunk import RegisterPolicy, Trunk
from telephony.stacks.trunks.reaching import Asker, Reach
from telephony.stacks.trunks.running import RunningTrunks, TrunkListener
from telephony.stacks.trunks.status import TrunkStatus

log = structlog.get_logger()


class PjsipSide:
    """Implements :class:`telephony.app.stack_side.StackSide`; see there for the contract."""

    def __init__(self, parts: SideParts) -> None:
        self._parts = parts
        self._settings = settings = parts.settings
        self.admission = Admission(self._admission_config(), parts.ids)
        # PJSIP reads the files by itself; what is wrong with them is told here.
        self._certificates = TlsContexts(to_tls_config(settings.tls))
        self.stack = PjsipStack(
            to_pjsip_config(settings, parts.plane.config),
            parts.plane.loop,
            monotonic,
            parts.ids,
            self.admission,
            parts.on_inbound,
            parts.policy,
        )

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES["pjsip"]

    @property
    def max_calls(self) -> int | None:
        return max_calls_built_in()

    @property
    def placer(self) -> PjsipStack:
        return self.stack

    @property
    def endpoint(self) -> PjsipStack:
        return self.stack

    @property
    def dialogs(self) -> int:
        return self.stack.dialogs

    @property
    def certificate_valid_until(self) -> datetime | None:
        return self._certificates.not_after

    def bound(self, transport: Transport) -> list[Address]:
        return list(self.stack.transports.bound[transport])

    async def listen(self) -> None:
        if ignored := ignored_settings(self._settings):
            log.warning("pjsip.settings_ignored", keys=ignored)
        await self.stack.open()
        sip = self._settings.sip
        ports = (sip.udp_port, sip.tcp_port, sip.tls_port)
        for host in sip.host:
            await self._listen_on(host, *ports)
            # Further addresses get the ports that the first one got.
            found = (self.bound("udp"), self.bound("tcp"), self.bound("tls"))
            ports = tuple(at[0][1] if at else None for at in found)  # type: ignore[assignment]

    async def _listen_on(
        self, host: str, udp_port: int | None, tcp_port: int | None, tls_port: int | None
    ) -> None:
        """Open UDP and TCP, on one port when the settings name one, and TLS."""
        both = udp_port is not None and tcp_port == udp_port
        if udp_port is not None:
            await self._open("SIP", ("udp", "tcp") if both else ("udp",), host, udp_port)
        if tcp_port is not None and not both:
            await self._open("SIP over TCP", ("tcp",), host, tcp_port)
        if tls_port is not None:
            await self._open("SIP over TLS", ("tls",), host, tls_port)

    async def _open(self, what: str, kinds: tuple[Transport, ...], host: str, port: int) -> None:
        async def listen(candidate: int) -> int:
            return await self.stack.listen(kinds, host, candidate)

        await self._parts.opener.open(what, (host, port), listen)

    def keep_trunks(self, reach: Reach, listener: TrunkListener) -> RunningTrunks:
        def make_registrar(
            trunk: Trunk, policy: RegisterPolicy, status: TrunkStatus
        ) -> PjsipRegistrar:
            return PjsipRegistrar(
                trunk,
                policy,
                status,
                self.stack.registrations,
                reach,
                monotonic,
                listener.registration_changed,
                lambda: self._parts.ids.uint16() / 65_535,
            )

        return RunningTrunks(
            self._parts.directory,
            Asker(self.stack, reach),
            reach,
            _no_contact,
            self._parts.ids,
            monotonic,
            listener,
            make_registrar,
        )

    def start(self) -> None:
        metrics = self._parts.metrics
        metrics.expose_counters("pjsip", self.stack.door.stats)
        metrics.expose_counters("pjsip_frames", self.stack.library.frames)
        metrics.expose_counters("pjsip_streams", self.stack.streams.stats)
        metrics.expose_counters("admission", self.admission.stats)

    def use_policy(self, policy: PeerPolicy) -> None:
        self.stack.use_policy(policy)

    def peers_changed(self) -> None:
        try:
            self.stack.door.reload(self._admission_config())
        except LocalProtocolError as error:
            log.error("trunk.peers_contradict", reason=str(error))

    def _admission_config(self) -> AdmissionConfig:
        return to_admission_config(self._parts.settings.security, self._parts.directory)

    def refuse_options(self, retry_after_s: int) -> None:
        """PJSIP answers OPTIONS by itself: carriers hear of the end with the next call."""

    def reload_certificates(self) -> None:
        """Look at the files again; PJSIP goes on with what it read when it started."""
        before = self._certificates.not_after
        self._certificates.reload()
        if self._certificates.not_after != before:
            log.warning("pjsip.restart_needed", reason="certificates are read at the start only")

    async def stop(self) -> None:
        """Nothing runs here but what :meth:`close` ends."""

    async def close(self) -> None:
        await self.stack.close()


_IGNORED: dict[str, tuple[str, ...]] = {
    "sip": ("t1_ms", "t2_ms", "t4_ms", "max_message_bytes", "symmetric_signalling"),
    "media": (
        "port_quarantine_s",
        "telephone_event",
        "comfort_noise",
        "send_silence",
        "latch",
        "rtcp",
    ),
    "security": ("messages_per_s", "burst_messages", "never_ban"),
}
"""What PJSIP does its own way, by section."""


def ignored_settings(settings: Settings) -> list[str]:
    """Return the settings that say something, and that PJSIP can't be told."""
    default = Settings()
    return [
        f"{section}.{key}"
        for section, keys in _IGNORED.items()
        for key in keys
        if getattr(getattr(settings, section), key) != getattr(getattr(default, section), key)
    ]


def to_pjsip_config(settings: Settings, media: MediaConfig) -> PjsipConfig:
    sip = settings.sip
    return PjsipConfig(
        media=replace(media, more_hosts=()),
        media_ports=(settings.media.port_min, settings.media.port_max),
        product=sip.user_agent,
        advertised_host=sip.advertised_host,
        session_expires_s=sip.session_expires_s,
        min_session_expires_s=sip.min_session_expires_s,
        reliable_provisional=sip.reliable_provisional,
        ring_timeout_s=sip.ring_timeout_s,
        tls=to_tls_config(settings.tls),
        # PJSIP mixes at one rate: that of the best codec there may be.
        bridge_rate_hz=16_000 if "g722" in media.codecs else 8000,
    )


def _no_contact(flow: Flow, user: str) -> str:
    """PJSIP writes the Contacts of its registrations."""
    return ""
