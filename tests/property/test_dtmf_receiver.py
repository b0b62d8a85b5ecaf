"""Any keys, any loss that leaves one packet of each, any duplicates: each key once, in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.dtmf.event_packets import event_packets
from telephony.dtmf.event_receiver import DigitReceiver
from telephony.dtmf.telephone_event import DIGITS

FRAMES = 8
KEYS = st.lists(
    st.tuples(
        st.sampled_from(DIGITS),
        st.sets(st.integers(0, FRAMES + 2), max_size=FRAMES + 2),
        st.integers(1, 3),
    ),
    max_size=12,
)


@given(KEYS, st.sampled_from([0, 2**32 - 5_000, 2**31 - 3]), st.sampled_from([8000, 16000, 48000]))
@settings(max_examples=100, deadline=None)
def test_every_key_is_heard_once(
    keys: list[tuple[str, set[int], int]], first: int, rate_hz: int
) -> None:
    receiver, heard, tick = DigitReceiver(rate_hz), "", 0
    for digit, lost, copies in keys:
        timestamp = (first + tick * rate_hz // 50) & 0xFFFF_FFFF
        for number, packet in enumerate(event_packets(digit, FRAMES * 20, clock_rate_hz=rate_hz)):
            if number not in lost:
                for _ in range(copies):
                    heard += receiver.receive(packet.payload, timestamp, tick * 0.02) or ""
            receiver.handle_timer(tick * 0.02)
            tick += 1
        tick += 4
    receiver.handle_timer(float("inf"))
    pressed = "".join(digit for digit, _, _ in keys)
    assert heard == pressed
    assert "".join(digit.digit for digit in receiver.finished) == pressed
    assert all(20 <= digit.duration_ms <= 160 for digit in receiver.finished)


@given(st.integers(20, 30_000), st.sampled_from([8000, 48000]), st.sampled_from([10, 20, 30]))
@settings(max_examples=60, deadline=None)
def test_a_key_is_one_key_however_long_it_is_held(
    tone_ms: int, rate_hz: int, ptime_ms: int
) -> None:
    receiver, heard, now, timestamp = DigitReceiver(rate_hz), "", 0.0, 2**32 - 1000
    for packet in event_packets("5", tone_ms, ptime_ms=ptime_ms, clock_rate_hz=rate_hz):
        timestamp = (timestamp + packet.advance_samples) & 0xFFFF_FFFF
        heard += receiver.receive(packet.payload, timestamp, now) or ""
        now += ptime_ms / 1000
    assert heard == "5"
    (finished,) = receiver.finished
    assert finished.ended
    assert 0 <= finished.duration_ms - tone_ms < ptime_ms
