"""The SIP side of the bot: who is let in, over which trunk, and what is listened on."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Literal

import structlog

from telephony.app.guard_watch import GuardWatch
from telephony.app.identity_screen import IdentityScreen
from telephony.app.settings import Settings
from telephony.app.settings_mapping import (
    to_admission_config,
    to_guard_config,
    to_tls_config,
    to_user_agent_config,
)
from telephony.app.trunk_report import report
from telephony.base.errors import LocalProtocolError, TelephonyError
from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.dns import SipResolver
from telephony.net.listen import PortInUse
from telephony.net.sip_endpoint import Trace
from telephony.net.stun import StunClient, StunFailed
from telephony.net.tls import TlsContexts
from telephony.observe.metrics import Metrics
from telephony.observe.trunk_gauges import TrunkSample
from telephony.sip.admission import Admission, AdmissionConfig
from telephony.sip.flow import Address, Flow, Transport
from telephony.sip.registration import Registered, RegistrationEvent, RegistrationFailed
from telephony.sip.source_guard import SourceGuard
from telephony.sip.user_agent import UserAgent
from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.rtp_media import MediaPlane
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.dialing import TrunkDialer
from telephony.stacks.trunks.directory import TrunkChanges, TrunkDirectory
from telephony.stacks.trunks.reaching import Asker, Reach
from telephony.stacks.trunks.running import RunningTrunks

log = structlog.get_logger()

PORTS_TRIED = 50
STUN_PORT = 3478


class CannotListen(TelephonyError):  # noqa: N818 - what happened, not whose fault it is
    """An address of the settings can't be listened on, for another reason than a taken port."""


