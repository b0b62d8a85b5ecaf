"""Datagrams that the network gave back: ICMP errors, read from Linux's error queue.

An unconnected socket is told of none unless it asks for them (ip(7), IP_RECVERR); what it is told
names the destination and quotes what was sent to it.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final

from telephony.net.listen import Address

# From Linux's in.h, in6.h and errqueue.h, which Python names none of.
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_EXTENDED_ERROR: Final = struct.Struct("=IBBB")
_FROM_ICMP: Final = 2
_FROM_ICMP6: Final = 3

_ICMP_UNREACHABLE: Final = 3
_ICMP_FRAGMENTATION_NEEDED: Final = 4
_ICMP6_UNREACHABLE: Final = 1

_QUOTE_BYTES: Final = 2048
_ANCILLARY_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Undelivered:
    """``head`` is what the error quotes of the datagram: often its beginning, at times nothing."""

    remote: Address
    head: bytes
    reason: str


def ask_for_errors(udp: socket.socket) -> None:
    """Let the kernel queue errors for ``udp``; where it can't, none are ever told."""
    if sys.platform != "linux":
        return
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def read_errors(udp: socket.socket) -> tuple[list[Undelivered], int]:
    """Empty the error queue; return what is unreachable, and how many errors there were.

    Host, net, port or protocol: only these say that a request is lost (RFC 3261 section 18.4). The
    queue is bounded by the receive buffer; what is left in it would be the error of the next send.
    """
    unreachable: list[Undelivered] = []
    count = 0
    while True:
        try:
            head, ancillary, _flags, remote = udp.recvmsg(
                _QUOTE_BYTES, _ANCILLARY_BYTES, socket.MSG_ERRQUEUE
            )
        except OSError:
            return unreachable, count
        count += 1
        for level, kind, value in ancillary:
            if (level, kind) in _ERRORS and (reason := _read_reason(value)):
                unreachable.append(Undelivered(remote[:2], head, reason))


_ERRORS: Final = frozenset(((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)))


def _read_reason(value: bytes) -> str:
    """Return what an extended error says; "" when it is none that ends a request."""
    if len(value) < _EXTENDED_ERROR.size:
        return ""
    number, origin, kind, code = _EXTENDED_ERROR.unpack_from(value)
    if origin == _FROM_ICMP:
        lost = kind == _ICMP_UNREACHABLE and code != _ICMP_FRAGMENTATION_NEEDED
    else:
        lost = origin == _FROM_ICMP6 and kind == _ICMP6_UNREACHABLE
    return os.strerror(number).lower() if lost else ""
