"""The RTP ports of the process: even ones, in random order, rested before they are used again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from telephony.base.errors import LocalProtocolError, TelephonyError
from telephony.base.ids import Ids


class PortPoolExhausted(TelephonyError):  # noqa: N818
    """No RTP port is free: answer 503, never 500."""


@dataclass(slots=True)
class PortPoolStats:
    """Counters since the start."""

    acquired: int = 0
    exhausted: int = 0
    foreign: int = 0


class PortPool:
    """Hands out the even ports of ``[low, high]``; the odd one above each is left to RTCP.

    A released port rests for ``quarantine_s`` and goes to the end of the queue, so that packets
    still on their way to the last call do not reach the next one. The order is drawn from ``ids``:
    RTP ports should not be guessable.
    """

    def __init__(self, low: int, high: int, ids: Ids, quarantine_s: float = 10.0) -> None:
        first = low + low % 2
        if not 0 < first < high <= 65535:
            raise ValueError(f"no even port with its odd neighbour in {low}-{high}")
        ports = list(range(first, high, 2))
        _shuffle(ports, ids)
        self.low = low
        self.high = high
        self.size = len(ports)
        self.stats = PortPoolStats()
        self._quarantine_s = quarantine_s
        self._free = deque(ports)
        self._resting: deque[tuple[float, int]] = deque()
        self._in_use: set[int] = set()

    @property
    def in_use(self) -> int:
        """How many ports are taken by calls now."""
        return len(self._in_use)

    def acquire(self, now: float) -> int:
        """Return a free even port.

        Raises:
            PortPoolExhausted: every port is in use or resting.
        """
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        if not self._free:
            self.stats.exhausted += 1
            raise PortPoolExhausted(
                f"no free RTP port in {self.low}-{self.high}:"
                f" {len(self._in_use)} in use, {len(self._resting)} resting"
            )
        port = self._free.popleft()
        self._in_use.add(port)
        self.stats.acquired += 1
        return port

    def release(self, port: int, now: float) -> None:
        """Give a port back; it rests before its next use."""
        if port not in self._in_use:
            raise LocalProtocolError(f"port {port} was not acquired")
        self._in_use.remove(port)
        self._resting.append((now + self._quarantine_s, port))

    def refuse(self, port: int, now: float) -> None:
        """Give a port back that another process holds: it rests like a used one, and is counted."""
        self.release(port, now)
        self.stats.foreign += 1


def _shuffle(ports: list[int], ids: Ids) -> None:
    """Fisher-Yates."""
    for i in range(len(ports) - 1, 0, -1):
        j = ids.uint32() % (i + 1)
        ports[i], ports[j] = ports[j], ports[i]
