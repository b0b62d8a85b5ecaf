"""The telephone-event packets of a pressed key (RFC 4733)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from telephony.base.errors import LocalProtocolError
from telephony.dtmf.telephone_event import DIGITS, DURATION_MAX, TelephoneEvent

END_PACKETS = 3
"""How often the end of an event is sent (section 2.5.1.4)."""


@dataclass(frozen=True, slots=True)
class EventPacket:
    """``start`` sets the marker bit, and the RTP timestamp to that of the key's beginning.

    ``advance_samples`` moves that timestamp on: a new segment of the key begins.
    """

    payload: bytes
    start: bool = False
    advance_samples: int = 0


def event_packets(
    digit: str,
    tone_ms: int,
    *,
    ptime_ms: int = 20,
    clock_rate_hz: int = 8000,
    volume_dbm0: int = -10,
) -> Iterator[EventPacket]:
    """Yield what is to be sent for one key, a packet each ptime: reports, then its end thrice.

    ``clock_rate_hz`` is that of the payload type. Raises LocalProtocolError for what is no key.
    """
    code = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if code < 0:
        raise LocalProtocolError(f"not a DTMF digit: {digit!r}")
    return _packets(code, frames_of(tone_ms, ptime_ms), ptime_ms * clock_rate_hz, volume_dbm0)


def frames_of(duration_ms: int, ptime_ms: int) -> int:
    """Return how many ptimes a duration takes, at least one."""
    return max(1, -(-duration_ms // ptime_ms))


def _packets(code: int, frames: int, step: int, volume_dbm0: int) -> Iterator[EventPacket]:
    """``step`` is a ptime in thousandths of a sample."""

    def payload(duration: int, *, end: bool = False) -> bytes:
        return TelephoneEvent(code, end, volume_dbm0, duration).serialize()

    segment = advance = 0
    for frame in range(1, frames + 1):
        duration = frame * step // 1000 - segment
        if duration > DURATION_MAX:
            # Section 2.5.1.3: a segment is reported to its end, without an end bit.
            yield EventPacket(payload(DURATION_MAX), advance_samples=advance)
            segment, advance = segment + DURATION_MAX, DURATION_MAX
        else:
            yield EventPacket(payload(duration), frame == 1, advance)
            advance = 0
    end = payload(frames * step // 1000 - segment, end=True)
    yield EventPacket(end, advance_samples=advance)
    yield from (EventPacket(end) for _ in range(END_PACKETS - 1))
