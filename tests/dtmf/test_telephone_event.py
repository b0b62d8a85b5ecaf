from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.dtmf.telephone_event import (
    DIGITS,
    DigitReceiver,
    DigitSender,
    TelephoneEvent,
    TelephoneEventParseError,
    parse_event,
)

Packet = tuple[str, int, int, bool]  # digit, RTP timestamp, duration in samples, end


def payload(digit: str, duration: int, end: bool = False) -> bytes:
    return TelephoneEvent(DIGITS.index(digit), end, -10, duration).serialize()


def press(digit: str, timestamp: int) -> list[Packet]:
    """A key of 100 ms: five updates and the end three times."""
    updates = [(digit, timestamp, 160 * step, False) for step in range(1, 6)]
    return updates + [(digit, timestamp, 800, True)] * 3


def receive(packets: list[Packet], receiver: DigitReceiver | None = None) -> str:
    receiver = receiver or DigitReceiver()
    digits = ""
    for index, (digit, timestamp, duration, end) in enumerate(packets):
        data = payload(digit, duration, end)
        digits += receiver.receive(data, timestamp, index * 0.02) or ""
    return digits


ONE, TWO = press("1", 1000), press("2", 4000)


def test_an_event_on_the_wire() -> None:
    assert parse_event(bytes.fromhex("058a0320")) == TelephoneEvent(5, True, -10, 800)
    assert parse_event(bytes.fromhex("103f0000ff")) == TelephoneEvent(16, False, -63, 0)
    assert TelephoneEvent(5, True, -10, 800).serialize() == bytes.fromhex("058a0320")


def test_events_beyond_the_keys_are_no_digits() -> None:
    assert [TelephoneEvent(code, False, 0, 0).digit for code in (0, 9, 10, 11, 15)] == list("09*#D")
    assert TelephoneEvent(16, False, 0, 0).digit is None


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x0a\x00"])
def test_what_is_too_short(data: bytes) -> None:
    with pytest.raises(TelephoneEventParseError):
        parse_event(data)
    receiver = DigitReceiver()
    assert receiver.receive(data, 0, 0) is None
    assert receiver.stats.malformed == 1


@pytest.mark.parametrize(
    ("packets", "digits"),
    [
        pytest.param(ONE + TWO, "12", id="all packets"),
        pytest.param(ONE + press("1", 4000), "11", id="the same key twice"),
        pytest.param(ONE[:5] + TWO, "12", id="ends lost"),
        pytest.param(ONE[5:] + TWO[5:], "12", id="starts lost"),
        pytest.param(ONE[:1] + TWO[7:], "12", id="one packet each"),
        pytest.param([p for p in ONE for _ in range(3)], "1", id="every packet thrice"),
        pytest.param(ONE[::-1], "1", id="reversed"),
        pytest.param(ONE[:6] + TWO[:1] + ONE[6:] + TWO[1:], "12", id="an old end comes late"),
        pytest.param(press("1", 2**32 - 400) + press("2", 3000), "12", id="the timestamp wraps"),
        pytest.param(press("1", 5) + press("2", 5), "12", id="a timestamp that stands still"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_every_key_gives_one_digit(packets: list[Packet], digits: str) -> None:
    assert receive(packets) == digits


def test_a_digit_comes_with_the_first_packet() -> None:
    assert DigitReceiver().receive(payload("7", 160), 9, 0) == "7"


def test_a_key_held_beyond_the_longest_duration_is_one_digit() -> None:
    packets = [("5", 0, 160 * step, False) for step in range(1, 410)]
    packets += [("5", 0xFFFF, 160 * step, False) for step in range(1, 20)]
    assert receive(packets) == "5"


def test_after_a_reset_older_timestamps_are_new() -> None:
    receiver = DigitReceiver()
    assert receive(press("1", 100_000), receiver) == "1"
    receiver.reset()
    assert receive(press("1", 100), receiver) == "1"


def test_much_later_an_older_timestamp_is_new() -> None:
    receiver = DigitReceiver()
    assert receiver.receive(payload("1", 160), 100_000, 0) == "1"
    assert receiver.receive(payload("2", 160), 100, 1) is None
    assert receiver.receive(payload("2", 160), 100, 6) == "2"


def test_flash_is_counted_and_no_digit() -> None:
    receiver = DigitReceiver()
    assert receiver.receive(bytes([16, 10, 0, 160]), 0, 0) is None
    assert receiver.stats.other_events == 1


def test_what_was_received_is_counted() -> None:
    receiver = DigitReceiver()
    receive(ONE + TWO, receiver)
    assert (receiver.stats.packets, receiver.stats.digits) == (16, 2)


# Sending


def drain(sender: DigitSender) -> list[tuple[bytes, bool] | None]:
    packets = []
    while sender.busy:
        packets.append(sender.next_packet())
    return packets


def test_a_pressed_key_is_sent_as_rfc_4733_asks() -> None:
    sender = DigitSender(duration_ms=100, pause_ms=40)
    sender.press("#")
    packets = drain(sender)
    assert packets[8:] == [None, None]
    events = [parse_event(packet[0]) for packet in packets if packet]
    assert [event.duration_samples for event in events] == [160, 320, 480, 640, 800, 800, 800, 800]
    assert [event.end for event in events] == [False] * 5 + [True] * 3
    assert {event.digit for event in events} == {"#"}
    assert [packet[1] for packet in packets if packet] == [True] + [False] * 7
    assert sender.next_packet() is None


def test_what_is_sent_is_received() -> None:
    sender, receiver = DigitSender(), DigitReceiver()
    for digit in DIGITS:
        sender.press(digit)
    heard, start = "", 0
    for tick, packet in enumerate(drain(sender)):
        if packet is None:
            continue
        data, starts = packet
        start = tick * 160 if starts else start
        heard += receiver.receive(data, start, tick * 0.02) or ""
    assert heard == DIGITS


def test_the_duration_stops_at_its_largest() -> None:
    sender = DigitSender(duration_ms=10_000)
    sender.press("1")
    events = [parse_event(packet[0]) for packet in drain(sender) if packet]
    assert events[-1].duration_samples == 0xFFFF


@pytest.mark.parametrize("digit", ["", "12", "E", "é"])
def test_only_keys_are_pressed(digit: str) -> None:
    with pytest.raises(LocalProtocolError):
        DigitSender().press(digit)
