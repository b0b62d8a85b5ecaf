"""The network as a UDP relay: two sockets, one that we send to, one that the peer sends to."""

from __future__ import annotations

import heapq
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from telephony.base.interfaces import Address, Clock
from telephony.net.rtp_endpoint import MediaEndpoint, Receive
from telephony.rehearsal.network.network import Network
from telephony.rehearsal.network.path import Path

OpenSocket = Callable[[Receive], MediaEndpoint]

MAX_UNDER_WAY = 2000
"""Datagrams that a direction holds at a time; half a minute of a call."""

# Timers of some loops count in whole milliseconds.
_TIMER_RESOLUTION_S = 0.001


@dataclass(slots=True)
class RelayStats:
    """Datagrams that the relay itself dropped, in both directions.

    ``unaddressed`` came before it was known where to, ``overflowed`` found too many under way.
    """

    unaddressed: int = 0
    overflowed: int = 0


class UdpRelay:
    """Carries datagrams between our side (near) and the peer's (far), as a network does.

    What comes in at the near socket leaves the far one for ``far_peer``, after the outbound path;
    and the other way round. ``far_source`` is where the peer's newest datagram came from.

    Raises:
        PortPoolExhausted, OSError: what ``open_socket`` raises.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        clock: Clock,
        open_socket: OpenSocket,
        network: Network,
        near_peer: Address | None = None,
    ) -> None:
        self.stats = RelayStats()
        self.far_source: Address | None = None
        self._near = open_socket(self._from_near)
        try:
            self._far = open_socket(self._from_far)
        except BaseException:
            self._near.close()
            raise
        self._outbound = _Direction(loop, clock, network.outbound, self._far, self.stats)
        self._inbound = _Direction(loop, clock, network.inbound, self._near, self.stats)
        self._inbound.peer = near_peer

    @property
    def near(self) -> Address:
        """Where our side sends to."""
        return self._near.local

    @property
    def far(self) -> Address:
        """Where the peer sends to: what SDP says."""
        return self._far.local

    def send_to(self, far_peer: Address) -> None:
        """Send what our side says from now on to ``far_peer``."""
        self._outbound.peer = far_peer

    def close(self) -> None:
        """Close both sockets; what is under way is gone. Twice is harmless."""
        for direction in (self._outbound, self._inbound):
            direction.stop()
        self._near.close()
        self._far.close()

    def _from_near(self, data: bytes, source: Address, now: float) -> None:
        self._outbound.carry(data, now)

    def _from_far(self, data: bytes, source: Address, now: float) -> None:
        self.far_source = source
        self._inbound.carry(data, now)


class _Direction:
    """Datagrams under way, ordered by when they leave; one timer for the next."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        clock: Clock,
        path: Path,
        exit_socket: MediaEndpoint,
        stats: RelayStats,
    ) -> None:
        self.peer: Address | None = None
        self._loop = loop
        self._clock = clock
        self._path = path
        self._exit = exit_socket
        self._stats = stats
        self._under_way: list[tuple[float, int, bytes]] = []
        self._numbers = count()
        self._timer: TimerHandle | None = None

    def carry(self, data: bytes, now: float) -> None:
        if self.peer is None:
            self._stats.unaddressed += 1
            return
        for leaves_at in self._path.admit(len(data), now):
            if len(self._under_way) >= MAX_UNDER_WAY:
                self._stats.overflowed += 1
                continue
            heapq.heappush(self._under_way, (leaves_at, next(self._numbers), data))
        self._arm(now)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._under_way.clear()

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._under_way:
            wait_s = max(0.0, self._under_way[0][0] - now)
            self._timer = self._loop.call_later(wait_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._clock()
        while self._under_way and self._under_way[0][0] <= now + _TIMER_RESOLUTION_S:
            data = heapq.heappop(self._under_way)[2]
            if self.peer is not None:
                self._exit.send(data, self.peer)
        self._arm(now)
