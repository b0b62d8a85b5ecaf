"""Frames between a thread of PJSIP and the event loop: two short queues that nobody waits at."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

MAX_FRAMES: Final = 50
"""How far the loop may fall behind before the caller's oldest audio is dropped."""

PREPARED_FRAMES: Final = 2
"""How many frames lie ready for PJSIP, whose clock does not wait for the loop."""


@dataclass(slots=True)
class FrameQueueStats:
    """Of all calls. ``overruns``: frames of callers dropped; ``underruns``: ours were not ready."""

    overruns: int = 0
    underruns: int = 0


class FrameQueues:
    """``received`` and ``prepared`` hold PCM16 frames of one ptime, None for a silent one.

    PJSIP appends to the first and pops from the second, the loop does the reverse; each of these
    is one atomic step of a deque.
    """

    __slots__ = ("in_use", "prepared", "received", "stats")

    def __init__(self, stats: FrameQueueStats) -> None:
        self.received: deque[bytes | None] = deque(maxlen=MAX_FRAMES)
        self.prepared: deque[bytes | None] = deque(maxlen=PREPARED_FRAMES)
        self.in_use = False
        self.stats = stats

    def open(self) -> None:
        """Begin with nothing: the frames of the call before are no business of this one."""
        self.received.clear()
        self.prepared.clear()
        self.in_use = True

    def close(self) -> None:
        """Take and give no frames any more."""
        self.in_use = False

    def push_received(self, frame: bytes | None) -> None:
        if len(self.received) == MAX_FRAMES:
            self.stats.overruns += 1
        self.received.append(frame)

    def pop_prepared(self) -> bytes | None:
        try:
            return self.prepared.popleft()
        except IndexError:
            self.stats.underruns += 1
            return None
