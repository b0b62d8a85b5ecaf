"""Connections over TLS, junk on both ports, and keeping a path open."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from telephony.base.ids import Ids
from telephony.net.sip_stream import SipStreams, StreamLimits
from telephony.net.tls import CertificateProblem, TlsContexts
from telephony.sip.flow import Flow
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.fake_guard import FakeGuard

MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"


class Side:
    """Streams that remember what came, on a clock that the test moves."""

    def __init__(self, limits: StreamLimits | None = None, tls: TlsContexts | None = None) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self.failed: list[Flow] = []
        self.reasons: list[str] = []
        self.now = 100.0
        self.guard = FakeGuard()
        self.answer: Callable[[bytes, Flow], None] = lambda data, flow: None
        self.streams = SipStreams(
            asyncio.get_running_loop(),
            self._receive,
            self._failed,
            lambda: self.now,
            limits,
            guard=self.guard,
            ids=Ids.seeded(1),
        )
        self.streams.tls = tls

    def _receive(self, data: bytes, flow: Flow) -> None:
        self.received.append((data, flow))
        self.answer(data, flow)

    def _failed(self, flow: Flow, reason: str) -> None:
        self.failed.append(flow)
        self.reasons.append(reason)

    def to(self, other: Side, transport: str = "tls", server_name: str = "bot.example") -> Flow:
        assert transport in ("tcp", "tls")
        remote = other.streams.bound[transport][0]  # type: ignore[index]
        return Flow(transport, remote, ("127.0.0.1", 0), server_name=server_name)  # type: ignore[arg-type]

    def sweep_after(self, seconds: float) -> None:
        self.now += seconds
        self.streams._sweep()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def bot(authority: Authority) -> TlsContexts:
    issued = authority.issue("bot", dns=["bot.example"], uris=["sip:bot.example"])
    return TlsContexts(authority.config(issued, "optional"))


@pytest.fixture(scope="module")
def trunk(authority: Authority) -> TlsContexts:
    issued = authority.issue("trunk", dns=["a.trunk.example"], uris=["sip:trunk.example"])
    return TlsContexts(authority.config(issued))


@asynccontextmanager
async def side(
    tls: TlsContexts | None = None, limits: StreamLimits | None = None, listen: bool = False
) -> AsyncIterator[Side]:
    made = Side(limits, tls)
    if listen:
        await made.streams.listen(("127.0.0.1", 0))
        if tls is not None:
            await made.streams.listen_tls(("127.0.0.1", 0), tls)
    yield made
    await made.streams.close()


async def until_closed(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionResetError):
        assert await reader.read() == b""


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_messages_both_ways_with_verified_names(bot: TlsContexts, trunk: TlsContexts) -> None:
    async with side(bot, listen=True) as near, side(trunk) as far:
        near.answer = lambda data, flow: near.streams.send(b"REPLY SIP/2.0\r\nl: 0\r\n\r\n", flow)
        flow = far.to(near)
        far.streams.send(MESSAGE, flow)
        far.streams.send(MESSAGE, flow)
        await eventually(lambda: len(far.received) == 2)
        assert [data for data, _ in near.received] == [MESSAGE, MESSAGE]
        came_over = near.received[0][1]
        assert (came_over.transport, came_over.peer_names) == ("tls", ("trunk.example",))
        answered_over = far.received[0][1]
        assert answered_over == flow
        assert answered_over.peer_names == ("bot.example",)
        assert answered_over.server_name == "bot.example"
        assert far.streams.flow_to(flow.remote, "tls", "bot.example") == flow
        assert far.streams.flow_to(flow.remote, "tls", "other.example") is None
        assert near.streams.stats.handshakes == far.streams.stats.handshakes == 1


async def test_a_connection_is_not_used_for_another_name(
    bot: TlsContexts, trunk: TlsContexts
) -> None:
    async with side(bot, listen=True) as near, side(trunk) as far:
        far.streams.send(MESSAGE, far.to(near))
        await eventually(lambda: near.received)
        far.streams.send(MESSAGE, far.to(near, server_name="other.example"))
        assert len(far.failed) == 1
        assert far.streams.stats.names_mismatched == 1
        assert far.reasons == ["certificate is not for the name other.example"]


async def test_a_server_of_another_name_fails_the_flow(
    bot: TlsContexts, trunk: TlsContexts
) -> None:
    async with side(bot, listen=True) as near, side(trunk) as far:
        far.streams.send(MESSAGE, far.to(near, server_name="other.example"))
        await eventually(lambda: far.failed)
        assert near.received == []
        assert far.streams.stats.handshakes_failed == 1
        assert far.reasons == ["certificate is not for the name other.example"]


async def test_a_server_of_another_authority(bot: TlsContexts, tmp_path: Path) -> None:
    stranger = TlsContexts(Authority(tmp_path, "other authority").config())
    async with side(bot, listen=True) as near, side(stranger) as far:
        far.streams.send(MESSAGE, far.to(near))
        await eventually(lambda: far.failed)
        assert far.reasons == ["certificate is not signed by an authority of tls.ca"]


async def test_nobody_listens(bot: TlsContexts) -> None:
    async with side() as far:
        far.streams.send(MESSAGE, Flow("tcp", ("127.0.0.1", 9), ("127.0.0.1", 0)))
        await eventually(lambda: far.failed)
        assert far.reasons == ["connection refused"]


async def test_a_stranger_without_certificate(
    authority: Authority, bot: TlsContexts, trunk: TlsContexts
) -> None:
    async with side(bot, listen=True) as near, side(TlsContexts(authority.config())) as far:
        far.streams.send(MESSAGE, far.to(near))
        await eventually(lambda: near.received)
        assert near.received[0][1].peer_names == ()
    strict = TlsContexts(authority.config(authority.issue("s", dns=["bot.example"]), "required"))
    async with side(strict, listen=True) as near:
        async with side(TlsContexts(authority.config())) as far:
            far.streams.send(MESSAGE, far.to(near))
            await eventually(lambda: far.failed)
            assert near.received == []
            assert near.streams.stats.handshakes_failed == 1
        async with side(trunk) as far:
            far.streams.send(MESSAGE, far.to(near))
            await eventually(lambda: near.received)


async def test_new_certificates_without_dropping_connections(
    authority: Authority, tmp_path: Path
) -> None:
    issued = authority.issue("renewed", dns=["old.example"])
    contexts = TlsContexts(authority.config(issued))
    async with side(contexts, listen=True) as near:
        client = TlsContexts(authority.config())
        async with side(client) as early, side(client) as late:
            before = early.to(near, server_name="old.example")
            early.streams.send(MESSAGE, before)
            await eventually(lambda: near.received)
            authority.issue("renewed", dns=["new.example"])
            contexts.reload()
            late.streams.send(MESSAGE, late.to(near, server_name="new.example"))
            await eventually(lambda: len(near.received) == 2)
            early.streams.send(MESSAGE, before)
            await eventually(lambda: len(near.received) == 3)
            assert near.received[2][1] == near.received[0][1]
            assert early.failed == late.failed == near.failed == []


async def test_a_listener_needs_a_certificate(authority: Authority) -> None:
    async with side() as near:
        with pytest.raises(CertificateProblem):
            await near.streams.listen_tls(("127.0.0.1", 0), TlsContexts(authority.config()))


async def test_without_tls_nothing_goes_out_over_it(bot: TlsContexts) -> None:
    async with side(bot, listen=True) as near, side() as far:
        far.streams.send(MESSAGE, far.to(near))
        assert len(far.failed) == 1


async def test_a_browser_on_the_tls_port(bot: TlsContexts) -> None:
    async with side(bot, listen=True) as near:
        reader, writer = await asyncio.open_connection(*near.streams.bound["tls"][0])
        writer.write(b"GET / HTTP/1.1\r\nHost: bot\r\n\r\n")
        await until_closed(reader)
        assert near.streams.stats.junk == 1
        assert near.guard.noted == [("malformed", "127.0.0.1")]
        await hang_up(writer)


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\nHost: bot\r\n\r\n",
        bytes.fromhex("160301020001fc0303"),
        b"\x80\x03\x01",
        b"\r\n{json}\r\n",
    ],
)
async def test_junk_on_the_plain_port(bot: TlsContexts, junk: bytes) -> None:
    async with side(listen=True) as near:
        reader, writer = await asyncio.open_connection(*near.streams.bound["tcp"][0])
        writer.write(junk)
        await until_closed(reader)
        assert near.streams.stats.junk == 1
        assert near.received == []
        assert near.guard.noted == [("malformed", "127.0.0.1")]
        await hang_up(writer)


async def test_a_handshake_that_takes_too_long(bot: TlsContexts) -> None:
    async with side(bot, listen=True) as near:
        _reader, writer = await asyncio.open_connection(*near.streams.bound["tls"][0])
        writer.write(b"\x16\x03\x01\x02\x00")
        await eventually(lambda: near.streams.connections == 1)
        near.sweep_after(9)
        assert near.streams.stats.timed_out == 0
        near.sweep_after(2)
        assert near.streams.stats.timed_out == 1
        assert near.guard.noted == [("slow", "127.0.0.1")]
        await eventually(lambda: near.streams.connections == 0)
        await hang_up(writer)


async def test_a_server_that_does_not_speak_tls(trunk: TlsContexts) -> None:
    async with side(listen=True) as plain, side(trunk) as far:
        far.streams.send(MESSAGE, Flow("tls", plain.streams.bound["tcp"][0], ("127.0.0.1", 0)))
        await eventually(lambda: far.failed)
        assert plain.streams.stats.junk == 1
        assert plain.received == []


async def test_a_server_that_never_shakes_hands(trunk: TlsContexts) -> None:
    peer = Listener()
    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    async with side(trunk) as far:
        remote = server.sockets[0].getsockname()
        far.streams.send(MESSAGE, Flow("tls", remote, ("127.0.0.1", 0)))
        await peer.connected.wait()
        await eventually(lambda: far.streams.connections)
        far.sweep_after(11)
        await eventually(lambda: far.failed)
        assert far.guard.noted == []
        await hang_up(peer.writer)
    server.close()


async def test_only_so_many_connections_from_one_source() -> None:
    limits = StreamLimits(max_connections_per_source=2)
    async with side(limits=limits, listen=True) as near:
        address = near.streams.bound["tcp"][0]
        pairs = [await asyncio.open_connection(*address) for _ in range(3)]
        await eventually(lambda: near.streams.stats.refused == 1)
        assert near.streams.connections == 2
        # From another address there is room.
        other = await asyncio.open_connection(*address, local_addr=("127.0.0.2", 0))
        await eventually(lambda: near.streams.connections == 3)
        for _, writer in (*pairs, other):
            await hang_up(writer)
        await eventually(lambda: near.streams.connections == 0)
        assert near.streams._accepted_from == {}
        again = await asyncio.open_connection(*address)
        await eventually(lambda: near.streams.connections == 1)
        await hang_up(again[1])


async def test_many_messages_at_once_leave_the_loop_to_others() -> None:
    async with side(listen=True) as near:
        _reader, writer = await asyncio.open_connection(*near.streams.bound["tcp"][0])
        numbered = [MESSAGE[:-4] + b"%04d" % n for n in range(2000)]
        writer.write(b"".join(numbered))
        turns: list[int] = []
        while len(near.received) < 2000:
            turns.append(len(near.received))
            await asyncio.sleep(0)
        assert max(b - a for a, b in itertools.pairwise(turns)) <= 32
        assert [data for data, _ in near.received] == numbered
        # What came before the end is not lost.
        writer.write(b"".join(numbered[:100]))
        await hang_up(writer)
        await eventually(lambda: near.failed)
        assert len(near.received) == 2100


async def test_held_connections_lock_nobody_out() -> None:
    limits = StreamLimits(max_connections=2, evict_after_s=60)
    async with side(limits=limits, listen=True) as near:
        address = near.streams.bound["tcp"][0]
        first = await asyncio.open_connection(*address)
        first[1].write(MESSAGE)
        await eventually(lambda: near.received)
        near.now += 59
        second = await asyncio.open_connection(*address)
        await eventually(lambda: near.streams.connections == 2)
        refused = await asyncio.open_connection(*address)
        await until_closed(refused[0])
        near.now += 1
        third = await asyncio.open_connection(*address)
        await until_closed(first[0])
        await eventually(lambda: near.streams.connections == 2)
        assert (near.streams.stats.evicted, near.streams.stats.refused) == (1, 1)
        for _, writer in (first, second, refused, third):
            await hang_up(writer)


async def test_strangers_make_room_for_trunks_and_for_us() -> None:
    async with side(limits=StreamLimits(max_connections=2), listen=True) as near:
        address = near.streams.bound["tcp"][0]
        near.guard.trusted = {"127.0.0.2"}
        strangers = [await asyncio.open_connection(*address) for _ in range(2)]
        await eventually(lambda: near.streams.connections == 2)
        trunk = await asyncio.open_connection(*address, local_addr=("127.0.0.2", 0))
        await until_closed(strangers[0][0])
        async with side(listen=True) as far:
            near.streams.send(MESSAGE, near.to(far, "tcp"))
            await eventually(lambda: far.received)
            await until_closed(strangers[1][0])
            assert (near.streams.stats.evicted, near.streams.stats.refused) == (2, 0)
            # A trunk's connection gives way to nobody so soon.
            near.now += 59
            late = await asyncio.open_connection(*address)
            await until_closed(late[0])
            trunk[1].write(MESSAGE)
            await eventually(lambda: near.received)
        for _, writer in (*strangers, trunk, late):
            await hang_up(writer)


async def test_a_flood_of_pings_is_no_way_around_the_guard() -> None:
    async with side(listen=True) as near:
        reader, writer = await asyncio.open_connection(*near.streams.bound["tcp"][0])
        writer.write(MESSAGE)
        await eventually(lambda: near.received)
        writer.write(b"\r\n" * 200)
        assert await reader.readexactly(16) == b"\r\n" * 8
        assert near.guard.asked[2] == ("127.0.0.1", 400)
        near.guard.open = False
        writer.write(b"\r\n\r\n")
        await until_closed(reader)
        assert near.streams.stats.not_admitted == 1
        await hang_up(writer)


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x03\x00\x04\x0b\x00\x00\x00"]
)
async def test_what_only_looks_like_a_handshake(bot: TlsContexts, junk: bytes) -> None:
    async with side(bot, listen=True) as near:
        reader, writer = await asyncio.open_connection(*near.streams.bound["tls"][0])
        writer.write(junk)
        # The alert tells the peer what it did wrong.
        assert (await reader.read())[:1] == b"\x15"
        assert near.streams.stats.handshakes_failed == 1
        assert near.guard.noted == [("handshake_failed", "127.0.0.1")]
        await hang_up(writer)


async def test_a_banned_source_gets_no_connection() -> None:
    async with side(listen=True) as near:
        near.guard.open = False
        reader, writer = await asyncio.open_connection(*near.streams.bound["tcp"][0])
        await until_closed(reader)
        assert near.streams.stats.refused == 1
        assert near.guard.asked == [("127.0.0.1", 0)]
        await hang_up(writer)


async def test_a_source_that_sends_too_much_is_not_read_and_then_closed() -> None:
    async with side(listen=True) as near:
        reader, writer = await asyncio.open_connection(*near.streams.bound["tcp"][0])
        writer.write(MESSAGE)
        await eventually(lambda: near.received)
        near.guard.open = False
        writer.write(MESSAGE * 63)
        await eventually(lambda: near.streams.stats.not_admitted == 63)
        assert near.streams.connections == 1
        writer.write(MESSAGE)
        await until_closed(reader)
        assert len(near.received) == 1
        await hang_up(writer)


class Listener:
    """A peer that takes one connection and answers what the test writes."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.connected = asyncio.Event()

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connected.set()


