"""REGISTER on real sockets, to registrars of sipmessage and a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
import sipmessage

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.dns import SipResolver
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.sip.registration import RegistrationEvent
from telephony.stacks.native import NativeStack
from telephony.stacks.trunk import RegisterPolicy, Trunk
from telephony.stacks.trunks.reaching import Asker, Reach
from telephony.stacks.trunks.registrar import Registrar
from telephony.stacks.trunks.status import TrunkStatus
from tests.support.stacks import stack, until


class FakeRegistrar(asyncio.DatagramProtocol):
    """Answers REGISTER with ``statuses`` in turn, then 200; the challenge is digest's."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.seen: list[sipmessage.Request] = []
        self.port = 0

    @property
    def uri(self) -> str:
        return f"sip:127.0.0.1:{self.port}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        self.transport.sendto(self.answer(data), source)  # type: ignore[attr-defined]

    def answer(self, data: bytes) -> bytes:
        request = sipmessage.Message.parse(data)
        assert isinstance(request, sipmessage.Request)
        self.seen.append(request)
        status = self.statuses.pop(0) if self.statuses else 200
        lines = [f"SIP/2.0 {status} Whatever"]
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            lines += [f"{name}: {value}" for value in request.headers.getlist(name)]
        if status == 200 and request.headers["Expires"] != "0":
            lines.append(f"Contact: {request.headers['Contact']};expires=60")
        if status == 401:
            lines.append('WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5, qop="auth"')
        if status == 423:
            lines.append("Min-Expires: 7200")
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()

    @property
    def expires(self) -> list[str]:
        return [request.headers["Expires"] for request in self.seen]


class StreamRegistrar(FakeRegistrar):
    """The same over TCP; its connections can be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: list[asyncio.StreamWriter] = []

    @property
    def uri(self) -> str:
        return f"{super().uri};transport=tcp"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                writer.write(self.answer(await reader.readuntil(b"\r\n\r\n")))
        writer.close()

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class World:
    def __init__(self, native: NativeStack, resources: AsyncExitStack) -> None:
        self.native = native
        self.events: list[RegistrationEvent] = []
        self._resources = resources
        ids = Ids.seeded(9)
        reach = Reach(SipResolver(ids), native.endpoint, monotonic)
        self.asker = Asker(native, reach)

    async def server(self, *statuses: int) -> FakeRegistrar:
        loop = asyncio.get_running_loop()
        server = FakeRegistrar(*statuses)
        transport, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
        self._resources.callback(transport.close)
        return server

    async def stream_server(self) -> StreamRegistrar:
        server = StreamRegistrar()
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        self._resources.push_async_callback(listening.wait_closed)
        self._resources.callback(listening.close)
        self._resources.callback(server.cut)
        server.port = listening.sockets[0].getsockname()[1]
        return server

    def registrar(self, *servers: FakeRegistrar, **policy: float) -> Registrar:
        self.trunk = Trunk(
            "t",
            tuple(server.uri for server in servers),
            domain="carrier.example",
            username="bot",
            credentials=Credentials("bot", "secret"),
            register=RegisterPolicy(**policy),  # type: ignore[arg-type]
        )
        self.status = TrunkStatus.of(self.trunk)
        assert self.trunk.register is not None
        registrar = Registrar(
            self.trunk,
            self.trunk.register,
            self.status,
            self.asker,
            self.native.user_agent.contact_for,
            Ids.seeded(3),
            monotonic,
            lambda trunk, event: self.events.append(event),
        )
        self.task = asyncio.create_task(registrar.run())
        self._resources.push_async_callback(self._end)
        return registrar

    async def _end(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


@pytest.fixture(name="world")
async def _world() -> AsyncIterator[World]:
    async with AsyncExitStack() as resources:
        native, _, _ = await resources.enter_async_context(stack(4))
        yield World(native, resources)


async def test_it_registers_answers_the_challenge_and_takes_its_contact_back(world: World) -> None:
    server = await world.server(401)
    registrar = world.registrar(server)
    await until(lambda: world.status.registered)
    first, second = server.seen
    assert first.uri.host == "carrier.example"
    assert first.headers["To"] == "<sip:bot@carrier.example>"
    assert first.headers["Contact"].startswith("<sip:bot@127.0.0.1:")
    assert 'username="bot"' in second.headers["Authorization"]
    assert "secret" not in str(second)
    assert world.status.registered_with == world.trunk.servers[0]
    assert 50 < world.status.registered_until - monotonic() <= 60
    registrar.stop()
    registrar.stop()
    await world.task
    assert server.expires == ["3600", "3600", "0"]
    assert world.names() == ["Registered", "Unregistered"]
    assert not world.status.registered
    numbers = [int(request.headers["CSeq"].split()[0]) for request in server.seen]
    assert numbers == sorted(set(numbers))


async def test_a_server_that_is_out_of_service_gives_way_to_the_next(world: World) -> None:
    down, up = await world.server(503, 503, 503), await world.server()
    world.registrar(down, up)
    await until(lambda: world.status.registered)
    assert world.status.registered_with == world.trunk.servers[1]
    assert world.names() == ["RegistrationFailed", "Registered"]
    assert world.status.registration_error == ""
    assert world.status.registrations_failed == 1


async def test_an_interval_too_brief_is_made_longer(world: World) -> None:
    server = await world.server(423)
    world.registrar(server)
    await until(lambda: world.status.registered)
    assert server.expires == ["3600", "7200"]


async def test_it_tries_again_after_a_failure(world: World) -> None:
    server = await world.server(500)
    world.registrar(server, retry_initial_s=0.05, retry_max_s=0.1)
    await until(lambda: world.status.registered)
    assert world.names() == ["RegistrationFailed", "Registered"]


async def test_a_refusal_is_told_and_the_trunk_is_not_usable(world: World) -> None:
    server = await world.server(403)
    world.registrar(server)
    await until(lambda: world.events)
    assert world.status.registration_error == "403 Whatever"
    assert not world.status.usable


async def test_a_server_that_stopped_answering_is_left_early(world: World) -> None:
    server = await world.server()
    registrar = world.registrar(server)
    await until(lambda: world.status.registered)
    registrar.server_failed("sip:elsewhere")
    registrar.server_failed(world.trunk.servers[0])
    await until(lambda: len(server.seen) == 2)


async def test_a_lost_connection_registers_at_once_over_another(world: World) -> None:
    server = await world.stream_server()
    registrar = world.registrar(server)
    world.native.endpoint.flow_listeners.append(registrar.flow_failed)
    await until(lambda: world.status.registered)
    server.cut()
    await until(lambda: world.names() == ["Registered", "Registered"])
    assert server.expires == ["3600", "3600"]
    assert len(server.writers) == 2


async def test_connections_of_others_are_none_of_its_business(world: World) -> None:
    server = await world.stream_server()
    registrar = world.registrar(server)
    await until(lambda: world.status.registered)
    registrar.flow_failed(Flow("tcp", ("127.0.0.1", 9), ("127.0.0.1", 5060)))
    await asyncio.sleep(0.05)
    assert server.expires == ["3600"]


async def test_stop_does_not_wait_for_a_server_that_is_silent(world: World) -> None:
    silent = await world.server()
    silent.datagram_received = lambda data, source: None  # type: ignore[method-assign]
    registrar = world.registrar(silent)
    await asyncio.sleep(0.05)
    registrar.stop()
    await asyncio.sleep(0.05)
    assert not world.task.done()
