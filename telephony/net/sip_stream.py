"""SIP over TCP and TLS: listening sockets, connections both ways, limits that keep them honest."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.listen import Address, bind_tcp, is_wildcard
from telephony.net.sip_connection import SipConnection, reason_of
from telephony.net.sources import SourceGuard
from telephony.net.tls import CertificateProblem, TlsContexts
from telephony.sip.config import MessageLimits
from telephony.sip.flow import Flow, Transport

_SWEEP_INTERVAL_S = 1.0
_CLOSE_TIMEOUT_S = 1.0

Receive = Callable[[bytes, Flow], None]
Failed = Callable[[Flow, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What a peer may take of us, and how we keep a path to it open.

    ``message_timeout_s`` is the longest time between the first octet of a message (or the opening
    of the connection) and its last; ``idle_timeout_s`` outlasts the longest call, because a dialog
    needs its connection; ``max_unsent_bytes`` ends a connection whose peer does not read. When all
    ``max_connections`` are taken, a new one takes the place of the peer's that was silent for
    longest, if that is ``evict_after_s`` at least: connections that are only held lock nobody out.
    One of ours, or of a trusted source, takes a stranger's place however short that was silent.

    ``keepalive_s`` is the longest time between two pings on a connection we opened (RFC 5626
    section 4.4.1), 0 for none. A peer that has answered one and then leaves one unanswered for
    ``pong_timeout_s`` is gone; with ``require_pong`` so is a peer that never answers, as many do
    that know nothing of RFC 5626.
    """

    max_connections: int = 2000
    max_connections_per_source: int = 100
    message_timeout_s: float = 20.0
    idle_timeout_s: float = 7200.0
    evict_after_s: float = 60.0
    connect_timeout_s: float = 5.0
    handshake_timeout_s: float = 10.0
    max_unsent_bytes: int = 1024 * 1024
    keepalive_s: float = 120.0
    pong_timeout_s: float = 10.0
    require_pong: bool = False


@dataclass(slots=True)
class SipStreamStats:
    """Connections and messages since the start."""

    accepted: int = 0
    connected: int = 0
    connect_failures: int = 0
    refused: int = 0
    evicted: int = 0
    timed_out: int = 0
    broken: int = 0
    junk: int = 0
    overflowed: int = 0
    handshakes: int = 0
    handshakes_failed: int = 0
    names_mismatched: int = 0
    not_admitted: int = 0
    pings: int = 0
    pongs_missing: int = 0
    received: int = 0
    sent: int = 0


