"""The SIP side of the bot: one stack, its trunks, and the way to call over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import structlog

from telephony.app.identity_screen import IdentityScreen
from telephony.app.port_opener import PortOpener
from telephony.app.settings import Settings
from telephony.app.settings_mapping import to_media_policy
from telephony.app.stack_choice import make_side
from telephony.app.stack_side import InboundLeg, SideParts
from telephony.app.trunk_report import report
from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.dns import SipResolver
from telephony.net.sip_endpoint import Trace
from telephony.observe.metrics import Metrics
from telephony.observe.trunk_gauges import TrunkSample
from telephony.sip.flow import Address, Transport
from telephony.sip.registration import Registered, RegistrationEvent, RegistrationFailed
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.rtp_media import MediaPlane
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.dialing import TrunkDialer
from telephony.stacks.trunks.directory import TrunkChanges, TrunkDirectory
from telephony.stacks.trunks.reaching import Reach

log = structlog.get_logger()


class Signalling:
    """Stack, trunks and dialler, plugged together.

    ``on_incoming`` gets every inbound leg, with the status to refuse it with when its trunk is
    full. Call :meth:`listen`, then :meth:`start`.
    """

    def __init__(
        self,
        settings: Settings,
        trunks: Sequence[Trunk],
        plane: MediaPlane,
        metrics: Metrics,
        ids: Ids,
        on_incoming: Callable[[InboundLeg, int | None], None],
        opener: PortOpener,
        *,
        trace: Trace | None = None,
    ) -> None:
        self.settings = settings
        self._metrics = metrics
        self._on_incoming = on_incoming
        self.directory = TrunkDirectory(trunks)
        self._screen = IdentityScreen(settings.identity, self.directory)
        self.side = make_side(
            settings.sip.stack,
            SideParts(
                settings,
                plane,
                ids,
                self.directory,
                metrics,
                opener,
                self._incoming,
                self._policy(),
                trace,
            ),
        )
        self.resolver = SipResolver(ids, clock=monotonic, families=_families(settings.sip.host))
        reach = Reach(self.resolver, self.side.endpoint, monotonic)
        self.trunks = self.side.keep_trunks(reach, self)
        self.dialer = TrunkDialer(
            self.side.placer,
            self.directory,
            reach,
            monotonic,
            strangers=to_media_policy(settings.media),
            on_dialled=lambda trunk, result: metrics.trunk_call(trunk, "outbound", result),
        )

    # Starting and ending

    async def listen(self) -> None:
        """Open every port of the settings; raises PortInUse, CannotListen, CertificateProblem."""
        await self.side.listen()

    def listening(self, transport: Transport) -> Address | None:
        """Return the first address that ``transport`` is listened on."""
        return next(iter(self.side.bound(transport)), None)

    def start(self) -> None:
        """Register, and ask servers whether they are there."""
        self._metrics.expose_trunks(self._samples)
        self._metrics.expose_counters("dns", self.resolver.stats)
        for area, stats in self._screen.counters.items():
            self._metrics.expose_counters(area, stats)
        self.side.start()
        self.trunks.start()

    async def unregister(self) -> None:
        await self.trunks.unregister()

    async def stop(self) -> None:
        """Unregister and look after nothing any more; calls and sockets stay."""
        await self.trunks.stop()
        await self.side.stop()
        await self._screen.close()
        await self.resolver.close()

    async def reload(self, trunks: Sequence[Trunk]) -> TrunkChanges:
        """Take other trunks and read the certificates again; calls that are up go on.

        Raises CertificateProblem when a file of TLS is broken: everything else is done by then.
        """
        changes = await self.trunks.replace(trunks)
        self.side.use_policy(self._policy())
        self.side.reload_certificates()
        return changes

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

    def _incoming(self, leg: InboundLeg) -> None:
        self._on_incoming(leg, self.directory.refusal(leg.facts, leg, monotonic()))

    def _policy(self) -> PeerPolicy:
        directory = self.directory
        return PeerPolicy(
            media=directory.media(),
            credentials=directory.credentials(),
            strangers=to_media_policy(self.settings.media),
            read_facts=directory.read_facts,
            may_refer=directory.may_refer,
            refer_uri=directory.refer_uri,
            screen=self._screen,
        )

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
        self.side.peers_changed()

    def task_failed(self, trunk: Trunk, error: BaseException) -> None:
        log.error("trunk.failed", trunk=trunk.name, exc_info=error)


def _families(hosts: Sequence[str]) -> tuple[Literal["A", "AAAA"], ...]:
    """Return the address records worth asking for: those that we have a socket for."""
    found: list[Literal["A", "AAAA"]] = []
    if any(":" not in host for host in hosts):
        found.append("A")
    if any(":" in host for host in hosts):
        found.append("AAAA")
    return tuple(found)
