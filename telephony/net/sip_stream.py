"""SIP over TCP: a listening socket, connections both ways, and the limits that keep them honest."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from telephony.net.clock import monotonic
from telephony.net.listen import Address, bind_tcp
from telephony.sip.config import MessageLimits
from telephony.sip.flow import Flow
from telephony.sip.framing import StreamFramer, is_keepalive

_SWEEP_INTERVAL_S = 1.0
_CLOSE_TIMEOUT_S = 1.0

Receive = Callable[[bytes, Flow], None]
Failed = Callable[[Flow], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What a peer may take of us.

    ``message_timeout_s`` is the longest time between the first octet of a message (or the opening
    of the connection) and its last; ``idle_timeout_s`` outlasts the longest call, because a dialog
    needs its connection; ``max_unsent_bytes`` ends a connection whose peer does not read.
    """

    max_connections: int = 2000
    message_timeout_s: float = 20.0
    idle_timeout_s: float = 7200.0
    connect_timeout_s: float = 5.0
    max_unsent_bytes: int = 1024 * 1024


@dataclass(slots=True)
class SipStreamStats:
    """Connections and messages since the start."""

    accepted: int = 0
    connected: int = 0
    connect_failures: int = 0
    refused: int = 0
    timed_out: int = 0
    broken: int = 0
    overflowed: int = 0
    received: int = 0
    sent: int = 0


class SipStreams:
    """All TCP connections of the process.

    ``receive(data, flow)`` gets whole messages; ``failed(flow)`` hears once of each connection
    that is gone or could not be made.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        receive: Receive,
        failed: Failed,
        clock: Callable[[], float] = monotonic,
        limits: StreamLimits | None = None,
        message_limits: MessageLimits | None = None,
    ) -> None:
        self.stats = SipStreamStats()
        self.limits = limits or StreamLimits()
        self.message_limits = message_limits or MessageLimits()
        self.receive = receive
        self.clock = clock
        self.local: Address | None = None
        self._loop = loop
        self._failed = failed
        self._server: asyncio.Server | None = None
        self._connections: dict[Flow, SipConnection] = {}
        self._opening: dict[Flow, tuple[asyncio.Task[None], list[bytes]]] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._last_lost: asyncio.Event | None = None

    async def listen(self, local: Address) -> Address:
        """Accept connections; returns the address bound. Raises PortInUse or OSError."""
        listening = bind_tcp(local)
        self._server = await self._loop.create_server(lambda: SipConnection(self), sock=listening)
        bound: Address = listening.getsockname()[:2]
        self.local = bound
        return bound

    @property
    def connections(self) -> int:
        return len(self._connections)

    def flow_to(self, remote: Address) -> Flow | None:
        """Return the flow of an open connection to ``remote`` (RFC 3261 section 18.1.1)."""
        for flow in (*self._connections, *self._opening):
            if flow.remote == remote:
                return flow
        return None

    def send(self, data: bytes, flow: Flow) -> None:
        """Write to the connection of ``flow``, or open it first. Failures go to ``failed``."""
        connection = self._connections.get(flow)
        if connection is not None:
            connection.send(data)
        elif flow in self._opening:
            waiting = self._opening[flow][1]
            if sum(map(len, waiting)) + len(data) <= self.limits.max_unsent_bytes:
                waiting.append(data)
        elif len(self._connections) + len(self._opening) >= self.limits.max_connections:
            self.stats.refused += 1
            self._failed(flow)
        else:
            task = self._loop.create_task(self._open(flow))
            self._opening[flow] = (task, [data])

    async def close(self) -> None:
        """Stop listening and close every connection, after what is written has left."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        opening = [task for task, _ in self._opening.values()]
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.close()
        if self._connections:
            self._last_lost = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._last_lost.wait(), _CLOSE_TIMEOUT_S)
            for connection in list(self._connections.values()):
                connection.abort()

    def opened(self, connection: SipConnection, flow: Flow) -> bool:
        """Take a connection into the table; False when there are too many."""
        if len(self._connections) >= self.limits.max_connections:
            self.stats.refused += 1
            return False
        self._connections[flow] = connection
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)
        return True

    def lost(self, connection: SipConnection, flow: Flow) -> None:
        """Forget a connection and tell the user agent."""
        if self._connections.get(flow) is connection:
            del self._connections[flow]
            self._failed(flow)
            if self._last_lost is not None and not self._connections:
                self._last_lost.set()

    async def _open(self, flow: Flow) -> None:
        try:
            async with asyncio.timeout(self.limits.connect_timeout_s):
                await self._loop.create_connection(
                    lambda: SipConnection(self, flow),
                    *flow.remote,
                    family=socket.AF_INET6 if ":" in flow.remote[0] else socket.AF_INET,
                    flags=socket.AI_NUMERICHOST,
                )
        except (OSError, ValueError, OverflowError):
            self.stats.connect_failures += 1
            del self._opening[flow]
            self._failed(flow)
        except asyncio.CancelledError:
            del self._opening[flow]
            raise
        else:
            _task, waiting = self._opening.pop(flow)
            connection = self._connections.get(flow)
            if connection is None:
                self._failed(flow)
                return
            for data in waiting:
                connection.send(data)

    def _sweep(self) -> None:
        now = self.clock()
        for connection in list(self._connections.values()):
            connection.check_time(now)
        self._sweep_timer = None
        if self._connections:
            self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)


