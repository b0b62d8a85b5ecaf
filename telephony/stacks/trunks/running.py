"""The trunks at work: registered, asked whether they are there, and known by their addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from telephony.base.ids import Ids
from telephony.base.interfaces import Clock
from telephony.net.dns import ResolutionFailed
from telephony.sip.flow import Flow
from telephony.sip.registration import RegistrationEvent
from telephony.stacks.trunk import RegisterPolicy, Trunk
from telephony.stacks.trunks.addressing import server_of
from telephony.stacks.trunks.directory import TrunkChanges, TrunkDirectory
from telephony.stacks.trunks.keepalive import Keepalive
from telephony.stacks.trunks.reaching import Asker, Reach
from telephony.stacks.trunks.registrar import ContactFor, Registrar
from telephony.stacks.trunks.status import TrunkStatus

ADDRESSES_INTERVAL_S = 60.0
"""How often the names of peers are looked up again; the resolver keeps what is still valid."""

UNREGISTER_S = 3.0
"""How long taking our Contacts back may hold up the end of the process."""


class TrunkListener(Protocol):
    """Hears how the trunks are doing. Every method returns at once."""

    def registration_changed(self, trunk: Trunk, event: RegistrationEvent) -> None: ...

    def server_changed(self, trunk: Trunk, server: str, up: bool) -> None: ...

    def lookup_failed(self, trunk: Trunk, host: str, reason: str) -> None:
        """The addresses of a trunk's peers are not known; those known before stay."""

    def peers_changed(self) -> None:
        """The addresses that trunks call from are others now."""

    def task_failed(self, trunk: Trunk, error: BaseException) -> None:
        """A fault of ours: the trunk is not looked after until it is configured anew."""


class Registering(Protocol):
    """Keeps one trunk registered while ``run`` runs: see :class:`Registrar`."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...

    def server_failed(self, hop: str) -> None: ...

    def flow_failed(self, flow: Flow) -> None: ...


MakeRegistrar = Callable[[Trunk, RegisterPolicy, TrunkStatus], Registering]


class RunningTrunks:
    """Looks after every trunk of the directory between :meth:`start` and :meth:`stop`.

    ``make_registrar`` is for a stack that registers by itself; else REGISTERs are asked with
    ``asker``.
    """

    def __init__(
        self,
        directory: TrunkDirectory,
        asker: Asker,
        reach: Reach,
        contact_for: ContactFor,
        ids: Ids,
        clock: Clock,
        listener: TrunkListener,
        make_registrar: MakeRegistrar | None = None,
    ) -> None:
        self.directory = directory
        self._asker = asker
        self._reach = reach
        self._contact_for = contact_for
        self._ids = ids
        self._clock = clock
        self._listener = listener
        self._make_registrar = make_registrar or self._asking_registrar
        self._registrars: dict[str, Registering] = {}
        self._registering: dict[str, asyncio.Task[None]] = {}
        self._watching: dict[str, list[asyncio.Task[None]]] = {}

    def start(self) -> None:
        """Begin to look after every trunk."""
        for name in self.directory.trunks:
            self._begin(name)

    async def replace(self, trunks: Sequence[Trunk]) -> TrunkChanges:
        """Go on with other trunks; those that did not change notice nothing."""
        changes = self.directory.replace(trunks)
        await self._end((*changes.removed, *changes.changed))
        for name in (*changes.added, *changes.changed):
            self._begin(name)
        self._listener.peers_changed()
        return changes

    async def unregister(self) -> None:
        """Take every Contact back, so that no new call is sent here; calls go on."""
        for registrar in self._registrars.values():
            registrar.stop()
        tasks = list(self._registering.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=UNREGISTER_S)
            await _cancel(late)
        self._registrars.clear()
        self._registering.clear()

    async def stop(self) -> None:
        """Unregister, and look after nothing any more. Twice is harmless."""
        await self.unregister()
        watching = [task for tasks in self._watching.values() for task in tasks]
        self._watching.clear()
        await _cancel(watching)

    def flow_failed(self, flow: Flow) -> None:
        """Let who is registered over this connection register again."""
        for registrar in self._registrars.values():
            registrar.flow_failed(flow)

    def _begin(self, name: str) -> None:
        trunk = self.directory.trunks[name]
        status = self.directory.status[name]
        if trunk.register is not None:
            registrar = self._make_registrar(trunk, trunk.register, status)
            self._registrars[name] = registrar
            self._registering[name] = self._spawn(trunk, registrar.run())
        watching = self._watching[name] = []
        if trunk.keepalive is not None and trunk.next_hops:
            keepalive = Keepalive(trunk, status, self._asker, self._ids, self._server_changed)
            watching.append(self._spawn(trunk, keepalive.run()))
        if _names_of_peers(trunk) or trunk.next_hops:
            watching.append(self._spawn(trunk, self._watch_addresses(trunk)))

    def _asking_registrar(
        self, trunk: Trunk, policy: RegisterPolicy, status: TrunkStatus
    ) -> Registrar:
        return Registrar(
            trunk,
            policy,
            status,
            self._asker,
            self._contact_for,
            self._ids,
            self._clock,
            self._listener.registration_changed,
        )

    def _server_changed(self, trunk: Trunk, server: str, up: bool) -> None:
        registrar = self._registrars.get(trunk.name)
        if registrar is not None and not up:
            registrar.server_failed(server)
        self._listener.server_changed(trunk, server, up)

    async def _end(self, names: Iterable[str]) -> None:
        registering = []
        for name in names:
            await _cancel(self._watching.pop(name, []))
            if (registrar := self._registrars.pop(name, None)) is not None:
                registrar.stop()
                registering.append(self._registering.pop(name))
        if registering:
            _, late = await asyncio.wait(registering, timeout=UNREGISTER_S)
            await _cancel(late)

    async def _watch_addresses(self, trunk: Trunk) -> None:
        """Keep up with the addresses of whoever calls over the trunk, and of whom we call."""
        while True:
            peers = await self._addresses(trunk, _names_of_peers(trunk))
            servers = await self._addresses(trunk, trunk.next_hops)
            # With a name missing, what was known of it is better than nothing.
            changed = peers is not None and self.directory.learn(trunk.name, peers)
            if servers is not None and self.directory.learn_servers(trunk.name, servers):
                changed = True
            if changed:
                self._listener.peers_changed()
            await asyncio.sleep(ADDRESSES_INTERVAL_S)

    async def _addresses(self, trunk: Trunk, names: Iterable[str]) -> set[str] | None:
        """Return what the names stand for; None when one of them can't be looked up now."""
        found: set[str] = set()
        failed = False
        for name in names:
            try:
                found.update(target.host for target in await self._reach.targets(name))
            except ResolutionFailed as error:
                failed = True
                self._listener.lookup_failed(trunk, name, str(error))
        return None if failed else found

    def _spawn(self, trunk: Trunk, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"trunk-{trunk.name}")

        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._listener.task_failed(trunk, error)

        task.add_done_callback(ended)
        return task


def _names_of_peers(trunk: Trunk) -> list[str]:
    """Return the URIs whose addresses are peers of the trunk."""
    hosts = [server_of(host) for host in trunk.inbound.hosts]
    return [*hosts, *(trunk.next_hops if trunk.inbound.from_servers else ())]


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
