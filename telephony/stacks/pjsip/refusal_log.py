"""One line of log for all the calls that PJSIP refused lately."""

from __future__ import annotations

from collections import Counter
from typing import Final

import structlog

log = structlog.get_logger()

INTERVAL_S: Final = 10.0


class RefusalLog:
    """Writes ``call.refused`` at most once per interval, with how many there were of each kind."""

    def __init__(self) -> None:
        self._written_at: float | None = None
        self._unwritten: Counter[tuple[int, str]] = Counter()

    def refused(self, status: int, reason: str, now: float) -> None:
        # A reason is PJSIP's own text, of a few, and never the peer's.
        self._unwritten[status, reason] += 1
        if self._written_at is not None and now - self._written_at < INTERVAL_S:
            return
        self._written_at = now
        for (refused, why), calls in self._unwritten.items():
            log.warning("call.refused", by="pjsip", status=refused, reason=why, calls=calls)
        self._unwritten.clear()