class SipConnection(asyncio.Protocol):
    """One connection: octets to messages, messages to octets, clocks on both.

    A connection we opened keeps the flow it was opened for; one that a peer opened has the flow
    of its two ends.
    """

    def __init__(self, streams: SipStreams, flow: Flow | None = None) -> None:
        self._streams = streams
        self._flow = flow
        self._framer = StreamFramer(streams.message_limits)
        self._transport: asyncio.Transport | None = None
        self._active_at = streams.clock()
        self._message_began_at: float | None = None if flow else self._active_at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        _keep_alive(transport.get_extra_info("socket"))
        if self._flow is None:
            local = transport.get_extra_info("sockname")
            remote = transport.get_extra_info("peername")
            if not (local and remote):
                self._transport.abort()
                return
            self._flow = Flow("tcp", remote[:2], local[:2])
            self._streams.stats.accepted += 1
        else:
            self._streams.stats.connected += 1
        if not self._streams.opened(self, self._flow):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        flow, transport = self._flow, self._transport
        if flow is None or transport is None or transport.is_closing():
            return
        self._active_at = self._streams.clock()
        messages = self._framer.receive(data)
        self._time_message(bool(messages), data)
        if pong := self._framer.bytes_to_send():
            self._write(transport, pong)
        for message in messages:
            self._streams.stats.received += 1
            self._streams.receive(message, flow)
        if self._framer.broken is not None:
            self._streams.stats.broken += 1
            transport.close()

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._active_at = self._streams.clock()
        self._streams.stats.sent += 1
        self._write(transport, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._flow is not None:
            self._streams.lost(self, self._flow)

    def close(self) -> None:
        """Close once everything written has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; what is not written yet is lost."""
        if self._transport is not None:
            self._transport.abort()

    def check_time(self, now: float) -> None:
        """Drop a peer that says nothing, or says one message too slowly."""
        limits = self._streams.limits
        began_at = self._message_began_at
        slow = began_at is not None and now - began_at > limits.message_timeout_s
        if slow or now - self._active_at > limits.idle_timeout_s:
            self._streams.stats.timed_out += 1
            self.abort()

    def _time_message(self, complete: bool, data: bytes) -> None:
        if complete:
            self._message_began_at = None
        elif self._message_began_at is None and not is_keepalive(data):
            self._message_began_at = self._active_at

    def _write(self, transport: asyncio.Transport, data: bytes) -> None:
        transport.write(data)
        if transport.get_write_buffer_size() > self._streams.limits.max_unsent_bytes:
            self._streams.stats.overflowed += 1
            transport.abort()


def _keep_alive(connected: socket.socket | None) -> None:
    """Let the kernel find out about peers that vanished: within two minutes."""
    if connected is None:
        return
    with suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
