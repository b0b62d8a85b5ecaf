"""What the error queue says."""

from __future__ import annotations

import socket
import struct
from collections import deque
from typing import Any

import pytest

from telephony.net.undelivered import Undelivered, ask_for_errors, read_errors

PEER = ("192.0.2.1", 5060)
REFUSED, NO_ROUTE, TOO_LONG = 111, 113, 90
LOCAL, ICMP, ICMP6 = 1, 2, 3


class ErrorQueue:
    """Stands in for a socket: only routers make most of these errors."""

    def __init__(self, *ancillary: list[tuple[int, int, bytes]]) -> None:
        self.waiting = deque(ancillary)

    def recvmsg(self, _size: int, _ancillary: int, flags: int) -> Any:
        assert flags == socket.MSG_ERRQUEUE
        if not self.waiting:
            raise BlockingIOError
        return b"OPTIONS", self.waiting.popleft(), flags, (*PEER, 0, 0)


def error(number: int, origin: int, kind: int, code: int) -> tuple[int, int, bytes]:
    level, option = (41, 25) if origin == ICMP6 else (0, 11)
    return (level, option, struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, 0) + bytes(16))


@pytest.mark.parametrize(
    ("each", "reason"),
    [
        (error(REFUSED, ICMP, 3, 3), "connection refused"),
        (error(NO_ROUTE, ICMP, 3, 1), "no route to host"),
        (error(REFUSED, ICMP6, 1, 4), "connection refused"),
        (error(TOO_LONG, ICMP, 3, 4), ""),
        (error(NO_ROUTE, ICMP, 11, 0), ""),
        (error(NO_ROUTE, ICMP6, 3, 0), ""),
        (error(TOO_LONG, LOCAL, 3, 0), ""),
        ((0, 11, b"short"), ""),
        ((0, 8, bytes(32)), ""),
    ],
)
def test_only_what_is_unreachable_is_lost(each: tuple[int, int, bytes], reason: str) -> None:
    queue: Any = ErrorQueue([each])
    expected = [Undelivered(PEER, b"OPTIONS", reason)] if reason else []
    assert read_errors(queue) == (expected, 1)


def test_the_queue_is_emptied() -> None:
    refused = error(REFUSED, ICMP, 3, 3)
    queue: Any = ErrorQueue([refused], [], [(0, 8, bytes(12)), refused])
    lost, count = read_errors(queue)
    assert (len(lost), count) == (2, 3)
    assert read_errors(queue) == ([], 0)


def test_a_real_socket_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        ask_for_errors(udp)
        assert read_errors(udp) == ([], 0)
        udp.sendto(b"x", address)
        assert read_errors(udp) == ([Undelivered(address, b"x", "connection refused")], 1)
