"""SIP over UDP: one socket; every datagram is one message."""

from __future__ import annotations

import socket
import struct
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass

from telephony.net.clock import monotonic
from telephony.net.listen import Address, bind_udp, is_ipv6, is_wildcard
from telephony.net.sources import SourceGuard
from telephony.net.stun_message import is_stun
from telephony.net.undelivered import Undelivered, ask_for_errors, read_errors
from telephony.sip.flow import Flow

_DATAGRAM_BYTES = 65536
# Room for a few thousand messages: a burst of calls waits here while the loop is busy.
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
_MESSAGES_PER_WAKE_UP = 32

# From Linux's in.h and in6.h; Python names only the second pair.
_IP_PKTINFO = 8
_IPV4_INFO = struct.Struct("=I4s4s")
_IPV6_INFO = struct.Struct("=16sI")
_ANCILLARY_BYTES = 64

Receive = Callable[[bytes, Flow], None]
ReceiveStun = Callable[[bytes, Address], None]
OnUndelivered = Callable[[Undelivered], None]


@dataclass(slots=True)
class SipUdpStats:
    """Datagrams in and out, those the kernel did not take, and those the network gave back."""

    received: int = 0
    not_admitted: int = 0
    stun: int = 0
    sent: int = 0
    send_blocked: int = 0
    send_errors: int = 0
    receive_errors: int = 0
    undelivered: int = 0


class SipUdp:
    """A bound socket; ``receive(data, flow)`` gets each datagram that ``guard`` admits.

    STUN messages, which share the socket, go to ``on_stun`` (RFC 5626 section 8.1);
    ``on_undelivered`` hears of datagrams whose destination is unreachable. Several sockets may
    count in the same ``stats``. On a wildcard address the flow still names the address of ours
    that the peer wrote to, and answers leave from it: a machine with several addresses must not
    answer from another one.

    Raises:
        PortInUse: another process holds the port.
        OSError: the address is not ours.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        local: Address,
        receive: Receive,
        *,
        clock: Callable[[], float] = monotonic,
        guard: SourceGuard | None = None,
        stats: SipUdpStats | None = None,
        on_undelivered: OnUndelivered = lambda _lost: None,
    ) -> None:
        self.stats = stats or SipUdpStats()
        self.on_stun: ReceiveStun | None = None
        self._loop = loop
        self._clock = clock
        self._guard = guard
        self._receive = receive
        self._on_undelivered = on_undelivered
        self._socket = bind_udp(local, _RECEIVE_BUFFER_BYTES)
        self.local: Address = self._socket.getsockname()[:2]
        self._ipv6 = is_ipv6(self.local[0])
        self._wildcard = is_wildcard(self.local[0])
        if self._wildcard:
            self._ask_for_destination()
        ask_for_errors(self._socket)
        loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send a datagram; False when the network refused it for good (no route, too long).

        A full buffer drops it like the network would: SIP retransmits.
        """
        try:
            try:
                self._write(data, flow)
            except BlockingIOError:
                raise
            except OSError:
                # It may be the error of an earlier datagram: then this one can be sent.
                self._take_errors()
                self._write(data, flow)
        except BlockingIOError:
            self.stats.send_blocked += 1
        except (OSError, ValueError, OverflowError):
            self.stats.send_errors += 1
            return False
        else:
            self.stats.sent += 1
        return True

    def _write(self, data: bytes, flow: Flow) -> None:
        if self._wildcard and not is_wildcard(flow.local[0]):
            self._socket.sendmsg([data], self._source(flow.local[0]), 0, flow.remote)
        else:
            self._socket.sendto(data, flow.remote)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _ask_for_destination(self) -> None:
        if self._ipv6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def _readable(self) -> None:
        """Take a bounded number of datagrams: a flood must leave time for the calls there are."""
        guard, stats, now = self._guard, self.stats, self._clock()
        for taken in range(_MESSAGES_PER_WAKE_UP):
            if self._socket.fileno() < 0:
                return
            try:
                data, ancillary, _flags, source = self._socket.recvmsg(
                    _DATAGRAM_BYTES, _ANCILLARY_BYTES if self._wildcard else 0
                )
            except BlockingIOError:
                if not taken:
                    self._take_errors()
                return
            except OSError:
                if not self._take_errors():
                    stats.receive_errors += 1
                return
            stats.received += 1
            if guard is not None and not guard.admits(source[0], len(data), now):
                stats.not_admitted += 1
            elif is_stun(data):
                self._receive_stun(data, source[:2])
            else:
                local = self._destination(ancillary) if ancillary else self.local
                self._receive(data, Flow("udp", source[:2], local))

    def _take_errors(self) -> int:
        """Take what waits in the error queue, and go on listening; returns how much it was."""
        lost, count = read_errors(self._socket)
        self.stats.undelivered += len(lost)
        if self._socket.fileno() >= 0:
            # libuv no longer watches a descriptor that was in error, whoever takes the error.
            self._loop.remove_reader(self._socket.fileno())
            self._loop.add_reader(self._socket.fileno(), self._readable)
        for each in lost:
            self._on_undelivered(each)
        return count

    def _receive_stun(self, data: bytes, remote: Address) -> None:
        self.stats.stun += 1
        if self.on_stun is not None:
            self.on_stun(data, remote)

    def _destination(self, ancillary: list[tuple[int, int, bytes]]) -> Address:
        for level, kind, value in ancillary:
            if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                _index, local, _header = _IPV4_INFO.unpack_from(value)
                return (socket.inet_ntop(socket.AF_INET, local), self.local[1])
            if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
                address, _index = _IPV6_INFO.unpack_from(value)
                return (socket.inet_ntop(socket.AF_INET6, address), self.local[1])
        return self.local

    def _source(self, host: str) -> list[tuple[int, int, bytes]]:
        if self._ipv6:
            packed = _IPV6_INFO.pack(socket.inet_pton(socket.AF_INET6, host), 0)
            return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed)]
        packed = _IPV4_INFO.pack(0, socket.inet_pton(socket.AF_INET, host), bytes(4))
        return [(socket.IPPROTO_IP, _IP_PKTINFO, packed)]