@asynccontextmanager
async def pinging(limits: StreamLimits) -> AsyncIterator[tuple[Side, Listener]]:
    """Connect to a plain listener, and read the message that opened the connection."""
    peer = Listener()
    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    async with side(limits=limits) as near:
        remote = server.sockets[0].getsockname()
        near.streams.send(MESSAGE, Flow("tcp", remote, ("127.0.0.1", 0)))
        await peer.connected.wait()
        await peer.reader.readexactly(len(MESSAGE))
        yield near, peer
        await hang_up(peer.writer)
    server.close()


_KEEPALIVE = StreamLimits(keepalive_s=100)


async def test_a_ping_in_time_and_its_pong() -> None:
    async with pinging(_KEEPALIVE) as (near, peer):
        near.sweep_after(79)
        assert near.streams.stats.pings == 0
        near.sweep_after(21)
        assert near.streams.stats.pings == 1
        assert await peer.reader.readexactly(4) == b"\r\n\r\n"
        near.now += 1
        peer.writer.write(b"\r")
        peer.writer.write(b"\n")
        connection = next(iter(near.streams._connections.values()))
        await eventually(lambda: connection._heard_at == near.now)
        near.sweep_after(10)
        assert near.streams.stats.pongs_missing == 0
        # Two pongs are not taken for a ping.
        near.sweep_after(90)
        assert await peer.reader.readexactly(4) == b"\r\n\r\n"
        near.now += 1
        peer.writer.write(b"\r\n")
        await eventually(lambda: connection._heard_at == near.now)
        near.sweep_after(100)
        assert await peer.reader.readexactly(4) == b"\r\n\r\n"
        assert near.failed == []


