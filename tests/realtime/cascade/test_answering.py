"""Which answer is heard, which is held, which wish waits."""

from __future__ import annotations

from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.claude_messages import GO_ON, as_note
from telephony.realtime.events import ResponseFinished, ResponseStarted
from tests.realtime.cascade.driver import Driver


def test_wishes_that_wait_become_one() -> None:
    driver = Driver()
    driver.core.create_response("One.")
    driver.core.create_response("Two.")
    driver.core.create_response("Three.", tool_choice="none")
    driver.drain()
    driver.say_all("Hello.")
    assert driver.last_words() == as_note("Two.\nThree.")
    assert driver.body()["tool_choice"] == {"type": "none"}


def test_a_bare_wish_after_the_bots_own_words_asks_to_go_on() -> None:
    driver = Driver()
    driver.core.create_response("Greet.")
    driver.drain()
    driver.say_all("Hello.")
    driver.core.create_response()
    driver.drain()
    assert driver.last_words() == as_note(GO_ON)


def test_a_wish_can_be_cancelled_before_its_answer_begins() -> None:
    driver = Driver()
    driver.core.create_response("One.")
    driver.core.create_response("Two.")
    driver.core.cancel_response("somebody else's")
    driver.drain()
    assert driver.seen(ResponseFinished) == []
    driver.core.withdraw_response()
    driver.core.cancel_response()
    driver.drain()
    [done] = driver.seen(ResponseFinished)
    assert (done.status, done.reason) == ("cancelled", "client_cancelled")
    driver.core.create_response("Three.")
    driver.core.create_response("Four.")
    driver.core.cancel_response(driver.core.active_response_id)
    driver.drain()
    driver.wait(0.2)
    assert driver.last_words() == as_note("Four.")


def test_a_wish_that_waits_for_a_session_can_be_cancelled() -> None:
    driver = Driver(connect=False)
    driver.core.create_response("One.")
    driver.core.cancel_response()
    driver.core.connection_made(driver.now)
    driver.drain()
    assert driver.all(say.Generate) == []


def test_fillers_wait_for_nothing_while_the_caller_speaks() -> None:
    driver = Driver(fillers=["One moment."])
    driver.turn("Look.")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    driver.speak(ms=700)
    driver.wait(1.0)
    assert driver.all(say.Speak) == []


def test_a_filler_cut_off_is_followed_by_the_prepared_answer() -> None:
    driver = Driver(fillers=["One moment, please."])
    driver.turn("Look.")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    driver.wait(0.8)
    filler_id = driver.utterance()
    driver.core.send_tool_output("t1", "found")
    driver.drain()
    driver.write("It is here. Goodbye.")
    driver.core.cancel_response()
    driver.drain()
    driver.wait(0.2)
    assert driver.all(say.CancelSpeech)[-1].utterance_id == filler_id
    assert driver.text().startswith("It is here.")
    assert len(driver.seen(ResponseStarted)) == 3


def test_a_prepared_answer_outlives_a_lost_connection_as_a_wish() -> None:
    driver = Driver(fillers=["One moment, please."])
    driver.turn("Look.")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    driver.wait(0.8)
    driver.core.send_tool_output("t1", "found")
    driver.drain()
    driver.core.connection_lost(driver.now)
    driver.core.connection_made(driver.now)
    driver.drain()
    assert driver.body()["messages"][-1]["content"][0]["content"] == "found"
    assert len(driver.all(say.Generate)) == 3


def test_an_answer_stands_where_it_was_asked_for() -> None:
    driver = Driver()
    driver.turn("What are your hours?")
    driver.core.add_user_text("The caller pressed 4.")
    driver.drain()
    driver.say_all("Nine to six.")
    assert [item.text for item in driver.core.history] == [
        "What are your hours?",
        "Nine to six.",
        "The caller pressed 4.",
    ]


def test_what_waits_does_not_begin_when_the_caller_has_just_cut_the_bot_off() -> None:
    driver = Driver()
    driver.core.create_response("One.")
    driver.core.create_response("Two.")
    driver.drain()
    driver.write("Hello there. You.")
    driver.core.cancel_response()
    driver.drain()
    driver.speak(ms=300)
    driver.wait(3.0)
    assert len(driver.all(say.Generate)) == 1
