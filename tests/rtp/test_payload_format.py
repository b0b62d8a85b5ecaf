from __future__ import annotations

import pytest

from telephony.rtp.packet import RtpPacket
from telephony.rtp.payload_format import PLAIN, PayloadClock, PayloadFormat

OPUS = PayloadFormat(48000, lambda payload: 960 * len(payload))


def adjusted(clock: PayloadClock, timestamp: int, payload: bytes) -> tuple[int, int]:
    packet = RtpPacket(0, False, 1, timestamp, 1, payload)
    clock.adjust(packet)
    return packet.timestamp, packet.samples


def test_a_byte_is_a_tick_where_nothing_else_is_said() -> None:
    assert PayloadClock(PLAIN, 8000, 160).is_plain
    assert adjusted(PayloadClock(PLAIN, 8000, 160), 7, bytes(80)) == (7, 80)


def test_a_slower_clock_is_brought_to_that_of_the_session() -> None:
    clock = PayloadClock(PLAIN, 48000, 960)
    assert not clock.is_plain
    assert clock.scale == 6
    assert adjusted(clock, 160, bytes(160)) == (960, 960)


def test_payloads_say_how_long_they_last() -> None:
    clock = PayloadClock(OPUS, 48000, 960)
    assert not clock.is_plain
    assert adjusted(clock, 5, b"ab") == (5, 1920)
    assert adjusted(clock, 5, b"") == (5, 960)  # unknown: a frame


@pytest.mark.parametrize("before", [0, 2**32 - 80, 2**31, 715_827_882])
def test_steps_are_the_same_across_every_wrap(before: int) -> None:
    clock = PayloadClock(PLAIN, 48000, 960)
    first, _ = adjusted(clock, before, bytes(160))
    second, _ = adjusted(clock, (before + 160) % 2**32, bytes(160))
    assert (second - first) % 2**32 == 960
