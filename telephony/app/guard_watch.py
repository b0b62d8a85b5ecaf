"""Tells of sources that were banned: a line each, and a sum when an attack forges thousands."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from telephony.net.clock import monotonic
from telephony.sip.source_guard import SourceBanned, SourceGuard

log = structlog.get_logger()

INTERVAL_S = 1.0
"""How often the guard's bans are read, logged and counted."""

LINES_PER_INTERVAL = 5


class GuardWatch:
    """Reads the events of a guard; ``count`` is called with the offence of every ban."""

    def __init__(self, guard: SourceGuard, count: Callable[[str], None]) -> None:
        self._guard = guard
        self._count = count

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            self.look(monotonic())

    def look(self, now: float) -> None:
        """Take what happened since the last look."""
        self._guard.handle_timer(now)
        lines, untold, released = 0, Counter[str](), 0
        for event in self._guard.events_received():
            if not isinstance(event, SourceBanned):
                released += 1
                continue
            self._count(event.offence)
            if lines < LINES_PER_INTERVAL:
                lines += 1
                log.warning(
                    "source.banned",
                    source=event.address,
                    offence=event.offence,
                    seconds=event.seconds,
                )
            else:
                untold[event.offence] += 1
        if untold:
            log.warning("sources.banned", more=untold.total(), offences=dict(untold))
        if released:
            log.info("sources.released", count=released)
