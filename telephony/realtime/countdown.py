"""A timer that needs no clock to be started."""

from __future__ import annotations


class Countdown:
    """Runs ``duration_s`` from the first ``now`` it is shown after :meth:`start`.

    A command that takes no ``now`` can start it: it is due at once, and the first
    :meth:`expired` call only winds it up.
    """

    __slots__ = ("_deadline", "_duration_s")

    def __init__(self) -> None:
        self._duration_s: float | None = None
        self._deadline: float | None = None

    def start(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._deadline = None

    def start_at(self, duration_s: float, now: float) -> None:
        self._duration_s = duration_s
        self._deadline = now + duration_s

    def stop(self) -> None:
        self._duration_s = self._deadline = None

    @property
    def running(self) -> bool:
        return self._duration_s is not None

    def due(self) -> float | None:
        """Return when :meth:`expired` wants to be called; None when it need not be."""
        if self._duration_s is None:
            return None
        return 0.0 if self._deadline is None else self._deadline

    def expired(self, now: float) -> bool:
        """Return whether the time is over, once: the countdown stops then."""
        if self._duration_s is None:
            return False
        if self._deadline is None:
            self._deadline = now + self._duration_s
            return False
        if now < self._deadline:
            return False
        self.stop()
        return True
