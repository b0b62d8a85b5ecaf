"""The ends of turns a service still owes us text for."""

from __future__ import annotations

from collections import deque


class PendingFlushes:
    """Counts ``finish_turn()`` calls until each is answered, or until its time is over.

    A service that heard nothing often says nothing: after a while silence is the answer.
    """

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: deque[float] = deque()

    def __len__(self) -> int:
        return len(self._due)

    def add(self, due: float) -> None:
        """Wait for the answer until ``due``."""
        self._due.append(due)

    def answered(self) -> bool:
        """Take the oldest; returns whether there was one."""
        if not self._due:
            return False
        self._due.popleft()
        return True

    def next_timer(self) -> float | None:
        return min(self._due, default=None)

    def overdue(self, now: float) -> int:
        """Take those whose time is over; returns how many."""
        before = len(self._due)
        self._due = deque(due for due in self._due if due > now)
        return before - len(self._due)
