"""Any payload, any timestamps, any INFO body: a digit or nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.dtmf.sip_info import parse_info_digit
from telephony.dtmf.telephone_event import DIGITS, DigitReceiver

PACKETS = st.tuples(st.binary(max_size=8), st.integers(0, 2**32 - 1), st.floats(0, 3))


@given(st.lists(PACKETS, max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_packets(packets: list[tuple[bytes, int, float]]) -> None:
    receiver, now = DigitReceiver(), 0.0
    for payload, timestamp, pause_s in packets:
        now += pause_s
        digit = receiver.receive(payload, timestamp, now)
        assert digit is None or digit in DIGITS
    assert receiver.stats.packets == len(packets)


@given(st.sampled_from(["application/dtmf", "application/dtmf-relay"]) | st.text(), st.binary())
@settings(max_examples=200, deadline=None)
def test_any_body(content_type: str, body: bytes) -> None:
    digit = parse_info_digit(content_type, body)
    assert digit is None or digit in DIGITS


def test_every_prefix_of_a_body() -> None:
    body = b"Signal=5\r\nDuration=160\r\n"
    digits = [parse_info_digit("application/dtmf-relay", body[:end]) for end in range(len(body))]
    assert digits == [None] * 8 + ["5"] * (len(body) - 8)
