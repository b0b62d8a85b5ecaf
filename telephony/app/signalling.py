"""The SIP side of the bot: who is let in, over which trunk, and what is listened on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal

import structlog

from telephony.app.connection_log import ConnectionLog
from telephony.app.guard_watch import GuardWatch
from telephony.app.identity_screen import IdentityScreen
from telephony.app.settings import Settings
from telephony.app.settings_mapping import (
    to_admission_config,
    to_guard_config,
    to_tls_config,
    to_user_agent_config,
)
from telephony.app.sip_ports import SipPorts
from telephony.app.trunk_report import report
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.dns import SipResolver
from telephony.net.sip_endpoint import Trace
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


class Signalling:
    """Guard, user agent, stack, trunks and dialler, plugged together.

    ``on_incoming`` gets every inbound leg, with the status to refuse it with when its trunk is
    full. ``next_free_port`` replaces a listening port that is taken by the next free one. Call
    :meth:`listen`, then :meth:`start`.
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
        self._metrics = metrics
        self._ids = ids
        self._on_incoming = on_incoming
        self._resources = AsyncExitStack()
        # The user agent reads it with every message; it is filled in once the ports are known.
        advertised: dict[Transport, Address] = {}
        self.directory = TrunkDirectory(trunks)
        self._screen = IdentityScreen(settings.identity, self.directory)
        self.guard = SourceGuard(
            to_guard_config(settings.security, self.directory.identifies_peers)
        )
        self.admission = Admission(self._admission_config(), ids, self.guard)
        self.tls_contexts = TlsContexts(to_tls_config(settings.tls))
        self.user_agent = UserAgent(
            to_user_agent_config(settings.sip, advertised), ids, self.admission, self.guard
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
        self.ports = SipPorts(
            settings,
            self.stack,
            self.tls_contexts,
            advertised,
            ids,
            next_free_port=next_free_port,
        )
        self.resolver = SipResolver(ids, clock=monotonic, families=_families(settings.sip.host))
        reach = Reach(self.resolver, self.stack.endpoint, monotonic)
        self.trunks = self._running_trunks(reach)
        self.stack.endpoint.flow_listeners.append(self.trunks.flow_failed)
        self.stack.endpoint.failure_listeners.append(ConnectionLog(monotonic).failed)
        self.dialer = TrunkDialer(
            self.stack,
            self.directory,
            reach,
            monotonic,
            strangers=MediaPolicy(srtp=settings.media.srtp),
            on_dialled=lambda trunk, result: metrics.trunk_call(trunk, "outbound", result),
        )

    def _running_trunks(self, reach: Reach) -> RunningTrunks:
        return RunningTrunks(
            self.directory,
            Asker(self.stack, reach),
            reach,
            self._contact_for,
            self._ids,
            monotonic,
            self,
        )

    # Starting and ending

    async def listen(self) -> None:
        """Open every port of the settings; raises PortInUse, CannotListen, CertificateProblem."""
        await self.ports.listen()

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
        await self.ports.close()
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
                retry_in_s=round(event.retry_in_s, 1),
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
        directory = self.directory
        return to_admission_config(
            self.settings.security,
            directory.peers(),
            directory.servers(),
            directory.identifies_peers,
        )


def _families(hosts: Sequence[str]) -> tuple[Literal["A", "AAAA"], ...]:
    """Return the address records worth asking for: those that we have a socket for."""
    found: list[Literal["A", "AAAA"]] = []
    if any(":" not in host for host in hosts):
        found.append("A")
    if any(":" in host for host in hosts):
        found.append("AAAA")
    return tuple(found)
