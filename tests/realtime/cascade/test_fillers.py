"""Phrases for the time that tools take."""

from __future__ import annotations

from telephony.realtime.cascade.fillers import Fillers


def test_none_is_said_twice_in_a_row() -> None:
    fillers = Fillers(("A", "B"), 700)
    said = [fillers.next_phrase() for _ in range(5)]
    assert said == ["A", "B", "A", "B", "A"]


def test_a_single_one_waits_until_something_else_was_said() -> None:
    fillers = Fillers(("A",), 700)
    assert fillers.next_phrase() == "A"
    assert fillers.next_phrase() is None
    fillers.answer_said()
    assert fillers.next_phrase() == "A"


def test_the_wait_begins_when_the_bot_falls_silent() -> None:
    fillers = Fillers(("A",), 700)
    fillers.wait_begins(silent_from=12.0, now=10.0)
    assert fillers.timer.due() == 12.7
    fillers.wait_begins(silent_from=0.0, now=10.0)
    assert fillers.timer.due() == 10.7
    fillers.stop()
    assert fillers.timer.due() is None


def test_without_phrases_nothing_is_waited_for() -> None:
    fillers = Fillers((), 700)
    fillers.wait_begins(0.0, 10.0)
    assert fillers.timer.due() is None
    assert fillers.next_phrase() is None