async def test_a_peer_that_stops_answering_is_gone() -> None:
    async with pinging(_KEEPALIVE) as (near, peer):
        near.sweep_after(100)
        await peer.reader.readexactly(4)
        near.now += 1
        peer.writer.write(b"\r\n")
        connection = next(iter(near.streams._connections.values()))
        await eventually(lambda: connection._heard_at == near.now)
        near.sweep_after(1)
        near.sweep_after(100)
        await peer.reader.readexactly(4)
        near.sweep_after(9)
        assert near.streams.connections == 1
        near.sweep_after(2)
        await eventually(lambda: near.failed)
        assert near.streams.stats.pongs_missing == 1


@pytest.mark.parametrize("required", [False, True])
async def test_a_peer_that_never_answers(required: bool) -> None:
    limits = StreamLimits(keepalive_s=100, require_pong=required)
    async with pinging(limits) as (near, peer):
        near.sweep_after(100)
        await peer.reader.readexactly(4)
        near.sweep_after(11)
        await asyncio.sleep(0)
        assert near.streams.stats.pongs_missing == 1
        assert bool(near.failed) is required
        if not required:
            near.sweep_after(100)
            assert await peer.reader.readexactly(4) == b"\r\n\r\n"


async def test_no_ping_where_none_is_wanted() -> None:
    async with pinging(StreamLimits(keepalive_s=0)) as (near, _peer):
        near.sweep_after(3600)
        assert near.streams.stats.pings == 0


