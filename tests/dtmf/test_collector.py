from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.dtmf.collector import LONGEST_PRESS_S, DigitCollector, DigitsCollected


def collector() -> DigitCollector:
    collector = DigitCollector(4, "#", inter_digit_timeout_s=3, first_digit_timeout_s=10)
    collector.start(0)
    return collector


def enter(entry: DigitCollector, digits: str) -> list[DigitsCollected | None]:
    return [entry.receive_digit(digit, 1 + index) for index, digit in enumerate(digits)]


def test_the_length_ends_an_entry() -> None:
    entry = collector()
    assert enter(entry, "1234") == [None, None, None, DigitsCollected("1234", "length")]
    assert not entry.collecting


def test_the_terminator_ends_an_entry_and_is_no_part_of_it() -> None:
    assert enter(collector(), "12#")[-1] == DigitsCollected("12", "terminator", "#")
    assert enter(collector(), "#") == [DigitsCollected("", "terminator", "#")]


def test_several_keys_may_end_an_entry() -> None:
    entry = DigitCollector(4, "*#")
    entry.start(0)
    assert enter(entry, "1*")[-1] == DigitsCollected("1", "terminator", "*")


def test_without_a_terminator_pound_is_a_digit() -> None:
    entry = DigitCollector(2, "")
    entry.start(0)
    assert enter(entry, "##")[-1] == DigitsCollected("##", "length")


def test_the_first_digit_has_more_time_than_the_others() -> None:
    entry = collector()
    assert entry.next_timer() == 10
    assert entry.handle_timer(9.9) is None
    entry.receive_digit("1", 9.9)
    assert entry.next_timer() == pytest.approx(12.9)
    assert entry.handle_timer(12.8) is None
    assert entry.handle_timer(13) == DigitsCollected("1", "timeout")
    assert entry.next_timer() is None
    assert entry.handle_timer(99) is None


def test_nobody_presses_anything() -> None:
    assert collector().handle_timer(10) == DigitsCollected("", "timeout")


def test_what_comes_before_the_start_or_after_the_end_is_ignored() -> None:
    entry = DigitCollector(1)
    assert entry.receive_digit("1", 0) is None
    entry.start(0)
    assert entry.receive_digit("1", 1) is not None
    assert entry.receive_digit("2", 2) is None
    entry.start(3)
    assert entry.receive_digit("3", 4) == DigitsCollected("3", "length")


def test_an_entry_may_be_forgotten() -> None:
    entry = collector()
    assert entry.empty
    entry.receive_digit("1", 1, held=True)
    assert not entry.empty
    entry.stop()
    assert not entry.collecting
    entry.start(5)
    assert entry.empty


def test_an_entry_has_at_least_one_digit() -> None:
    with pytest.raises(LocalProtocolError):
        DigitCollector(0)


def test_a_key_that_is_held_does_not_end_the_entry() -> None:
    entry = collector()
    entry.receive_digit("1", 1, held=True)
    assert entry.handle_timer(9) is None
    entry.release(9)
    assert entry.next_timer() == 12
    entry.receive_digit("2", 11)
    assert entry.handle_timer(14) == DigitsCollected("12", "timeout")


def test_a_short_press_does_not_make_the_pause_longer() -> None:
    entry = collector()
    entry.receive_digit("1", 1, held=True)
    entry.release(1.2)
    entry.release(3)
    assert entry.next_timer() == 4


def test_a_key_whose_end_is_never_told_ends_anyway() -> None:
    entry = collector()
    entry.receive_digit("1", 1, held=True)
    assert entry.next_timer() == 1 + LONGEST_PRESS_S
    assert entry.handle_timer(1 + LONGEST_PRESS_S) == DigitsCollected("1", "timeout")
    entry.release(99)
    assert not entry.collecting
