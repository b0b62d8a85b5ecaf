"""Digits gathered into an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from telephony.base.errors import LocalProtocolError

EntryEnd = Literal["length", "terminator", "timeout"]

LONGEST_PRESS_S = 20.0
"""A key of which no end was told is taken for released after so long."""


@dataclass(frozen=True, slots=True)
class DigitsCollected:
    """The entry without its terminator; ``digits`` may be empty."""

    digits: str
    reason: EntryEnd
    terminator: str = ""


class DigitCollector:
    """Ends an entry at ``length`` digits, at a terminator, or when the caller pauses.

    Each character of ``terminator`` ends an entry. The time to the first digit is
    ``first_digit_timeout_s``, between digits ``inter_digit_timeout_s``, counted from when a key is
    pressed; one that is held for longer than that does not end the entry before it is let go of.
    After the end it takes nothing until the next :meth:`start`.
    """

    def __init__(
        self,
        length: int,
        terminator: str = "#",
        inter_digit_timeout_s: float = 3.0,
        first_digit_timeout_s: float = 10.0,
    ) -> None:
        if length < 1:
            raise LocalProtocolError("an entry needs at least one digit")
        self._length = length
        self._terminator = terminator
        self._inter_digit_timeout_s = inter_digit_timeout_s
        self._first_digit_timeout_s = first_digit_timeout_s
        self._digits = ""
        self._deadline: float | None = None
        self._due: float = 0.0
        self._held = False

    def start(self, now: float) -> None:
        """Begin an empty entry."""
        self._digits = ""
        self._held = False
        self._deadline = now + self._first_digit_timeout_s

    @property
    def collecting(self) -> bool:
        return self._deadline is not None

    @property
    def empty(self) -> bool:
        """True while no digit of the entry came."""
        return not self._digits

    def stop(self) -> None:
        """Forget the entry."""
        self._deadline = None
        self._held = False

    def receive_digit(
        self, digit: str, now: float, *, held: bool = False
    ) -> DigitsCollected | None:
        """Take a digit; return the entry when this one ends it.

        ``held``: the key is still down, and :meth:`release` follows.
        """
        if self._deadline is None:
            return None
        if digit in self._terminator:
            return self._end("terminator", digit)
        self._digits += digit
        self._due = now + self._inter_digit_timeout_s
        self._held = held
        self._deadline = max(self._due, now + LONGEST_PRESS_S) if held else self._due
        return self._end("length") if len(self._digits) >= self._length else None

    def release(self, now: float) -> None:
        """The key that was held is let go of: one held for long pauses from now on."""
        if self._deadline is None or not self._held:
            return
        self._held = False
        self._deadline = self._due if now < self._due else now + self._inter_digit_timeout_s

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` is due."""
        return self._deadline

    def handle_timer(self, now: float) -> DigitsCollected | None:
        """Return the entry when the caller has paused too long."""
        if self._deadline is None or now < self._deadline:
            return None
        return self._end("timeout")

    def _end(self, reason: EntryEnd, terminator: str = "") -> DigitsCollected:
        self._deadline = None
        self._held = False
        return DigitsCollected(self._digits, reason, terminator)