class SipStreams:
    """All TCP and TLS connections of the process.

    ``receive(data, flow)`` gets whole messages; ``failed(flow, reason)`` hears once of each
    connection that is gone or could not be made; the reason is "" when its peer just closed it, or
    gave none that concerns us. ``guard`` is asked about every connection and every message
    of a peer. ``tls`` is what connections of ours use; without it there are none over TLS.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        receive: Receive,
        failed: Failed,
        clock: Callable[[], float] = monotonic,
        limits: StreamLimits | None = None,
        message_limits: MessageLimits | None = None,
        *,
        guard: SourceGuard | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.stats = SipStreamStats()
        self.limits = limits or StreamLimits()
        self.message_limits = message_limits or MessageLimits()
        self.receive = receive
        self.clock = clock
        self.guard = guard
        self.tls: TlsContexts | None = None
        self.bound: dict[Transport, list[Address]] = {"tcp": [], "tls": []}
        self._loop = loop
        self._failed = failed
        self._ids = ids or Ids(os.urandom)
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Flow, SipConnection] = {}
        self._by_remote: dict[tuple[Transport, Address], Flow] = {}
        self._accepted_from: Counter[str] = Counter()
        self._opening: dict[Flow, tuple[asyncio.Task[None], list[bytes]]] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._last_lost: asyncio.Event | None = None

    @property
    def local(self) -> Address | None:
        """The first address that takes TCP connections."""
        return self.bound["tcp"][0] if self.bound["tcp"] else None

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def listen(self, local: Address) -> Address:
        """Accept connections; returns the address bound. Raises PortInUse or OSError."""
        return await self._listen("tcp", local, lambda: SipConnection(self))

    async def listen_tls(self, local: Address, tls: TlsContexts) -> Address:
        """Accept TLS connections, each with the certificate that ``tls`` has by then.

        Raises CertificateProblem without one, PortInUse or OSError as ``listen``.
        """
        if tls.server is None:
            raise CertificateProblem("", "a TLS listener needs a certificate")
        self.tls = self.tls or tls
        return await self._listen(
            "tls", local, lambda: SipConnection(self, tls=tls.server_session())
        )

    async def _listen(
        self, transport: Transport, local: Address, factory: Callable[[], SipConnection]
    ) -> Address:
        listening = bind_tcp(local)
        self._servers.append(await self._loop.create_server(factory, sock=listening))
        bound: Address = listening.getsockname()[:2]
        self.bound[transport].append(bound)
        return bound

    def flow_to(
        self, remote: Address, transport: Transport = "tcp", server_name: str = ""
    ) -> Flow | None:
        """Return the flow of an open connection to ``remote`` (RFC 3261 section 18.1.1).

        None when there is none, or when its peer did not prove to be ``server_name``.
        """
        flow = self._by_remote.get((transport, remote))
        connection = self._connections.get(flow) if flow is not None else None
        if connection is None or connection.serves(server_name):
            return flow
        return None

    def send(self, data: bytes, flow: Flow) -> None:
        """Write to the connection of ``flow``, or open it first. Failures go to ``failed``."""
        connection = self._connections.get(flow)
        if connection is not None:
            if connection.serves(flow.server_name):
                connection.send(data)
            else:
                self.stats.names_mismatched += 1
                self._failed(flow, f"certificate is not for the name {flow.server_name}")
        elif flow in self._opening:
            waiting = self._opening[flow][1]
            if sum(map(len, waiting)) + len(data) <= self.limits.max_unsent_bytes:
                waiting.append(data)
        elif flow.transport == "tls" and self.tls is None:
            self.stats.refused += 1
            self._failed(flow, "TLS is not set up")
        elif not self._has_room(known=True):
            self.stats.refused += 1
            self._failed(flow, "too many connections")
        else:
            task = self._loop.create_task(self._open(flow))
            self._opening[flow] = (task, [data])
            self._by_remote[flow.transport, flow.remote] = flow

    async def close(self) -> None:
        """Stop listening and close every connection, after what is written has left."""
        for server in self._servers:
            server.close()
        self._servers.clear()
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

    # What connections report.

    def opened(self, connection: SipConnection, flow: Flow) -> bool:
        """Take a connection into the table; False when there are too many, or it is banned."""
        if not self._may_open(connection, flow):
            self.stats.refused += 1
            return False
        self._connections[flow] = connection
        self._by_remote[flow.transport, flow.remote] = flow
        if connection.opened_by_us:
            self.stats.connected += 1
        else:
            self.stats.accepted += 1
            self._accepted_from[flow.remote[0]] += 1
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)
        return True

    def lost(self, connection: SipConnection, flow: Flow) -> None:
        """Forget a connection and tell the user agent."""
        if self._connections.get(flow) is not connection:
            return
        del self._connections[flow]
        if not connection.opened_by_us:
            self._accepted_from[flow.remote[0]] -= 1
            if not self._accepted_from[flow.remote[0]]:
                del self._accepted_from[flow.remote[0]]
        if flow not in self._opening:
            # Else whoever opens it finds it gone, and says so.
            self._forget_remote(flow)
            self._failed(flow, connection.failure)
        if self._last_lost is not None and not self._connections:
            self._last_lost.set()

    def next_ping_at(self, now: float) -> float:
        """Return a time between 80 and 100 % of the interval ahead (RFC 5626 section 4.4.1)."""
        return now + self.limits.keepalive_s * (0.8 + 0.2 * self._ids.uint16() / 65535)

    def _has_room(self, known: bool) -> bool:
        taken = len(self._connections) + len(self._opening)
        return taken < self.limits.max_connections or self._evict(self.clock(), known)

    def _may_open(self, connection: SipConnection, flow: Flow) -> bool:
        if connection.opened_by_us:
            return flow not in self._connections
        source = flow.remote[0]
        if self._accepted_from.get(source, 0) >= self.limits.max_connections_per_source:
            return False
        if self.guard is not None and not self.guard.admits(source, 0, self.clock()):
            return False
        return self._has_room(known=not self._is_stranger(source))

    def _is_stranger(self, source: str) -> bool:
        """Without a guard nobody is known, and nobody a stranger."""
        return self.guard is not None and not self.guard.is_trusted(source)

    def _evict(self, now: float, known: bool) -> bool:
        """Close the connection of a peer that was silent for longest; False if none was long.

        For a ``known`` peer the longest silent stranger has to go in any case.
        """
        accepted = [c for c in self._connections.values() if not c.opened_by_us]
        strangers = [c for c in accepted if known and self._is_stranger(c.source)]
        silent = min(strangers or accepted, key=lambda found: found.active_at, default=None)
        if silent is None:
            return False
        if not strangers and now - silent.active_at < self.limits.evict_after_s:
            return False
        self.stats.evicted += 1
        silent.abort()
        return True

    def _forget_remote(self, flow: Flow) -> None:
        key = (flow.transport, flow.remote)
        if self._by_remote.get(key) == flow:
            del self._by_remote[key]

    async def _open(self, flow: Flow) -> None:
        local = flow.local[0]
        try:
            tls = self.tls.client_session(flow) if flow.transport == "tls" and self.tls else None
            async with asyncio.timeout(self.limits.connect_timeout_s):
                _transport, opened = await self._loop.create_connection(
                    lambda: SipConnection(self, flow, tls),
                    *flow.remote,
                    family=socket.AF_INET6 if ":" in flow.remote[0] else socket.AF_INET,
                    flags=socket.AI_NUMERICHOST,
                    # Peers that know us by our address must see the one we are bound to.
                    local_addr=None if is_wildcard(local) else (local, 0),
                )
        except (OSError, ValueError, OverflowError) as error:
            self.stats.connect_failures += 1
            self._opening_failed(flow, reason_of(error))
        except asyncio.CancelledError:
            del self._opening[flow]
            raise
        else:
            connection = self._connections.get(flow)
            if connection is None:
                self._opening_failed(flow, opened.failure)
                return
            _task, waiting = self._opening.pop(flow)
            for data in waiting:
                connection.send(data)

    def _opening_failed(self, flow: Flow, reason: str) -> None:
        del self._opening[flow]
        self._forget_remote(flow)
        self._failed(flow, reason)

    def _sweep(self) -> None:
        now = self.clock()
        for connection in list(self._connections.values()):
            connection.check_time(now)
        self._sweep_timer = None
        if self._connections:
            self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL_S, self._sweep)