async def test_connections_of_peers_are_not_pinged() -> None:
    async with side(limits=_KEEPALIVE, listen=True) as near:
        _reader, writer = await asyncio.open_connection(*near.streams.bound["tcp"][0])
        writer.write(MESSAGE)
        await eventually(lambda: near.received)
        near.sweep_after(3600)
        assert near.streams.stats.pings == 0
        await hang_up(writer)


async def test_pings_and_pongs_over_tls(bot: TlsContexts, trunk: TlsContexts) -> None:
    async with side(bot, listen=True) as near, side(trunk, _KEEPALIVE) as far:
        far.streams.send(MESSAGE, far.to(near))
        await eventually(lambda: near.received)
        far.sweep_after(100)
        connection = next(iter(far.streams._connections.values()))
        far.now += 1
        await eventually(lambda: connection._heard_at == far.now)
        far.sweep_after(11)
        assert far.streams.stats.pongs_missing == 0
        assert connection._ponged


async def test_a_tls_peer_says_goodbye(bot: TlsContexts, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.path))
    async with side(bot, listen=True) as near:
        reader, writer = await asyncio.open_connection(
            *near.streams.bound["tls"][0], ssl=context, server_hostname="bot.example"
        )
        for octet in MESSAGE:
            writer.write(bytes([octet]))
        await eventually(lambda: near.received)
        near.streams.send(b"answer", near.received[0][1])
        assert await reader.readexactly(6) == b"answer"
        await hang_up(writer)
        await eventually(lambda: near.failed)
        assert near.streams.stats.broken == 0


async def test_closing_says_goodbye_over_tls(bot: TlsContexts, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.path))
    async with side(bot, listen=True) as near:
        reader, writer = await asyncio.open_connection(
            *near.streams.bound["tls"][0], ssl=context, server_hostname="bot.example"
        )
        writer.write(MESSAGE)
        await eventually(lambda: near.received)
        near.streams.send(b"bye" * 50_000, near.received[0][1])
        closing = asyncio.gather(near.streams.close(), reader.read())
        assert (await closing)[1] == b"bye" * 50_000
        await hang_up(writer)
