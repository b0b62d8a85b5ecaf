"""The keys that a leg presses over PJSIP: one after the other, at the pace of the media."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitMode, DigitsSent, DigitWay
from telephony.dtmf.dial_string import PAUSE_MS, is_pause, read_dial_string
from telephony.stacks.digit_sender import LONGEST_ENTRY, MAX_ENTRIES, OnSent
from telephony.stacks.media_config import DigitTiming


class KeyLine(Protocol):
    """Presses one key, by telephone-events or by INFO."""

    def press(self, digit: str, duration_ms: int, by_info: bool) -> None: ...


class Keys:
    """PJSIP tells nobody when a key is out: its time is counted here, tone and pause.

    :meth:`tick` is called once per ptime; while it is true the keys take the place of audio.
    """

    def __init__(self, line: KeyLine, mode: DigitMode, timing: DigitTiming) -> None:
        self._line = line
        self._mode = mode
        self._timing = timing
        self._way: DigitWay = "rfc4733"
        self._takes_events = False
        self._entries: deque[tuple[str, OnSent | None]] = deque()
        self._at = 0
        self._left_ms = 0

    def negotiated(self, takes_events: bool) -> None:
        self._takes_events = takes_events

    def send(self, digits: str, on_sent: OnSent | None) -> None:
        """Queue an entry; raises LocalProtocolError when the peer can't take it."""
        if self._mode == "rfc4733" and not self._takes_events:
            raise LocalProtocolError("the peer takes no telephone-events")
        if len(self._entries) >= MAX_ENTRIES:
            raise LocalProtocolError("too many digits wait to be sent")
        try:
            keys = read_dial_string(digits, LONGEST_ENTRY)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from None
        self._way = "info" if self._mode == "info" or not self._takes_events else "rfc4733"
        self._entries.append((keys, on_sent))

    def tick(self, ptime_ms: int) -> bool:
        """Let one ptime pass; tell whether keys have it."""
        if not self._entries:
            return False
        if self._left_ms <= 0 and not self._next():
            return bool(self._entries)
        self._left_ms -= ptime_ms
        return True

    def close(self) -> None:
        """Tell whoever waits that the rest is not sent. Twice is harmless."""
        at, self._at = self._at, 0
        while self._entries:
            keys, on_sent = self._entries.popleft()
            if on_sent is not None:
                on_sent(DigitsSent(keys[:at], self._way, "the call is over"))
            at = 0

    def _next(self) -> bool:
        """Begin the next key or pause; False, and told of, when the entry is through."""
        keys, on_sent = self._entries[0]
        if self._at == len(keys):
            self._entries.popleft()
            self._at = 0
            if on_sent is not None:
                on_sent(DigitsSent(keys, self._way))
            return False
        key = keys[self._at]
        self._at += 1
        if is_pause(key):
            self._left_ms = PAUSE_MS
            return True
        self._line.press(key, self._timing.tone_ms, self._way == "info")
        self._left_ms = self._timing.tone_ms + self._timing.gap_ms
        return True
