"""Early media: what the far end of a call that we place plays before it answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from telephony.calls.ringback import Ringback

_FRAMES_WAITING_MAX = 5
"""Two legs tick at different instants of a ptime; more than a few frames are delay."""

HearFrame = Callable[[bytes, float], None]
"""Takes one ptime of audio, and when it was heard in monotonic seconds."""


class EarlyListener:
    """A partner for the line of an unanswered leg: hears what comes, and says nothing."""

    __slots__ = ("_hear",)

    def __init__(self, hear: HearFrame) -> None:
        self._hear = hear

    def hear(self, frame: bytes, now: float) -> None:
        self._hear(frame, now)

    def speak(self, now: float) -> bytes | None:
        return None


class EarlyMedia:
    """A partner for the line of a caller who waits while somebody is called.

    Speaks what :meth:`take` is given; until something is, and after :meth:`end`, our own ringing
    tone (RFC 3960 section 3.2).
    """

    __slots__ = ("_frames", "_live", "_ringback")

    def __init__(self, ringback: Ringback) -> None:
        self._ringback = ringback
        self._frames: deque[bytes] = deque(maxlen=_FRAMES_WAITING_MAX)
        self._live = False

    def take(self, frame: bytes) -> None:
        """Take one ptime of the far end; the oldest one that still waits gives way."""
        self._live = True
        self._frames.append(frame)

    def end(self) -> None:
        """Somebody answered, or this one does not: what comes now is not for the caller."""
        self._live = False
        self._frames.clear()

    def hear(self, frame: bytes, now: float) -> None:
        """What is said while it rings is for nobody."""

    def speak(self, now: float) -> bytes | None:
        if self._frames:
            return self._frames.popleft()
        return None if self._live else self._ringback.speak(now)
