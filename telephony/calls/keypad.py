"""The caller's keypad: digits become entries, in words that a model understands."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.dtmf.collector import DigitCollector, DigitsCollected

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class KeypadConfig:
    """When an entry is told: at ``max_length`` digits, at one of ``terminator``, or when
    ``inter_digit_ms`` went by without a further one.

    ``first_digit_ms`` after the bot has spoken the model is told that nothing was pressed; None
    tells it nothing.
    """

    max_length: int = 32
    terminator: str = "#"
    inter_digit_ms: int = 700
    first_digit_ms: int | None = None


class Keypad:
    """Joins digits until the caller pauses or presses the terminator.

    Ask :meth:`pause` when ``next_timer`` has come; it is a plain attribute, because the media
    path looks at it once a ptime.
    """

    __slots__ = ("_collector", "_config", "_told", "next_timer")

    def __init__(self, config: KeypadConfig) -> None:
        self._config = config
        self._collector = _collector(config)
        self._told = False
        self.next_timer = _NEVER

    def follow(self, config: KeypadConfig) -> None:
        """Join digits by other rules from the next entry on."""
        self._config = config

    def _start(self, now: float) -> None:
        self._collector = _collector(self._config)
        self._collector.start(now)

    def expect(self, now: float) -> None:
        """The bot has spoken: wait for a first digit, unless it has waited in vain already."""
        waits = self._config.first_digit_ms is not None
        if waits and not self._told and not self._collector.collecting:
            self._start(now)
            self._text(None)

    def forget(self) -> None:
        """Wait for a first digit no longer: the bot goes on, or nobody is there."""
        if self._collector.collecting and self._collector.empty:
            self._collector.stop()
            self._text(None)

    def answered(self) -> None:
        """The caller speaks, instead of pressing a key."""
        self._told = False
        self.forget()

    def press(self, digit: str, now: float, *, held: bool = False) -> str | None:
        """Take a digit; returns what to tell the model when it ends the entry.

        ``held``: the key is still down, and :meth:`release` follows.
        """
        self._told = False
        if not self._collector.collecting:
            self._start(now)
        return self._text(self._collector.receive_digit(digit, now, held=held))

    def release(self, now: float) -> None:
        """The key is let go of."""
        self._collector.release(now)
        self._text(None)

    def pause(self, now: float) -> str | None:
        """Return what to tell the model when the caller has paused for long enough."""
        return self._text(self._collector.handle_timer(now))

    def _text(self, entry: DigitsCollected | None) -> str | None:
        due = self._collector.next_timer()
        self.next_timer = _NEVER if due is None else due
        if entry is None:
            return None
        if not entry.digits and entry.reason == "timeout":
            self._told = True
            return "The caller pressed nothing on the keypad."
        return f"The caller pressed {entry.digits}{entry.terminator} on the keypad."


def _collector(config: KeypadConfig) -> DigitCollector:
    return DigitCollector(
        config.max_length,
        config.terminator,
        inter_digit_timeout_s=config.inter_digit_ms / 1000,
        first_digit_timeout_s=(config.first_digit_ms or 0) / 1000,
    )
