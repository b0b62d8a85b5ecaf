"""The caller's keypad: digits become entries, in words that a model understands."""

from __future__ import annotations

from telephony.dtmf.collector import DigitCollector, DigitsCollected

_MAX_DIGITS = 32
_NEVER = float("inf")


class Keypad:
    """Joins digits until the caller pauses or presses ``#``.

    Ask :meth:`pause` when ``next_timer`` has come; it is a plain attribute, because the media
    path looks at it once a ptime.
    """

    __slots__ = ("_collector", "next_timer")

    def __init__(self, pause_ms: int) -> None:
        self._collector = DigitCollector(_MAX_DIGITS, inter_digit_timeout_s=pause_ms / 1000)
        self.next_timer = _NEVER

    def press(self, digit: str, now: float) -> str | None:
        """Take a digit; returns what to tell the model when it ends the entry."""
        if not self._collector.collecting:
            self._collector.start(now)
        return self._text(self._collector.receive_digit(digit, now))

    def pause(self, now: float) -> str | None:
        """Return what to tell the model when the caller has paused for long enough."""
        return self._text(self._collector.handle_timer(now))

    def _text(self, entry: DigitsCollected | None) -> str | None:
        due = self._collector.next_timer()
        self.next_timer = _NEVER if due is None else due
        if entry is None:
            return None
        end = "#" if entry.reason == "terminator" else ""
        return f"The caller pressed {entry.digits}{end} on the keypad."
