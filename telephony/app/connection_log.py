"""Tells why connections for SIP failed: a line for each peer now and then."""

from __future__ import annotations

import structlog

from telephony.base.interfaces import Clock
from telephony.sip.flow import Flow
from telephony.sip.values import bracketed_host

log = structlog.get_logger()

SILENT_S = 60.0
"""How long the same failure of the same host is not told again."""

LINES_PER_SECOND = 5
REMEMBERED = 1000


class ConnectionLog:
    """Listens to the failures of an endpoint; neither a peer nor an attack can fill the log."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_at: dict[tuple[str, str, str], float] = {}
        self._second = -1
        self._lines = 0

    def failed(self, flow: Flow, reason: str) -> None:
        """Write that the connection of ``flow`` could not be made, or broke, and why."""
        now = self._clock()
        # Not the port: whoever connects to us has a new one each time.
        key = (flow.transport, flow.remote[0], reason)
        told_at = self._told_at.get(key)
        if (told_at is not None and now - told_at < SILENT_S) or not self._has_room(now):
            return
        if len(self._told_at) >= REMEMBERED:
            self._told_at.clear()
        self._told_at[key] = now
        host, port = flow.remote
        log.warning(
            "sip.connection_failed",
            remote=f"{bracketed_host(host)}:{port}",
            transport=flow.transport,
            reason=reason,
        )

    def _has_room(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._lines = int(now), 0
        self._lines += 1
        return self._lines <= LINES_PER_SECOND
