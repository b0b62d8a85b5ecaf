"""One queue for all timers of a user agent."""

from __future__ import annotations

import heapq
from collections.abc import Callable

TimerCallback = Callable[[float], None]

_COMPACT_ABOVE = 256


class TimerHandle:
    """A scheduled call. ``cancel()`` may be repeated, and may come after the call."""

    __slots__ = ("_queue", "callback", "deadline")

    def __init__(self, queue: TimerQueue, deadline: float, callback: TimerCallback) -> None:
        self._queue = queue
        self.deadline = deadline
        self.callback: TimerCallback | None = callback

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._queue.note_cancelled()


class TimerQueue:
    """A heap with lazy deletion: schedule is O(log n), cancel O(1), the next deadline amortised.

    Most timers of SIP are cancelled, so the heap is rebuilt when more than half of it is dead.
    """

    __slots__ = ("_cancelled", "_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, TimerHandle]] = []
        self._sequence = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Return the number of timers that are still to run."""
        return len(self._heap) - self._cancelled

    def schedule(self, deadline: float, callback: TimerCallback) -> TimerHandle:
        """Run ``callback(now)`` at ``deadline``; equal deadlines run in order of scheduling."""
        handle = TimerHandle(self, deadline, callback)
        self._sequence += 1
        heapq.heappush(self._heap, (deadline, self._sequence, handle))
        return handle

    def next_deadline(self) -> float | None:
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def run(self, now: float) -> None:
        """Run everything due at ``now``."""
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            handle = heapq.heappop(self._heap)[2]
            callback, handle.callback = handle.callback, None
            if callback is not None:
                callback(now)

    def note_cancelled(self) -> None:
        """Called by a handle that was cancelled while in the heap."""
        self._cancelled += 1
        if self._cancelled > _COMPACT_ABOVE and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
