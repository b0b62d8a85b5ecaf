"""The ends of turns a service still owes us text for."""

from __future__ import annotations

from collections import deque


class PendingFlushes:
    """Counts ``finish_turn()`` calls until each is answered, or until its time is over.

    A service that heard nothing often says nothing: after ``limit_s`` silence is the answer.
    """

    __slots__ = ("_due", "_limit_s")

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._due: deque[float] = deque()

    def __len__(self) -> int:
        return len(self._due)

    def add(self, now: float) -> None:
        self._due.append(now + self._limit_s)

    def answered(self) -> bool:
        """Take the oldest; returns whether there was one."""
        if not self._due:
            return False
        self._due.popleft()
        return True

    def next_timer(self) -> float | None:
        return self._due[0] if self._due else None

    def overdue(self, now: float) -> int:
        """Take those whose time is over; returns how many."""
        count = 0
        while self._due and self._due[0] <= now:
            self._due.popleft()
            count += 1
        return count
