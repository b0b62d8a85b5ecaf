from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telephony.net.clock import monotonic
from telephony.net.listen import bind_tcp
from telephony.stacks.pjsip.stream_front import (
    MAX_CONNECTIONS,
    MAX_OF_ONE_SOURCE,
    MAX_PER_S,
    StreamFront,
)
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock


class Behind:
    """What stands behind the front: echoes, and notes who it thinks is there."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self.seen: list[tuple[str, int]] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, address = await loop.sock_accept(self.listening)
            self.seen.append(address)
            self.tasks.append(asyncio.create_task(self._echo(connection)))

    async def _echo(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            while data := await loop.sock_recv(connection, 65536):
                await loop.sock_sendall(connection, data)


@asynccontextmanager
async def front(clock: FakeClock | None = None) -> AsyncIterator[tuple[StreamFront, Behind, int]]:
    listening = bind_tcp(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    made = StreamFront(clock or monotonic)
    assert await made.stand_before("127.0.0.1", port)
    behind = Behind(listening)
    accepting = asyncio.create_task(behind.accept())
    try:
        yield made, behind, port
    finally:
        accepting.cancel()
        for task in behind.tasks:
            task.cancel()
        await asyncio.gather(accepting, *behind.tasks, return_exceptions=True)
        await made.close()
        listening.close()


async def test_octets_pass_untouched_and_the_source_is_known() -> None:
    async with front() as (made, behind, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        message = bytes(range(256)) * 1000
        writer.write(message)
        assert await reader.readexactly(len(message)) == message
        assert made.sources == {behind.seen[0]: writer.get_extra_info("sockname")}
        writer.close()
        await eventually(lambda: not made.sources)


async def test_no_more_connections_than_there_is_room_for() -> None:
    clock = FakeClock()
    async with front(clock) as (made, _, port):
        held = []
        for _ in range(MAX_OF_ONE_SOURCE + 3):
            clock.now += 1.0
            held.append(await asyncio.open_connection("127.0.0.1", port))
            await eventually(lambda: made.stats.accepted + made.stats.refused == len(held))
        assert made.stats.accepted == MAX_OF_ONE_SOURCE
        assert made.stats.refused == 3
        for _, writer in held:
            writer.transport.abort()
        await eventually(lambda: not made.sources)
        assert MAX_CONNECTIONS > MAX_OF_ONE_SOURCE


async def test_no_faster_than_closed_ones_are_forgotten() -> None:
    async with front(FakeClock()) as (made, _, port):
        for number in range(MAX_PER_S + 5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.transport.abort()
            total = number + 1
            await eventually(lambda n=total: made.stats.accepted + made.stats.refused == n)
            await eventually(lambda: not made.sources)
        assert (made.stats.accepted, made.stats.refused) == (MAX_PER_S, 5)


async def test_a_listener_that_is_not_ours_is_not_replaced() -> None:
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        assert not await StreamFront(monotonic).stand_before(*unbound.getsockname())
