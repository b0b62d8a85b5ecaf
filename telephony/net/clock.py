"""The two clocks of a process: one to measure with, one to write into records."""

from __future__ import annotations

import time
from datetime import UTC, datetime

monotonic = time.monotonic
"""Seconds that never go back: every ``now`` in this package is read from here."""


def utc_now() -> datetime:
    """Return the wall-clock time, for records and logs only."""
    return datetime.now(UTC)


def unix_now_s() -> float:
    """Return the time of day in Unix seconds, which may jump."""
    return utc_now().timestamp()
