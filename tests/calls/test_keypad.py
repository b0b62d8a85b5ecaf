from __future__ import annotations

from telephony.calls.keypad import Keypad, KeypadConfig


def test_digits_are_told_together_after_a_pause() -> None:
    keypad = Keypad(KeypadConfig())
    assert keypad.next_timer == float("inf")
    assert keypad.press("4", 1.0) is None
    assert keypad.press("2", 1.5) is None
    assert keypad.next_timer == 2.2
    assert keypad.pause(2.1) is None
    assert keypad.pause(2.2) == "The caller pressed 42 on the keypad."
    assert keypad.next_timer == float("inf")
    assert keypad.pause(9.0) is None


def test_the_pound_key_ends_an_entry_at_once() -> None:
    keypad = Keypad(KeypadConfig())
    keypad.press("1", 1.0)
    assert keypad.press("#", 1.1) == "The caller pressed 1# on the keypad."
    assert keypad.press("#", 1.2) == "The caller pressed # on the keypad."


def test_an_entry_has_an_end_even_if_the_caller_has_none() -> None:
    keypad = Keypad(KeypadConfig())
    told = [keypad.press("7", 1.0) for _ in range(64)]
    assert [text is not None for text in told].count(True) == 2


def test_without_a_pause_each_digit_is_told_with_the_next_frame() -> None:
    keypad = Keypad(KeypadConfig(inter_digit_ms=0))
    keypad.press("5", 1.0)
    assert keypad.pause(1.0) == "The caller pressed 5 on the keypad."


def test_length_and_terminator_are_the_operators_choice() -> None:
    keypad = Keypad(KeypadConfig(max_length=3, terminator="*"))
    for entry in ("12#", "4*"):
        told = [keypad.press(digit, 1.0) for digit in entry]
        assert told[-1] == f"The caller pressed {entry} on the keypad."


def test_the_model_is_told_once_that_nothing_was_pressed() -> None:
    keypad = Keypad(KeypadConfig(first_digit_ms=5000))
    assert keypad.next_timer == float("inf")
    keypad.expect(1.0)
    assert keypad.pause(5.9) is None
    assert keypad.pause(6.0) == "The caller pressed nothing on the keypad."
    # What the model says to that asks for no further digit in vain.
    keypad.forget()
    keypad.expect(9.0)
    assert keypad.next_timer == float("inf")
    keypad.press("1", 20.0)
    assert keypad.pause(20.7) == "The caller pressed 1 on the keypad."
    keypad.expect(30.0)
    assert keypad.next_timer == 35.0


def test_who_speaks_need_not_press() -> None:
    keypad = Keypad(KeypadConfig(first_digit_ms=5000))
    keypad.expect(1.0)
    keypad.answered()
    assert keypad.next_timer == float("inf")
    keypad.expect(2.0)
    keypad.press("1", 3.0)
    keypad.answered()
    keypad.forget()
    assert keypad.pause(3.7) == "The caller pressed 1 on the keypad."


def test_nothing_is_waited_for_unless_the_operator_wants_it() -> None:
    keypad = Keypad(KeypadConfig())
    keypad.expect(1.0)
    keypad.forget()
    assert keypad.next_timer == float("inf")


def test_a_key_that_is_held_for_long_does_not_part_the_entry() -> None:
    keypad = Keypad(KeypadConfig())
    keypad.press("4", 1.0, held=True)
    assert keypad.pause(2.5) is None
    keypad.release(2.5)
    assert keypad.next_timer == 3.2
    keypad.press("2", 3.0)
    assert keypad.pause(3.7) == "The caller pressed 42 on the keypad."
    keypad.release(4.0)
    assert keypad.next_timer == float("inf")


def test_another_agents_rules_are_those_of_the_next_entry() -> None:
    keypad = Keypad(KeypadConfig())
    keypad.press("1", 1.0)
    keypad.follow(KeypadConfig(terminator="*", first_digit_ms=2000))
    assert keypad.press("#", 1.1) == "The caller pressed 1# on the keypad."
    keypad.press("2", 2.0)
    keypad.press("#", 2.1)
    assert keypad.press("*", 2.2) == "The caller pressed 2#* on the keypad."
    keypad.expect(5.0)
    assert keypad.next_timer == 7.0
