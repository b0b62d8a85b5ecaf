"""How fast calls may begin, so that PJSIP never runs out of room for their sockets.

Its I/O queue holds 64 sockets (PJ_IOQUEUE_MAX_HANDLES), of which each call has two; one that was
closed takes its place for half a second more. A build with assertions, as the wheels are, ends the
process when there is none left. PJSIP opens the sockets of a call before anybody is asked about
it, so all that can be done is to let its thread wait.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

WINDOW_S: Final = 1.0

MAX_CALLS: Final = 16
"""How many calls may begin within the window, whatever becomes of them."""


class MediaBudget:
    """Counts the calls that opened media lately; in any thread."""

    def __init__(self) -> None:
        self._begun: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Count one more call; returns for how many seconds its thread has to wait."""
        with self._lock:
            begun = self._begun
            # A call counts from the end of its wait.
            at = now if len(begun) < MAX_CALLS else max(now, begun[-MAX_CALLS] + WINDOW_S)
            begun.append(at)
            while now - begun[0] >= WINDOW_S:
                begun.popleft()
            return at - now

    def is_tight(self, now: float) -> bool:
        """Tell whether more than half of the calls of one window have begun."""
        with self._lock:
            return sum(at > now - WINDOW_S for at in self._begun) * 2 > MAX_CALLS