class Signalling:
    """Guard, user agent, stack, trunks and dialler, plugged together.

    ``on_incoming`` gets every inbound leg, with the status to refuse it with when its trunk is
    full. ``next_free_port`` replaces
    a listening port that is taken by the next free one. Call :meth:`listen`, then :meth:`start`.
    """

    def __init__(
        self,
        settings: Settings,
        trunks: Sequence[Trunk],
        plane: MediaPlane,
        metrics: Metrics,
        ids: Ids,
        on_incoming: Callable[[NativeLeg, int | None], None],
        *,
        trace: Trace | None = None,
        next_free_port: bool = False,
    ) -> None:
        self.settings = settings
        self.ports_replaced: list[tuple[str, int, int]] = []
        self.udp: Address | None = None
        self.tcp: Address | None = None
        self.tls: Address | None = None
        self._metrics = metrics
        self._ids = ids
        self._on_incoming = on_incoming
        self._next_free_port = next_free_port
        self._resources = AsyncExitStack()
        # The user agent reads it with every message; it is filled in once the ports are known.
        self._advertised: dict[Transport, Address] = {}
        self.directory = TrunkDirectory(trunks)
        self._screen = IdentityScreen(settings.identity, self.directory)
        self.guard = SourceGuard(
            to_guard_config(settings.security, self.directory.identifies_peers)
        )
        self.admission = Admission(self._admission_config(), ids, self.guard)
        self.tls_contexts = TlsContexts(to_tls_config(settings.tls))
        self.user_agent = UserAgent(
            to_user_agent_config(settings.sip, self._advertised), ids, self.admission, self.guard
        )
        self.stack = NativeStack(
            self.user_agent,
            plane,
            self._incoming,
            trace,
            policy=self._policy(),
            guard=self.guard,
            tls=self.tls_contexts,
        )
        self.resolver = SipResolver(ids, clock=monotonic, families=_families(settings.sip.host))
        reach = Reach(self.resolver, self.stack.endpoint, monotonic)
        self.trunks = RunningTrunks(
            self.directory,
            Asker(self.stack, reach),
            reach,
            self._contact_for,
            ids,
            monotonic,
            self,
        )
        self.stack.endpoint.flow_listeners.append(self.trunks.flow_failed)
        self.dialer = TrunkDialer(
            self.stack,
            self.directory,
            reach,
            monotonic,
            strangers=MediaPolicy(srtp=settings.media.srtp),
            on_dialled=lambda trunk, result: metrics.trunk_call(trunk, "outbound", result),
        )

    # Starting and ending

    async def listen(self) -> None:
        """Open every port of the settings; raises PortInUse, CannotListen, CertificateProblem."""
        sip = self.settings.sip
        first, *others = sip.host
        await self._listen_on(first, sip.udp_port, sip.tcp_port, sip.tls_port)
        for host in others:
            ports = [at and at[1] for at in (self.udp, self.tcp, self.tls)]
            await self._listen_on(host, *ports)
        if sip.advertised_host is not None:
            bound = self._bound().items()
            self._advertised.update((t, (sip.advertised_host, at[1])) for t, at in bound)
        elif sip.stun_server is not None:
            await self._ask_stun(sip.stun_server)

    def start(self) -> None:
        """Register, ask servers whether they are there, and watch the guard."""
        self._expose()
        self.trunks.start()
        watching = asyncio.create_task(
            GuardWatch(self.guard, self._metrics.source_banned).run(), name="guard"
        )
        self._resources.callback(watching.cancel)

    async def unregister(self) -> None:
        await self.trunks.unregister()

    async def stop(self) -> None:
        """Unregister and look after nothing any more; calls and sockets stay."""
        await self.trunks.stop()
        await self._resources.aclose()
        await self._screen.close()
        await self.resolver.close()

    async def reload(self, trunks: Sequence[Trunk]) -> TrunkChanges:
        """Take other trunks and read the certificates again; calls that are up go on.

        Raises CertificateProblem when a file of TLS is broken: everything else is done by then.
        """
        changes = await self.trunks.replace(trunks)
        self.stack.policy = self._policy()
        self.tls_contexts.reload()
        return changes

    def _expose(self) -> None:
        metrics, guard = self._metrics, self.guard
        metrics.expose_trunks(self._samples)
        metrics.expose_counters("admission", self.admission.stats)
        metrics.expose_counters("guard", guard.stats)
        metrics.expose_counters("dns", self.resolver.stats)
        for area, stats in self._screen.counters.items():
            metrics.expose_counters(area, stats)
        metrics.expose_gauge(
            "security_banned_sources",
            "Sources that are banned now.",
            lambda: len(guard.banned(monotonic())),
        )

    def _samples(self) -> list[TrunkSample]:
        return [
            TrunkSample(
                name,
                status.up,
                status.registered,
                status.load.active("inbound"),
                status.load.active("outbound"),
            )
            for name, status in self.directory.status.items()
        ]

    def trunk_report(self) -> list[dict[str, Any]]:
        """Return how every trunk is doing, as the HTTP port tells it."""
        return [
            report(trunk, self.directory.status[name], monotonic())
            for name, trunk in self.directory.trunks.items()
        ]

    # Calls

    def _incoming(self, leg: NativeLeg) -> None:
        self._on_incoming(leg, self.directory.refusal(leg.facts, leg, monotonic()))

    def _policy(self) -> PeerPolicy:
        directory = self.directory
        return PeerPolicy(
            media=directory.media(),
            credentials=directory.credentials(),
            strangers=MediaPolicy(srtp=self.settings.media.srtp),
            read_facts=directory.read_facts,
            may_refer=directory.may_refer,
            refer_uri=directory.refer_uri,
            screen=self._screen,
        )

    def _contact_for(self, flow: Flow, user: str) -> str:
        return self.user_agent.contact_for(flow, user)

    # What the trunks report

    def registration_changed(self, trunk: Trunk, event: RegistrationEvent) -> None:
        if isinstance(event, Registered):
            server = trunk.next_hops[event.server]
            log.info("trunk.registered", trunk=trunk.name, server=server, expires_s=event.expires_s)
        elif isinstance(event, RegistrationFailed):
            self._metrics.trunk_registration_failed(trunk.name)
            log.warning(
                "trunk.registration_failed",
                trunk=trunk.name,
                server=trunk.next_hops[event.server],
                status=event.status,
                reason=event.reason,
                retry_in_s=event.retry_in_s,
            )
        else:
            log.info("trunk.unregistered", trunk=trunk.name)

    def server_changed(self, trunk: Trunk, server: str, up: bool) -> None:
        write = log.info if up else log.warning
        write("trunk.server_up" if up else "trunk.server_down", trunk=trunk.name, server=server)

    def lookup_failed(self, trunk: Trunk, host: str, reason: str) -> None:
        log.warning("trunk.lookup_failed", trunk=trunk.name, host=host, reason=reason)

    def peers_changed(self) -> None:
        try:
            self.admission.reload(self._admission_config())
        except LocalProtocolError as error:
            log.error("trunk.peers_contradict", reason=str(error))

    def task_failed(self, trunk: Trunk, error: BaseException) -> None:
        log.error("trunk.failed", trunk=trunk.name, exc_info=error)

    def _admission_config(self) -> AdmissionConfig:
        return to_admission_config(
            self.settings.security, self.directory.peers(), self.directory.identifies_peers
        )

    # Ports

    def _bound(self) -> dict[Transport, Address]:
        bound: dict[Transport, Address | None] = {
            "udp": self.udp,
            "tcp": self.tcp,
            "tls": self.tls,
        }
        return {transport: at for transport, at in bound.items() if at is not None}

    async def _listen_on(
        self, host: str, udp_port: int | None, tcp_port: int | None, tls_port: int | None
    ) -> None:
        """Open UDP and TCP, on one port when the settings name one, and TLS."""
        endpoint = self.stack.endpoint
        both = udp_port is not None and tcp_port == udp_port

        async def listen(port: int) -> int:
            return await endpoint.listen(host, port, tcp=both)

        async def listen_tcp(port: int) -> int:
            return (await endpoint.streams.listen((host, port)))[1]

        async def listen_tls(port: int) -> int:
            return await endpoint.listen_tls(host, port, self.tls_contexts)

        if udp_port is not None:
            at = (host, await self.open_port("SIP", (host, udp_port), listen))
            self.udp = self.udp or at
            if both:
                self.tcp = self.tcp or at
        if tcp_port is not None and not both:
            at = (host, await self.open_port("SIP over TCP", (host, tcp_port), listen_tcp))
            self.tcp = self.tcp or at
        if tls_port is not None:
            at = (host, await self.open_port("SIP over TLS", (host, tls_port), listen_tls))
            self.tls = self.tls or at

    async def open_port(
        self, what: str, wanted: Address, listen: Callable[[int], Awaitable[int]]
    ) -> int:
        """Open a port or, if allowed, the next one that is free; even steps keep pairs apart."""
        host, port = wanted
        for candidate in range(port, min(port + 2 * PORTS_TRIED, 65535), 2):
            try:
                bound = await listen(candidate)
            except PortInUse:
                if not self._next_free_port:
                    raise
                continue
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise CannotListen(f"{what} on {host} port {candidate}: {reason}") from None
            if bound != port and port:
                self.ports_replaced.append((what, port, bound))
            return bound
        raise PortInUse(what, host, port)

    async def _ask_stun(self, server: str) -> None:
        """Find out our public address now, and again before the NAT forgets it."""
        udp = self.stack.endpoint.udp
        if udp is None:
            return
        try:
            address = await _look_up(server)
        except OSError as error:
            log.error("stun.failed", server=server, reason=str(error))
            return
        client = StunClient(udp, address, self._ids, self._mapped)
        try:
            await client.discover()
        except StunFailed as error:
            log.error("stun.failed", server=server, reason=str(error))
        client.start()
        self._resources.push_async_callback(client.close)

    def _mapped(self, mapped: Address) -> None:
        log.info("stun.mapped", host=mapped[0], port=mapped[1])
        self._advertised["udp"] = mapped
        for transport, at in self._bound().items():
            if transport != "udp":
                self._advertised[transport] = (mapped[0], at[1])
        if self.settings.media.advertised_host is None:
            plane = self.stack.plane
            config = replace(plane.config, advertised_host=mapped[0])
            self.stack.plane = replace(plane, config=config)


def _families(hosts: Sequence[str]) -> tuple[Literal["A", "AAAA"], ...]:
    """Return the address records worth asking for: those that we have a socket for."""
    found: list[Literal["A", "AAAA"]] = []
    if any(":" not in host for host in hosts):
        found.append("A")
    if any(":" in host for host in hosts):
        found.append("AAAA")
    return tuple(found)


async def _look_up(server: str) -> Address:
    """Return the address of a STUN server; raises OSError."""
    host, _, port = server.rpartition(":") if re.search(r":[0-9]+$", server) else (server, "", "")
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host.strip("[]"), int(port or STUN_PORT), type=socket.SOCK_DGRAM)
    address = found[0][4]
    return str(address[0]), int(address[1])
