"""Tells of sources that were refused or banned: a line each, a sum when there are thousands."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from telephony.net.clock import monotonic
from telephony.sip.source_guard import SourceBanned, SourceGuard, SourceRefused

log = structlog.get_logger()

INTERVAL_S = 1.0
"""How often the guard's bans are read, logged and counted."""

LINES_PER_INTERVAL = 5

HINT = "add it to inbound.addresses of the trunk if it is one of yours"


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
        events = self._guard.events_received()
        _tell_refused([event for event in events if isinstance(event, SourceRefused)])
        for event in events:
            if isinstance(event, SourceRefused):
                continue
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


def _tell_refused(refused: Sequence[SourceRefused]) -> None:
    for event in refused[:LINES_PER_INTERVAL]:
        log.warning("source.unknown", source=event.address, hint=HINT)
    if more := len(refused[LINES_PER_INTERVAL:]):
        log.warning("sources.unknown", more=more)
