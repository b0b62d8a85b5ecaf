"""Fragments of transcripts as turns."""

from __future__ import annotations

from telephony.realtime.events import (
    AudioDelta,
    ResponseStarted,
    TranscriptDelta,
    TranscriptFinished,
)
from tests.realtime.live_driver import LiveDriver

WORDS = (TranscriptDelta, TranscriptFinished)


def connected() -> LiveDriver:
    driver = LiveDriver()
    driver.connect()
    driver.events()
    return driver


def test_the_callers_words_are_a_turn_until_there_is_a_gap() -> None:
    driver = connected()
    driver.words("What time ", 100, 300, "input")
    driver.wait(0.2)
    driver.words("is it?", 300, 500, "input")
    first, second = driver.of(*WORDS)
    assert (first.role, first.text, second.text) == ("user", "What time ", "is it?")
    assert first.item_id == second.item_id
    driver.wait(0.79)
    assert driver.of(*WORDS) == []
    driver.wait(0.02)
    assert driver.of(*WORDS) == [TranscriptFinished("user", first.item_id, "What time is it?")]
    assert [(i.role, i.text) for i in driver.model.history] == [("user", "What time is it?")]


def test_a_gap_on_the_timeline_ends_a_turn_too() -> None:
    driver = connected()
    driver.words("Hello?", 100, 300, "input")
    driver.words("Is anybody there?", 1100, 1500, "input")
    first, finished, second = driver.of(*WORDS)
    assert finished == TranscriptFinished("user", first.item_id, "Hello?")
    assert second.item_id != first.item_id


def test_the_models_words_belong_to_the_item_that_is_heard() -> None:
    driver = connected()
    driver.speak(200)
    driver.words("It is ", 0, 200)
    driver.speak(200)
    driver.words("noon.", 200, 400)
    events = driver.of(AudioDelta, *WORDS)
    assert len({event.item_id for event in events}) == 1
    driver.pause(1000)
    [finished] = driver.of(*WORDS)
    assert finished == TranscriptFinished("assistant", events[0].item_id, "It is noon.")
    assert driver.model.history[-1].heard_text == "It is noon."


def test_words_ahead_of_their_sound_get_its_id() -> None:
    driver = connected()
    driver.words("It is ", 0, 200)
    driver.speak(100)
    events = driver.of(AudioDelta, *WORDS)
    assert len({event.item_id for event in events}) == 1
    assert [item.item_id for item in driver.model.history] == [events[0].item_id]


def test_words_behind_their_sound_still_belong_to_it() -> None:
    driver = connected()
    driver.speak(200)
    driver.words("It is ", 0, 200)
    driver.pause(700)
    driver.words("noon.", 200, 400)
    driver.pause(200)
    driver.words(" Right?", 400, 500)
    deltas = driver.of(TranscriptDelta)
    assert len({event.item_id for event in deltas}) == 1
    assert len(driver.model.history) == 1


def test_what_was_cut_off_has_no_whole_transcript() -> None:
    driver = connected()
    driver.speak(400)
    driver.words("We are ", 0, 200)
    driver.model.fence(driver.model.active_response_id)
    driver.speak(200)
    driver.words("open daily.", 200, 400)
    driver.pause(1000)
    assert driver.of(TranscriptFinished) == []
    driver.words("Go ahead.", 1600, 1800)
    driver.speak(200)
    driver.pause(1000)
    [finished] = driver.of(TranscriptFinished)
    assert finished.text == "Go ahead."
    assert finished.item_id == driver.model.history[-1].item_id


def test_a_second_response_ends_the_words_of_the_first() -> None:
    driver = connected()
    driver.speak(200)
    driver.words("One.", 0, 200)
    driver.pause(790)
    driver.words(" So.", 200, 300)
    driver.pause(40)
    driver.speak(200)
    driver.words("Two.", 1000, 1200)
    driver.wait(1)
    finished = driver.of(TranscriptFinished)
    assert [event.text for event in finished] == ["One. So.", "Two."]
    assert len({event.item_id for event in finished}) == 2


def test_a_question_known_late_stands_before_its_answer() -> None:
    driver = connected()
    driver.pause(2000)
    driver.speak(200)
    assert len(driver.of(ResponseStarted)) == 1
    driver.words("What time is it?", 1000, 1500, "input")
    driver.words("Noon.", 2000, 2200)
    assert [i.role for i in driver.model.history] == ["user", "assistant"]
    driver.words("Thanks.", 2400, 2500, "input")
    assert [i.role for i in driver.model.history] == ["user", "assistant", "user"]


def test_a_lost_connection_ends_the_turns() -> None:
    driver = connected()
    driver.words("Hello?", 100, 300, "input")
    driver.speak(100)
    driver.words("Yes?", 400, 500)
    driver.lose()
    assert {e.text for e in driver.of(TranscriptFinished)} == {"Hello?", "Yes?"}
    assert driver.model.next_timer() is None


def test_empty_words_are_no_turn() -> None:
    driver = connected()
    driver.words("", 100, 300, "input")
    driver.words("", 100, 300)
    assert driver.events() == []
    assert driver.model.history == ()
