"""Digits as RTP events (RFC 4733)."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from telephony.base.errors import LocalProtocolError
from telephony.base.serial import diff32

DIGITS = "0123456789*#ABCD"

_EVENT = struct.Struct("!BBH")
_DURATION_MAX = 0xFFFF
_END_PACKETS = 3  # RFC 4733 section 2.5.1.4
_REORDERED_S = 5.0
_SEGMENT_SAMPLES = range(0xF000, 0x1_0000 + 1)
_SEGMENT_PAUSE_S = 0.5


class TelephoneEventParseError(ValueError):
    """The payload is not a telephone-event."""


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One report of an event (section 2.3); ``volume_dbm0`` is 0 to -63, ``duration_samples``
    counts from the RTP timestamp."""

    event: int
    end: bool
    volume_dbm0: int
    duration_samples: int

    @property
    def digit(self) -> str | None:
        """The key, or ``None`` for flash and other events."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None

    def serialize(self) -> bytes:
        flags = (0x80 if self.end else 0) | -self.volume_dbm0
        return _EVENT.pack(self.event, flags, self.duration_samples)


def parse_event(payload: bytes) -> TelephoneEvent:
    """Return the first event of ``payload``; raise :class:`TelephoneEventParseError`."""
    if len(payload) < _EVENT.size:
        raise TelephoneEventParseError("shorter than an event")
    event, flags, duration = _EVENT.unpack_from(payload)
    return TelephoneEvent(event, bool(flags & 0x80), -(flags & 0x3F), duration)


@dataclass(slots=True)
class DigitStats:
    packets: int = 0
    digits: int = 0
    malformed: int = 0
    other_events: int = 0
    late: int = 0


class DigitReceiver:
    """Turns telephone-event packets into digits, each once.

    A digit is given at the first packet that arrives for its RTP timestamp, be it the first, an
    update or an end; so it comes while the key is still down, and any one packet suffices. Call
    :meth:`reset` when the SSRC changes.
    """

    def __init__(self) -> None:
        self.stats = DigitStats()
        self._last: TelephoneEvent | None = None
        self._timestamp = 0
        self._received_at = 0.0

    def reset(self) -> None:
        """Forget the last event: the timestamps start anew."""
        self._last = None

    def receive(self, packet_payload: bytes, timestamp: int, now: float) -> str | None:
        """Return the digit that this packet begins, if it begins one."""
        self.stats.packets += 1
        try:
            event = parse_event(packet_payload)
        except TelephoneEventParseError:
            self.stats.malformed += 1
            return None
        if not self._is_new(event, timestamp, now):
            return None
        self._last, self._timestamp, self._received_at = event, timestamp, now
        if event.digit is None:
            self.stats.other_events += 1
            return None
        self.stats.digits += 1
        return event.digit

    def _is_new(self, event: TelephoneEvent, timestamp: int, now: float) -> bool:
        last = self._last
        if last is None:
            return True
        after = diff32(timestamp, self._timestamp)
        if after == 0 and event.event == last.event:
            if event.duration_samples >= last.duration_samples or event.end:
                self._last = event
            self._received_at = now
            return False
        if after < 0 and now - self._received_at < _REORDERED_S:
            self.stats.late += 1
            return False
        if self._continues(event, after, now):
            self._last, self._timestamp, self._received_at = event, timestamp, now
            return False
        return True

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


class DigitSender:
    """Makes the packets of pressed keys, one per ptime.

    Call :meth:`next_packet` once per ptime; while :attr:`busy`, send what it returns in place of
    audio, and nothing when it returns ``None`` (the pause between two keys).
    """

    def __init__(
        self,
        ptime_ms: int = 20,
        clock_rate_hz: int = 8000,
        duration_ms: int = 160,
        pause_ms: int = 80,
        volume_dbm0: int = -10,
    ) -> None:
        self._frame_samples = ptime_ms * clock_rate_hz // 1000
        self._frames = max(1, duration_ms // ptime_ms)
        self._pause_frames = max(1, pause_ms // ptime_ms)
        self._volume_dbm0 = volume_dbm0
        self._queue: deque[tuple[bytes, bool] | None] = deque()

    def press(self, digit: str) -> None:
        """Queue a key; raises :class:`LocalProtocolError` for what is not one."""
        event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
        if event < 0:
            raise LocalProtocolError(f"not a DTMF digit: {digit!r}")
        for frame in range(1, self._frames + 1):
            self._queue.append((self._payload(event, frame, end=False), frame == 1))
        self._queue += [(self._payload(event, self._frames, end=True), False)] * _END_PACKETS
        self._queue += [None] * self._pause_frames

    def _payload(self, event: int, frames: int, *, end: bool) -> bytes:
        duration = min(frames * self._frame_samples, _DURATION_MAX)
        return TelephoneEvent(event, end, self._volume_dbm0, duration).serialize()

    @property
    def busy(self) -> bool:
        return bool(self._queue)

    def next_packet(self) -> tuple[bytes, bool] | None:
        """Return the payload for this ptime and whether it starts a digit (marker)."""
        return self._queue.popleft() if self._queue else None
