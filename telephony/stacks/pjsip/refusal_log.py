"""One line of log for all the calls that PJSIP refused lately."""

from __future__ import annotations

from typing import Final

import structlog

log = structlog.get_logger()

INTERVAL_S: Final = 10.0


class RefusalLog:
    """Writes ``call.refused`` at most once per interval, with how many there were."""

    def __init__(self) -> None:
        self._written_at: float | None = None
        self._unwritten = 0

    def refused(self, status: int, reason: str, now: float) -> None:
        self._unwritten += 1
        if self._written_at is not None and now - self._written_at < INTERVAL_S:
            return
        self._written_at = now
        log.warning("call.refused", by="pjsip", status=status, reason=reason, calls=self._unwritten)
        self._unwritten = 0
