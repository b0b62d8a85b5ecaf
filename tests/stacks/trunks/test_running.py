from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.dns import SipResolver
from telephony.sip.flow import Flow
from telephony.sip.registration import RegistrationEvent
from telephony.stacks.trunk import InboundPolicy, KeepalivePolicy, RegisterPolicy, Trunk
from telephony.stacks.trunks.directory import TrunkDirectory
from telephony.stacks.trunks.reaching import Asker, Reach
from telephony.stacks.trunks.running import RunningTrunks
from tests.support.stacks import stack, until


class Listener:
    def __init__(self) -> None:
        self.registrations: list[tuple[str, str]] = []
        self.servers: list[tuple[str, bool]] = []
        self.failed: list[str] = []
        self.lookups: list[str] = []
        self.peers = 0

    def registration_changed(self, trunk: Trunk, event: RegistrationEvent) -> None:
        self.registrations.append((trunk.name, type(event).__name__))

    def server_changed(self, trunk: Trunk, server: str, up: bool) -> None:
        self.servers.append((server, up))

    def lookup_failed(self, trunk: Trunk, host: str, reason: str) -> None:
        self.lookups.append(host)

    def peers_changed(self) -> None:
        self.peers += 1

    def task_failed(self, trunk: Trunk, error: BaseException) -> None:
        self.failed.append(repr(error))


World = tuple[RunningTrunks, Listener, int]


@pytest.fixture(name="world")
async def _world() -> AsyncIterator[World]:
    """A bot whose trunk is another stack, which is no registrar and answers OPTIONS."""
    async with stack(5) as (native, _, _), stack(6) as (_, port, _):
        ids = Ids.seeded(1)
        resolver = SipResolver(ids)
        reach = Reach(resolver, native.endpoint, monotonic)
        listener = Listener()
        running = RunningTrunks(
            TrunkDirectory(),
            Asker(native, reach),
            reach,
            native.user_agent.contact_for,
            ids,
            monotonic,
            listener,
        )
        yield running, listener, port
        await running.stop()
        await resolver.close()
        assert not listener.failed


FAST = KeepalivePolicy(options_interval_s=0.02, timeout_s=0.05, down_after=2)


async def test_addresses_are_learned_and_servers_asked(world: World) -> None:
    running, listener, port = world
    patient = replace(FAST, timeout_s=20.0)
    trunk = Trunk("t", (f"sip:127.0.0.1:{port}",), keepalive=patient)
    await running.replace([trunk])
    await until(lambda: running.directory.networks_of("t"))
    assert [str(network) for network in running.directory.networks_of("t")] == ["127.0.0.1/32"]
    server = running.directory.status["t"].servers[trunk.servers[0]]
    await until(lambda: server.last_status == 200)
    assert not listener.servers
    assert listener.peers == 2


async def test_a_server_that_is_gone_goes_down(world: World) -> None:
    running, listener, _ = world
    await running.replace([Trunk("t", ("sip:127.0.0.1:1",), keepalive=FAST)])
    await until(lambda: listener.servers)
    assert listener.servers == [("sip:127.0.0.1:1", False)]
    assert not running.directory.status["t"].up


async def test_a_change_ends_the_old_and_begins_the_new(world: World) -> None:
    running, listener, port = world
    trunk = Trunk(
        "t", (f"sip:127.0.0.1:{port}",), username="u", register=RegisterPolicy(), keepalive=None
    )
    await running.replace([trunk])
    # The other stack is no registrar.
    await until(lambda: listener.registrations)
    assert listener.registrations == [("t", "RegistrationFailed")]
    await running.replace([replace(trunk, register=None)])
    assert listener.registrations[-1] == ("t", "Unregistered")
    assert running.directory.status["t"].registered is None
    await running.replace([])
    await running.stop()
    assert running.directory.trunks == {}


async def test_a_lost_connection_is_told_to_who_registers(world: World) -> None:
    running, listener, port = world
    trunk = Trunk(
        "t", (f"sip:127.0.0.1:{port}",), username="u", register=RegisterPolicy(), keepalive=None
    )
    await running.replace([trunk])
    await until(lambda: listener.registrations)
    running.flow_failed(Flow("tcp", ("127.0.0.1", port), ("127.0.0.1", 5060)))
    assert listener.registrations == [("t", "RegistrationFailed")]


async def test_a_name_that_does_not_resolve_is_told_and_leaves_what_was_known(world: World) -> None:
    running, listener, _ = world
    hosts = InboundPolicy(hosts=("nowhere.invalid",), from_servers=False)
    running.directory.replace([Trunk("t", inbound=hosts)])
    running.directory.learn("t", ["192.0.2.7"])
    running.start()
    await asyncio.sleep(0)
    await until(lambda: listener.lookups)
    assert listener.lookups == ["sip:nowhere.invalid"]
    assert running.directory.networks_of("t")
