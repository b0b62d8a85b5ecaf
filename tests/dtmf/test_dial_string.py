from __future__ import annotations

import pytest

from telephony.dtmf.dial_string import is_pause, read_dial_string


@pytest.mark.parametrize(
    ("text", "keys"),
    [("1", "1"), ("0123456789*#", "0123456789*#"), ("abcd", "ABCD"), ("1,w2W#", "1,,2,#")],
)
def test_keys_and_pauses(text: str, keys: str) -> None:
    assert read_dial_string(text, 12) == keys


def test_how_people_group_digits_means_nothing() -> None:
    assert read_dial_string(" 47-11 #", 5) == "4711#"


@pytest.mark.parametrize("text", ["12e", "1;2", "+49", "１", "1\n", "²"])
def test_what_is_no_key_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="no such keys"):
        read_dial_string(text, 12)


@pytest.mark.parametrize("text", ["", ",,", "w", " "])
def test_pauses_alone_are_nothing_to_press(text: str) -> None:
    with pytest.raises(ValueError, match="no keys to press"):
        read_dial_string(text, 12)


def test_the_length_is_bounded_pauses_included() -> None:
    assert read_dial_string("1,2", 3) == "1,2"
    with pytest.raises(ValueError, match="4 keys and pauses are too many; at most 3"):
        read_dial_string("1,,2", 3)


def test_a_pause_is_no_key() -> None:
    assert [is_pause(char) for char in read_dial_string("1w#", 3)] == [False, True, False]
