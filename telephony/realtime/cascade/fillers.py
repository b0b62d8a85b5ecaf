"""What the bot says while a tool takes its time."""

from __future__ import annotations

from collections.abc import Sequence

from telephony.realtime.countdown import Countdown

_AGAIN_AFTER_S = 6.0


class Fillers:
    """Phrases in turn, after ``after_ms`` of waiting in silence, and again in longer steps.

    None is said twice in a row, unless something else was said in between.
    """

    def __init__(self, phrases: Sequence[str], after_ms: int) -> None:
        self._phrases = phrases
        self._after_s = after_ms / 1000
        self._next = 0
        self._said_last = ""
        self.timer = Countdown()

    def wait_begins(self, silent_from: float, now: float) -> None:
        """Tools run; what is being said lasts until ``silent_from``."""
        if self._phrases:
            self._start(self._after_s, silent_from, now)

    def said(self, silent_from: float, now: float) -> None:
        """A phrase is on its way to the caller."""
        self._start(_AGAIN_AFTER_S, silent_from, now)

    def _start(self, wait_s: float, silent_from: float, now: float) -> None:
        self.timer.start_at(max(0.0, silent_from - now) + wait_s, now)

    def stop(self) -> None:
        self.timer.stop()

    def answer_said(self) -> None:
        """The bot said something else."""
        self._said_last = ""

    def next_phrase(self) -> str | None:
        for _ in self._phrases:
            phrase = self._phrases[self._next % len(self._phrases)]
            self._next += 1
            if phrase != self._said_last:
                self._said_last = phrase
                return phrase
        return None
