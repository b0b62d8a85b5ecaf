"""Any payload, any timestamps, any INFO body, any audio, any dial string: a digit or nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.dtmf.dial_string import read_dial_string
from telephony.dtmf.event_receiver import DigitReceiver
from telephony.dtmf.inband import InbandDetector
from telephony.dtmf.sip_info import parse_info_digit
from telephony.dtmf.telephone_event import DIGITS

EVENTS = st.builds(
    lambda event, flags, duration: bytes([event, flags, duration >> 8, duration & 0xFF]),
    st.integers(0, 17),
    st.sampled_from([0x0A, 0x8A, 0x3F, 0xFF]),
    st.integers(0, 0xFFFF),
)
TIMESTAMPS = st.sampled_from([0, 160, 0xFFFF, 2**31, 2**32 - 160]) | st.integers(0, 2**32 - 1)
PACKETS = st.tuples(st.binary(max_size=8) | EVENTS, TIMESTAMPS, st.floats(0, 3))


@given(st.lists(PACKETS, max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_packets(packets: list[tuple[bytes, int, float]]) -> None:
    receiver, now = DigitReceiver(), 0.0
    for payload, timestamp, pause_s in packets:
        now += pause_s
        digit = receiver.receive(payload, timestamp, now)
        assert digit is None or digit in DIGITS
        receiver.handle_timer(now)
    receiver.handle_timer(float("inf"))
    assert receiver.stats.packets == len(packets)
    # Every key that was pressed is let go of, once.
    assert len(receiver.finished) == receiver.stats.digits
    assert all(digit.duration_ms >= 0 for digit in receiver.finished)


@given(st.sampled_from(["application/dtmf", "application/dtmf-relay"]) | st.text(), st.binary())
@settings(max_examples=200, deadline=None)
def test_any_body(content_type: str, body: bytes) -> None:
    parsed = parse_info_digit(content_type, body)
    assert parsed is None or parsed.digit in DIGITS
    assert parsed is None or 0 <= parsed.duration_ms <= 60_000


def test_every_prefix_of_a_body() -> None:
    body = b"Signal=5\r\nDuration=160\r\n"
    parsed = [parse_info_digit("application/dtmf-relay", body[:end]) for end in range(len(body))]
    digits = [each.digit if each else None for each in parsed]
    assert digits == [None] * 8 + ["5"] * (len(body) - 8)


@given(st.lists(st.binary(min_size=320, max_size=320), max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_audio(frames: list[bytes]) -> None:
    detector = InbandDetector()
    for frame in frames:
        digit = detector.hear(frame)
        assert digit is None or digit in DIGITS


@given(st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_dial_string(text: str) -> None:
    try:
        keys = read_dial_string(text, 10)
    except ValueError:
        return
    assert 1 <= len(keys) <= 10
    assert set(keys) <= {*DIGITS, ","}
    assert read_dial_string(keys, 10) == keys
