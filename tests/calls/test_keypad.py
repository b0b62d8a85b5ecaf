from __future__ import annotations

from telephony.calls.keypad import Keypad


def test_digits_are_told_together_after_a_pause() -> None:
    keypad = Keypad(700)
    assert keypad.next_timer == float("inf")
    assert keypad.press("4", 1.0) is None
    assert keypad.press("2", 1.5) is None
    assert keypad.next_timer == 2.2
    assert keypad.pause(2.1) is None
    assert keypad.pause(2.2) == "The caller pressed 42 on the keypad."
    assert keypad.next_timer == float("inf")
    assert keypad.pause(9.0) is None


def test_the_pound_key_ends_an_entry_at_once() -> None:
    keypad = Keypad(700)
    keypad.press("1", 1.0)
    assert keypad.press("#", 1.1) == "The caller pressed 1# on the keypad."
    assert keypad.press("#", 1.2) == "The caller pressed # on the keypad."


def test_an_entry_has_an_end_even_if_the_caller_has_none() -> None:
    keypad = Keypad(700)
    told = [keypad.press("7", 1.0) for _ in range(64)]
    assert [text is not None for text in told].count(True) == 2


def test_without_a_pause_each_digit_is_told_with_the_next_frame() -> None:
    keypad = Keypad(0)
    keypad.press("5", 1.0)
    assert keypad.pause(1.0) == "The caller pressed 5 on the keypad."
