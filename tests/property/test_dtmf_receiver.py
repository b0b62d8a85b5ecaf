"""Any keys, any loss that leaves one packet of each, any duplicates: each key once, in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.dtmf.telephone_event import DIGITS, DigitReceiver, DigitSender

KEYS = st.lists(
    st.tuples(st.sampled_from(DIGITS), st.sets(st.integers(0, 10), max_size=10), st.integers(1, 3)),
    max_size=12,
)


@given(KEYS, st.sampled_from([0, 2**32 - 5_000, 2**31 - 3]))
@settings(max_examples=100, deadline=None)
def test_every_key_is_heard_once(keys: list[tuple[str, set[int], int]], first: int) -> None:
    receiver, heard, tick = DigitReceiver(), "", 0
    for digit, lost, copies in keys:
        sender = DigitSender()
        sender.press(digit)
        timestamp, number = (first + tick * 160) & 0xFFFF_FFFF, 0
        while sender.busy:
            packet = sender.next_packet()
            if packet is not None and number not in lost:
                for _ in range(copies):
                    heard += receiver.receive(packet[0], timestamp, tick * 0.02) or ""
            number += packet is not None
            tick += 1
    assert heard == "".join(digit for digit, _, _ in keys)
