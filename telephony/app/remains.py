"""Collects what finished calls leave behind."""

from __future__ import annotations

import gc
from collections.abc import Callable

from telephony.base.interfaces import Clock

CALLS_PER_COLLECTION = 50
"""What a call was made of refers to itself in circles, and the collector's own rule for full runs
waits until the garbage rivals all that was there at the start: hundreds of calls."""

LARGEST_SHARE = 0.005
"""Of the time, for collecting. A run walks everything that lives, SIP transactions included, which
stay for half a minute (RFC 3261 timers L and J): a burst of short calls leaves thousands of them,
and its own remains are young enough to be found without a full run."""


class Remains:
    """Counts the calls that ended; now and then pays for a full collection."""

    def __init__(self, clock: Clock, collect: Callable[[], object] | None = None) -> None:
        self._clock = clock
        self._collect = collect or gc.collect
        self._calls = 0
        self._not_before = clock()

    def call_finished(self) -> None:
        self._calls += 1
        started_at = self._clock()
        if self._calls < CALLS_PER_COLLECTION or started_at < self._not_before:
            return
        self._calls = 0
        self._collect()
        ended_at = self._clock()
        self._not_before = ended_at + (ended_at - started_at) / LARGEST_SHARE
