from __future__ import annotations

import pytest

from telephony.dtmf.event_receiver import SILENT_S, DigitFinished, DigitReceiver
from telephony.dtmf.telephone_event import DIGITS, TelephoneEvent

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


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x0a\x00"])
def test_what_is_too_short_is_counted(data: bytes) -> None:
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
    for _ in range(3):
        assert receiver.receive(bytes([16, 0x8A, 1, 160]), 0, 0) is None
    assert receiver.receive(bytes([17, 10, 0, 160]), 4000, 1) is None
    assert (receiver.stats.other_events, receiver.stats.flashes) == (2, 1)
    assert receiver.finished == []
    assert receiver.next_timer == float("inf")


def test_what_was_received_is_counted() -> None:
    receiver = DigitReceiver()
    receive(ONE + TWO, receiver)
    assert (receiver.stats.packets, receiver.stats.digits) == (16, 2)


# The end of a key


def finished(packets: list[Packet], clock_rate_hz: int = 8000) -> list[DigitFinished]:
    receiver = DigitReceiver(clock_rate_hz)
    receive(packets, receiver)
    receiver.handle_timer(10**6)
    return receiver.finished


def test_a_key_is_let_go_of_once_however_often_its_end_comes() -> None:
    assert finished(ONE) == [DigitFinished("1", 100, -10, True)]
    assert finished(ONE + ONE[-1:] * 3 + ONE[:2]) == [DigitFinished("1", 100, -10, True)]
    assert finished(ONE[-1:]) == [DigitFinished("1", 100, -10, True)]


@pytest.mark.parametrize(("rate_hz", "duration_ms"), [(8000, 100), (16000, 50), (48000, 16)])
def test_the_clock_of_a_duration_is_that_of_the_payload_type(
    rate_hz: int, duration_ms: int
) -> None:
    assert finished(ONE, rate_hz)[0].duration_ms == duration_ms


def test_without_its_end_packets_a_key_ends_with_its_silence() -> None:
    receiver = DigitReceiver()
    receive(ONE[:5], receiver)
    assert receiver.next_timer == pytest.approx(0.08 + SILENT_S)
    receiver.handle_timer(0.08 + SILENT_S - 0.01)
    assert receiver.finished == []
    receiver.handle_timer(0.08 + SILENT_S + 0.01)
    assert receiver.finished == [DigitFinished("1", 100, -10, False)]
    assert receiver.next_timer == float("inf")
    assert receiver.stats.ends_missing == 1
    # What comes after all is of the same key.
    assert receiver.receive(payload("1", 1600), 1000, 0.4) is None
    assert receiver.receive(payload("1", 1600, end=True), 1000, 0.42) is None
    assert len(receiver.finished) == 1


def test_the_next_key_ends_one_whose_end_was_lost() -> None:
    assert [(f.digit, f.ended) for f in finished(ONE[:5] + TWO)] == [("1", False), ("2", True)]


def test_the_segments_of_a_long_key_are_one_duration() -> None:
    packets = [("5", 7, 160 * step, False) for step in range(1, 410)]
    packets += [("5", 7, 0xFFFF, False)]
    packets += [("5", 7 + 0xFFFF, 160 * step + 65, False) for step in range(1, 20)]
    packets += [("5", 7 + 0xFFFF, 160 * 20 + 65, True)] * 3
    assert finished(packets) == [DigitFinished("5", (0xFFFF + 3265) // 8, -10, True)]


def test_a_lost_segment_end_does_not_part_the_key() -> None:
    packets = [("5", 7, 160 * step, False) for step in range(1, 395)]
    packets += [("5", 7 + 0xFFFF, 160 * 20 + 65, True)] * 3
    assert [f.duration_ms for f in finished(packets)] == [(0xFFFF + 3265) // 8]


def test_an_update_that_comes_after_the_end_changes_nothing() -> None:
    packets = [*ONE[:5], ("1", 1000, 800, True), ("1", 1000, 640, False), ("1", 1000, 960, False)]
    assert finished(packets) == [DigitFinished("1", 100, -10, True)]


def test_a_reset_lets_go() -> None:
    receiver = DigitReceiver()
    receive(ONE[:2], receiver)
    receiver.reset()
    receiver.reset()
    assert [f.ended for f in receiver.finished] == [False]
