"""Ports for tests, below those that the system hands out: what one process was given, no other is.

A free port may be taken a moment later, by a test in another process or by a socket that asked for
any port. So the range is cut into blocks, and whoever uses one holds a lock on a file of its name
until the process ends: any number of test runs may go on side by side.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from telephony.base.ids import Ids
from telephony.net.port_pool import PortPool

FIRST, LAST = 10_000, 32_499
BLOCK = 500


class PortBlocks:
    """The blocks of this process. Ports are given in turn, so that none comes again soon."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._reserved: set[int] = set()
        self._block = 0
        self._next = 0

    def take(self, count: int) -> int:
        """Return the first, even one of ``count`` ports in a row, free on UDP and TCP."""
        assert count <= BLOCK
        for _ in range(len(self._starts)):
            if (first := self._in_block(self._starts[self._block], count)) is not None:
                return first
            self._block, self._next = (self._block + 1) % len(self._starts), 0
        self._block, self._next = len(self._starts), 0
        self._starts.append(_claim())
        first = self._in_block(self._starts[-1], count)
        assert first is not None, f"strangers use the ports from {self._starts[-1]} on"
        return first

    @contextmanager
    def reserved(self, count: int) -> Iterator[range]:
        """Take ports that nobody else in this process gets meanwhile, whether they are bound."""
        first = self.take(count)
        ports = range(first, first + count)
        self._reserved.update(ports)
        try:
            yield ports
        finally:
            self._reserved.difference_update(ports)

    def _in_block(self, start: int, count: int) -> int | None:
        for first in range(start + self._next, start + BLOCK - count + 1, 2):
            ports = range(first, first + count)
            if self._reserved.isdisjoint(ports) and all(map(_is_free, ports)):
                # The next one is even too.
                self._next = first - start + count + count % 2
                return first
        return None


def _claim() -> int:
    """Lock a block that no process has, and return its first port."""
    folder = Path(tempfile.gettempdir()) / f"telephony-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for start in range(FIRST, LAST - BLOCK + 2, BLOCK):
        # The lock is the descriptor's, which is open until the process ends.
        descriptor = os.open(folder / str(start), os.O_RDWR | os.O_CREAT, 0o600)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return start
        os.close(descriptor)
    raise AssertionError("test runs side by side have taken every port")


def _is_free(port: int) -> bool:
    with ExitStack() as probes:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            probe = probes.enter_context(socket.socket(socket.AF_INET, kind))
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


_blocks = PortBlocks()
free_ports = _blocks.take
reserved_ports = _blocks.reserved


def port_pool(pairs: int, ids: Ids) -> PortPool:
    """Return a pool of so many media ports, whose ports rest for no time."""
    first = free_ports(2 * pairs)
    return PortPool(first, first + 2 * pairs - 1, ids, 0.0)
