from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from telephony.net.listen import PortInUse
from telephony.net.sip_stream import SipStreams, StreamLimits
from telephony.sip.config import MessageLimits
from telephony.sip.flow import Flow
from tests.support.eventually import eventually

MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"


class Far:
    """Collects what the streams hand over, and a clock that the test moves."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self.failed: list[Flow] = []
        self.now = 100.0
        self._changed = asyncio.Event()

    def receive(self, data: bytes, flow: Flow) -> None:
        self.received.append((data, flow))
        self._changed.set()

    def fail(self, flow: Flow, reason: str) -> None:
        self.failed.append(flow)
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def streams(self, limits: StreamLimits | None = None) -> SipStreams:
        return SipStreams(
            asyncio.get_running_loop(),
            self.receive,
            self.fail,
            lambda: self.now,
            limits,
            MessageLimits(max_header_bytes=500),
        )


@pytest.fixture
async def far() -> Far:
    return Far()


@pytest.fixture
async def near() -> Far:
    return Far()


@pytest.fixture
async def server(near: Far) -> AsyncIterator[SipStreams]:
    streams = near.streams()
    await streams.listen(("127.0.0.1", 0))
    yield streams
    await streams.close()


async def dial(server: SipStreams) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert server.local is not None
    return await asyncio.open_connection(*server.local)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_messages_under_any_split(server: SipStreams, near: Far) -> None:
    _reader, writer = await dial(server)
    for octet in MESSAGE * 2:
        writer.write(bytes([octet]))
        await writer.drain()
    await near.until(lambda: len(near.received) == 2)
    flow = Flow("tcp", writer.get_extra_info("sockname"), server.local)
    assert near.received == [(MESSAGE, flow), (MESSAGE, flow)]
    await hang_up(writer)
    await near.until(lambda: near.failed)
    assert near.failed == [flow]
    assert server.connections == 0


async def test_answers_go_back_on_the_connection(server: SipStreams, near: Far) -> None:
    reader, writer = await dial(server)
    writer.write(MESSAGE)
    await near.until(lambda: near.received)
    server.send(b"answer", near.received[0][1])
    assert await reader.readexactly(6) == b"answer"
    await hang_up(writer)


async def test_a_keepalive_is_answered(server: SipStreams, near: Far) -> None:
    reader, writer = await dial(server)
    writer.write(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"\r\n"
    assert near.received == []
    await hang_up(writer)


async def test_connects_on_demand_and_uses_the_connection_again(
    server: SipStreams, near: Far, far: Far
) -> None:
    assert server.local is not None
    client = far.streams()
    flow = Flow("tcp", server.local, ("127.0.0.1", 5060))
    client.send(MESSAGE, flow)
    client.send(MESSAGE, flow)
    assert client.flow_to(server.local) == flow
    await near.until(lambda: len(near.received) == 2)
    client.send(MESSAGE, flow)
    await near.until(lambda: len(near.received) == 3)
    assert client.flow_to(server.local) == flow
    assert client.stats.connected == server.stats.accepted == 1
    server.send(MESSAGE, near.received[0][1])
    await far.until(lambda: far.received)
    assert far.received == [(MESSAGE, flow)]
    await client.close()


async def test_a_refused_connection_fails_its_flow(far: Far) -> None:
    client = far.streams()
    probe = far.streams()
    gone = await probe.listen(("127.0.0.1", 0))
    await probe.close()
    flow = Flow("tcp", gone, ("127.0.0.1", 0))
    client.send(MESSAGE, flow)
    await far.until(lambda: far.failed)
    assert far.failed == [flow]
    assert client.stats.connect_failures == 1
    await client.close()


@pytest.mark.parametrize("remote", [("not a number", 5060), ("127.0.0.1", 70000)])
async def test_an_impossible_address_fails_its_flow(far: Far, remote: tuple[str, int]) -> None:
    client = far.streams()
    client.send(MESSAGE, Flow("tcp", remote, ("127.0.0.1", 0)))
    await far.until(lambda: far.failed)
    await client.close()


async def test_a_stream_that_can_not_be_cut_is_closed(server: SipStreams, near: Far) -> None:
    reader, writer = await dial(server)
    writer.write(b"x" * 600)
    assert await reader.read() == b""
    assert server.stats.broken == 1
    await near.until(lambda: near.failed)
    await hang_up(writer)


async def test_a_slow_message_is_cut_off(server: SipStreams, near: Far) -> None:
    reader, writer = await dial(server)
    writer.write(MESSAGE + b"OPTI")
    await near.until(lambda: near.received)
    near.now += 10
    writer.write(b"ON")
    await asyncio.sleep(0.01)
    near.now += 15
    writer.write(b"S")
    await asyncio.sleep(0.01)
    server._sweep()
    assert server.stats.timed_out == 0
    near.now += 10
    server._sweep()
    assert server.stats.timed_out == 1
    with pytest.raises(ConnectionResetError):
        await read_until_closed(reader)
    await hang_up(writer)


async def read_until_closed(reader: asyncio.StreamReader) -> None:
    if await reader.read() == b"":
        raise ConnectionResetError


async def test_a_silent_connection_is_cut_off_and_a_used_one_is_not(
    server: SipStreams, near: Far
) -> None:
    _reader, used = await dial(server)
    used.write(MESSAGE)
    await near.until(lambda: near.received)
    _reader, silent = await dial(server)
    await eventually(lambda: server.connections == 2)
    near.now += 21
    server._sweep()
    await near.until(lambda: near.failed)
    assert server.connections == 1
    near.now += 7200
    server._sweep()
    await near.until(lambda: len(near.failed) == 2)
    await hang_up(silent)
    await hang_up(used)


async def test_a_peer_that_does_not_read_is_cut_off(near: Far) -> None:
    server = near.streams(StreamLimits(max_unsent_bytes=10_000))
    await server.listen(("127.0.0.1", 0))
    _reader, writer = await dial(server)
    writer.write(MESSAGE)
    await near.until(lambda: near.received)
    flow = near.received[0][1]
    for _ in range(1000):
        server.send(b"x" * 100_000, flow)
    await near.until(lambda: near.failed)
    assert server.stats.overflowed == 1
    await hang_up(writer)
    await server.close()


async def test_more_connections_than_allowed_are_refused(near: Far, far: Far) -> None:
    server = near.streams(StreamLimits(max_connections=1))
    await server.listen(("127.0.0.1", 0))
    _reader, first = await dial(server)
    await eventually(lambda: server.connections == 1)
    reader, second = await dial(server)
    with pytest.raises(ConnectionResetError):
        await read_until_closed(reader)
    server.send(MESSAGE, Flow("tcp", ("127.0.0.1", 9), ("127.0.0.1", 0)))
    assert len(near.failed) == 1
    assert server.stats.refused == 2
    await hang_up(first)
    await hang_up(second)
    await server.close()


async def test_close_sends_what_is_written(near: Far) -> None:
    server = near.streams()
    await server.listen(("127.0.0.1", 0))
    reader, writer = await dial(server)
    writer.write(MESSAGE)
    await near.until(lambda: near.received)
    server.send(b"bye" * 50_000, near.received[0][1])
    closing = asyncio.gather(server.close(), reader.read())
    assert (await closing)[1] == b"bye" * 50_000
    await hang_up(writer)


async def test_close_while_connecting(far: Far) -> None:
    client = far.streams()
    # A documentation address (RFC 5737): nobody answers, or there is no route.
    client.send(MESSAGE, Flow("tcp", ("192.0.2.1", 5060), ("127.0.0.1", 0)))
    await client.close()
    assert client.connections == 0


async def test_a_taken_port(server: SipStreams, far: Far) -> None:
    assert server.local is not None
    with pytest.raises(PortInUse):
        await far.streams().listen(server.local)
