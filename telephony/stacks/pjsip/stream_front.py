"""Accepts TCP and TLS connections in PJSIP's place, and passes on no more than it can hold.

PJSIP accepts whatever comes, and its I/O queue has room for 64 sockets, those closed within the
last half second among them; a build with assertions ends the process when there is none left. So
its listening socket is exchanged for one on loopback that only this front connects to; the
octets pass untouched. PJSIP goes on to name its own address and port.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

from telephony.base.interfaces import Address, Clock
from telephony.net.listen import bind_tcp, is_ipv6

MAX_CONNECTIONS: Final = 24
MAX_OF_ONE_SOURCE: Final = 8
MAX_PER_S: Final = 16
CHUNK_BYTES: Final = 16_384

_DESCRIPTORS: Final = "/proc/self/fd"


@dataclass(slots=True)
class StreamFrontStats:
    """``refused``: connections that were closed at once, for want of room."""

    accepted: int = 0
    refused: int = 0


class StreamFront:
    """``sources`` tells whose connection PJSIP sees as one from loopback."""

    def __init__(self, clock: Clock) -> None:
        self.sources: dict[Address, Address] = {}
        self.stats = StreamFrontStats()
        self._clock = clock
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: Counter[str] = Counter()
        self._accepted_at: deque[float] = deque(maxlen=MAX_PER_S)

    async def stand_before(self, host: str, port: int) -> bool:
        """Take the place of PJSIP's listener; False where its socket can't be found."""
        descriptor = _listener(host, port)
        if descriptor is None:
            return False
        inner = bind_tcp(("::1" if is_ipv6(host) else "127.0.0.1", 0))
        target = inner.getsockname()[:2]
        public = socket.socket(fileno=os.dup(descriptor))
        public.setblocking(False)
        os.dup2(inner.fileno(), descriptor)
        inner.close()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, target)

        self._servers.append(await asyncio.start_server(connected, sock=public))
        return True

    async def close(self) -> None:
        """Close every connection. Twice is harmless."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Address
    ) -> None:
        source: Address = writer.get_extra_info("peername")[:2]
        if not self._has_room(source[0]):
            self.stats.refused += 1
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open[source[0]] += 1
        try:
            await self._pass_on(reader, writer, source, target)
        except (OSError, asyncio.CancelledError):
            # Either end is gone, or we are.
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            self._open[source[0]] -= 1
            self._open += Counter()

    def _has_room(self, source_ip: str) -> bool:
        now, times = self._clock(), self._accepted_at
        too_fast = len(times) == MAX_PER_S and now - times[0] < 1.0
        if too_fast or self._open.total() >= MAX_CONNECTIONS:
            return False
        if self._open[source_ip] >= MAX_OF_ONE_SOURCE:
            return False
        times.append(now)
        self.stats.accepted += 1
        return True

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        source: Address,
        target: Address,
    ) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(*target)
        local: Address = inner_writer.get_extra_info("sockname")[:2]
        self.sources[local] = source
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, inner_writer))
                tasks.create_task(_pump(inner_reader, writer))
        except* OSError:
            # Reset by either end.
            pass
        finally:
            self.sources.pop(local, None)
            inner_writer.transport.abort()
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    # Who sends nothing more may still listen, but SIP ends a connection as a whole.
    writer.close()


def _listener(host: str, port: int) -> int | None:
    """Return the descriptor of the socket of this process that listens there."""
    try:
        numbers = [int(name) for name in os.listdir(_DESCRIPTORS)]
    except OSError:
        return None
    return next((number for number in numbers if _listens(number, (host, port))), None)


def _listens(number: int, address: Address) -> bool:
    """Tell whether a descriptor is a socket that listens at ``address``."""
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return False
        with socket.socket(fileno=os.dup(number)) as duplicate:
            listens = duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return bool(listens) and duplicate.getsockname()[:2] == address
    except OSError:
        # Closed meanwhile, or of another family.
        return False
