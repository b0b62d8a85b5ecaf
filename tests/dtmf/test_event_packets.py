from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.dtmf.event_packets import EventPacket, event_packets, frames_of
from telephony.dtmf.event_receiver import DigitReceiver
from telephony.dtmf.telephone_event import DIGITS, DURATION_MAX, parse_event


def test_a_pressed_key_is_sent_as_rfc_4733_asks() -> None:
    packets = list(event_packets("#", 100))
    events = [parse_event(packet.payload) for packet in packets]
    assert [event.duration_samples for event in events] == [160, 320, 480, 640, 800, 800, 800, 800]
    assert [event.end for event in events] == [False] * 5 + [True] * 3
    assert {event.digit for event in events} == {"#"}
    assert {event.volume_dbm0 for event in events} == {-10}
    assert [packet.start for packet in packets] == [True] + [False] * 7
    assert {packet.advance_samples for packet in packets} == {0}


@pytest.mark.parametrize(
    ("rate_hz", "ptime_ms", "durations"),
    [(16000, 20, [320, 640, 640]), (48000, 10, [480, 960, 1440, 1920, 1920])],
)
def test_the_clock_is_that_of_the_payload_type(
    rate_hz: int, ptime_ms: int, durations: list[int]
) -> None:
    packets = event_packets("1", 40, ptime_ms=ptime_ms, clock_rate_hz=rate_hz, volume_dbm0=-3)
    events = [parse_event(packet.payload) for packet in packets]
    assert [event.duration_samples for event in events[:-2]] == durations
    assert {event.volume_dbm0 for event in events} == {-3}


def replayed(packets: list[EventPacket], rate_hz: int) -> list[tuple[str, int]]:
    """Return keys and durations as a receiver sees them."""
    receiver = DigitReceiver(rate_hz)
    timestamp, now = 2**32 - 70_000, 0.0
    for packet in packets:
        timestamp = (timestamp + packet.advance_samples) % 2**32
        receiver.receive(packet.payload, timestamp, now)
        now += 0.02
    assert receiver.stats.digits == len(receiver.finished)
    return [(digit.digit, digit.duration_ms) for digit in receiver.finished]


@pytest.mark.parametrize(("tone_ms", "rate_hz"), [(10_000, 8000), (20_000, 8000), (3000, 48000)])
def test_a_key_longer_than_the_longest_duration_is_sent_in_segments(
    tone_ms: int, rate_hz: int
) -> None:
    packets = list(event_packets("9", tone_ms, clock_rate_hz=rate_hz))
    events = [parse_event(packet.payload) for packet in packets]
    last_of_segment = [e for e in events if e.duration_samples == DURATION_MAX]
    assert len(last_of_segment) == sum(packet.advance_samples > 0 for packet in packets) >= 1
    assert not any(event.end for event in last_of_segment)
    assert sum(packet.start for packet in packets) == 1
    assert len(packets) == tone_ms // 20 + 3
    assert replayed(packets, rate_hz) == [("9", tone_ms)]


def test_a_segment_may_begin_with_the_end() -> None:
    # 410 frames of 160 samples are 65 more than the longest duration.
    packets = list(event_packets("1", 410 * 20))
    assert [packet.advance_samples for packet in packets[-4:]] == [0, DURATION_MAX, 0, 0]
    assert parse_event(packets[-3].payload).duration_samples == 65
    assert replayed(packets, 8000) == [("1", 8200)]


def test_every_key_arrives() -> None:
    for digit in DIGITS:
        assert replayed(list(event_packets(digit.lower(), 160)), 8000) == [(digit, 160)]


@pytest.mark.parametrize("digit", ["", "12", "E", "é"])
def test_only_keys_are_pressed(digit: str) -> None:
    with pytest.raises(LocalProtocolError):
        event_packets(digit, 100)


def test_a_duration_is_rounded_up_to_whole_frames() -> None:
    assert [frames_of(ms, 20) for ms in (-20, 0, 1, 20, 21, 160)] == [1, 1, 1, 1, 2, 8]
