"""Every UDP socket of the endpoint: each flow leaves from the one of its local address."""

from __future__ import annotations

import errno
from asyncio import AbstractEventLoop
from collections.abc import Callable

from telephony.net.clock import monotonic
from telephony.net.listen import Address, choose_local, is_ipv6, is_wildcard
from telephony.net.sip_udp import OnUndelivered, Receive, SipUdp, SipUdpStats
from telephony.net.sources import SourceGuard
from telephony.sip.flow import Flow

_REMEMBERED_ADDRESSES = 1024


class SipUdpSockets:
    """One socket per address we listen on; they count together in ``stats``."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        receive: Receive,
        clock: Callable[[], float] = monotonic,
        guard: SourceGuard | None = None,
        on_undelivered: OnUndelivered = lambda _lost: None,
    ) -> None:
        self.stats = SipUdpStats()
        self._loop = loop
        self._receive = receive
        self._clock = clock
        self._guard = guard
        self._on_undelivered = on_undelivered
        self._sockets: list[SipUdp] = []
        # Which socket sends from an address of ours: wildcard sockets have many.
        self._by_local: dict[Address, SipUdp] = {}

    @property
    def first(self) -> SipUdp | None:
        return self._sockets[0] if self._sockets else None

    @property
    def bound(self) -> list[Address]:
        return [opened.local for opened in self._sockets]

    def open(self, local: Address) -> SipUdp:
        """Bind another socket. Raises PortInUse or OSError."""
        opened = SipUdp(
            self._loop,
            local,
            self._receive,
            clock=self._clock,
            guard=self._guard,
            stats=self.stats,
            on_undelivered=self._on_undelivered,
        )
        self._sockets.append(opened)
        self._by_local.clear()
        return opened

    def local_towards(self, remote: Address) -> Address:
        """Return the address of ours that a request to ``remote`` leaves from; raises OSError."""
        local = choose_local(self.bound, remote)
        if not local[1]:
            raise OSError(errno.EAFNOSUPPORT, f"no UDP socket of the family of {remote[0]}")
        return local

    def towards(self, remote: Address) -> SipUdp:
        """Return the socket that a request to ``remote`` leaves from; raises OSError."""
        found = self._find(self.local_towards(remote), remote)
        assert found is not None
        return found

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send a datagram; False when no socket of ours can."""
        opened = self._by_local.get(flow.local)
        if opened is None:
            opened = self._find(flow.local, flow.remote)
            if opened is None:
                return False
            if len(self._by_local) < _REMEMBERED_ADDRESSES:
                self._by_local[flow.local] = opened
        return opened.send(data, flow)

    def close(self, opened: SipUdp) -> None:
        opened.close()
        self._sockets.remove(opened)
        self._by_local.clear()

    def close_all(self) -> None:
        for opened in self._sockets:
            opened.close()

    def _find(self, local: Address, remote: Address) -> SipUdp | None:
        """Return the socket bound to ``local``, to all addresses, or at least of its family."""
        ipv6 = is_ipv6(remote[0])
        fitting = [opened for opened in self._sockets if is_ipv6(opened.local[0]) == ipv6]
        for opened in fitting:
            if opened.local == local:
                return opened
        for opened in fitting:
            if is_wildcard(opened.local[0]) and opened.local[1] == local[1]:
                return opened
        return fitting[0] if fitting else None
