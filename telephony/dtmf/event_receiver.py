"""Digits out of telephone-event packets (RFC 4733), each once."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.base.serial import add32, diff32
from telephony.dtmf.telephone_event import (
    FLASH,
    TelephoneEvent,
    TelephoneEventParseError,
    parse_event,
)

SILENT_S = 0.25
"""A key is let go of when nothing came of it for so long: its end packets were lost."""

_NEVER = float("inf")
_REORDERED_S = 5.0
_SEGMENT_SAMPLES = range(0xF000, 0x1_0000 + 1)
_SEGMENT_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class DigitFinished:
    """A key was let go of. ``ended`` is False when no packet said so, only its silence did."""

    digit: str
    duration_ms: int
    volume_dbm0: int
    ended: bool


@dataclass(slots=True)
class DigitStats:
    """Packets by what they were; ``other_events`` are those that are no key, flashes included."""

    packets: int = 0
    digits: int = 0
    malformed: int = 0
    other_events: int = 0
    flashes: int = 0
    late: int = 0
    ends_missing: int = 0


class DigitReceiver:
    """Turns telephone-event packets into digits.

    A digit is given at the first packet that arrives for its RTP timestamp, be it the first, an
    update or an end; so it comes while the key is still down, and any one packet suffices.
    ``finished`` tells when the key was let go of; drain it after :meth:`receive` and
    :meth:`handle_timer`. ``next_timer`` is a plain attribute, because the media path looks at it
    once a ptime. Call :meth:`reset` when the SSRC changes.

    ``clock_rate_hz`` is that of the payload type, and may be assigned.
    """

    def __init__(self, clock_rate_hz: int = 8000) -> None:
        self.stats = DigitStats()
        self.clock_rate_hz = clock_rate_hz
        self.finished: list[DigitFinished] = []
        self.next_timer = _NEVER
        self._last: TelephoneEvent | None = None
        self._timestamp = 0
        self._began = 0
        self._received_at = 0.0

    @property
    def down(self) -> bool:
        """True while a key is down, as far as is known."""
        return self.next_timer != _NEVER

    def reset(self) -> None:
        """Forget the last event: the timestamps start anew."""
        self._finish(ended=False)
        self._last = None

    def receive(self, packet_payload: bytes, timestamp: int, now: float) -> str | None:
        """Return the digit that this packet begins, if it begins one."""
        self.stats.packets += 1
        try:
            event = parse_event(packet_payload)
        except TelephoneEventParseError:
            self.stats.malformed += 1
            return None
        begins = self._begins(event, timestamp, now)
        if begins is None:
            return None
        if begins:
            self._finish(ended=False)
            self._began = timestamp
        self._last, self._timestamp, self._received_at = event, timestamp, now
        digit = self._count(event) if begins else None
        if digit is not None or self.down:
            self.next_timer = now + SILENT_S
            if event.end:
                self._finish(ended=True)
        return digit

    def handle_timer(self, now: float) -> None:
        """Let go of the key of which nothing was heard any more."""
        if now >= self.next_timer:
            self._finish(ended=False)

    def _count(self, event: TelephoneEvent) -> str | None:
        digit = event.digit
        if digit is not None:
            self.stats.digits += 1
        else:
            self.stats.other_events += 1
            self.stats.flashes += event.event == FLASH
        return digit

    def _begins(self, event: TelephoneEvent, timestamp: int, now: float) -> bool | None:
        """Tell whether a packet begins an event or goes on with one; None: it is of no use."""
        last = self._last
        if last is None:
            return True
        after = diff32(timestamp, self._timestamp)
        if after == 0 and event.event == last.event:
            if last.end or (event.duration_samples < last.duration_samples and not event.end):
                self._received_at = now
                return None
            return False
        if after < 0 and now - self._received_at < _REORDERED_S:
            self.stats.late += 1
            return None
        return not self._continues(event, after, now)

    def _continues(self, event: TelephoneEvent, after_samples: int, now: float) -> bool:
        """Tell whether this is the next segment of a key held for long (section 2.5.1.3)."""
        last = self._last
        return (
            last is not None
            and not last.end
            and event.event == last.event
            and after_samples in _SEGMENT_SAMPLES
            and now - self._received_at < _SEGMENT_PAUSE_S
        )

    def _finish(self, *, ended: bool) -> None:
        """Report the key that is down, if one is."""
        last = self._last
        if not self.down or last is None or last.digit is None:
            return
        self.next_timer = _NEVER
        self.stats.ends_missing += not ended
        end = add32(self._timestamp, last.duration_samples)
        samples = (end - self._began) & 0xFFFF_FFFF
        duration_ms = samples * 1000 // self.clock_rate_hz
        self.finished.append(DigitFinished(last.digit, duration_ms, last.volume_dbm0, ended))
