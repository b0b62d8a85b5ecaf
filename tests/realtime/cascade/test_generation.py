"""Requests that fail: tried again while nobody heard anything, and given up in time."""

from __future__ import annotations

import pytest

from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.generation import is_passing
from telephony.realtime.events import NO_RESPONSE, ModelError, ResponseFinished
from tests.realtime.cascade.driver import Driver


def asked(**session: object) -> Driver:
    driver = Driver(**session)
    driver.turn("Hi there.")
    return driver


@pytest.mark.parametrize(
    ("status", "code"),
    [(529, "overloaded_error"), (429, "rate_limit_error"), (500, "api_error"), (0, "broken")],
)
def test_a_passing_failure_is_tried_again(status: int, code: str) -> None:
    driver = asked()
    driver.fail(status, code)
    assert len(driver.all(say.Generate)) == 1
    driver.wait(0.3)
    first, second = driver.all(say.Generate)
    assert first.body == second.body
    assert first.generation_id != second.generation_id
    driver.fail(status, code)
    driver.wait(0.4)
    assert len(driver.all(say.Generate)) == 2
    driver.wait(0.2)
    assert len(driver.all(say.Generate)) == 3
    driver.say_all("Hello.")
    assert driver.last(ResponseFinished).status == "completed"
    assert driver.seen(ModelError) == []
    assert driver.core.cascade_stats.retries == 2


def test_the_servers_wish_is_obeyed_unless_it_takes_too_long() -> None:
    driver = asked()
    driver.fail(429, "rate_limit_error", retry_after_s=2.0)
    driver.wait(1.9)
    assert len(driver.all(say.Generate)) == 1
    driver.wait(0.2)
    assert len(driver.all(say.Generate)) == 2
    driver.fail(429, "rate_limit_error", retry_after_s=30.0)
    assert driver.last(ModelError).code == NO_RESPONSE


def test_after_its_time_the_answer_is_given_up_and_another_connection_may_do_better() -> None:
    driver = asked(llm={"retry_s": 1.0})
    for _ in range(10):
        driver.fail(529, "overloaded_error")
        if driver.seen(ModelError):
            break
        driver.wait(1.0)
    error = driver.last(ModelError)
    assert (error.code, error.fatal, error.retryable) == (NO_RESPONSE, True, True)
    assert "529 overloaded_error" in error.message
    done = driver.last(ResponseFinished)
    assert (done.status, done.reason) == ("failed", NO_RESPONSE)
    assert len(driver.all(say.Generate)) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "authentication_error"),
        (403, "permission_error"),
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
    ],
)
def test_a_lasting_failure_is_fatal_at_once(status: int, code: str) -> None:
    driver = asked()
    driver.fail(status, code)
    error = driver.last(ModelError)
    assert (error.code, error.fatal, error.retryable) == (code, True, False)
    assert driver.core.stats.requests_refused == 1
    driver.wait(10.0)
    assert len(driver.all(say.Generate)) == 1


def test_an_overload_in_the_middle_of_words_that_nobody_heard_is_tried_again() -> None:
    driver = asked()
    driver.write("We are")
    driver.delta({"type": "error", "error": {"type": "overloaded_error", "message": "no"}})
    driver.wait(0.3)
    assert len(driver.all(say.Generate)) == 2
    driver.say_all("We are open.")
    assert driver.text() == "We are open."


def test_an_answer_that_breaks_off_is_said_as_far_as_it_came() -> None:
    driver = asked()
    driver.write("We are open. Until")
    driver.call("t1")
    driver.delta({"type": "error", "error": {"type": "overloaded_error", "message": "no"}})
    assert driver.text() == "We are open. Until"
    driver.audio(900)
    driver.spoken()
    done = driver.last(ResponseFinished)
    assert (done.status, done.reason) == ("incomplete", "overloaded_error")
    assert done.tool_calls == ()
    driver.turn("And?")


def test_a_stalled_stream_is_closed_and_asked_for_again() -> None:
    driver = asked(llm={"stall_s": 3})
    generation_id = driver.generation().generation_id
    driver.wait(3.5)
    assert driver.all(say.CancelGeneration) == [say.CancelGeneration(generation_id)]
    assert len(driver.all(say.Generate)) == 2
    assert driver.core.stats.stalled == 1
    driver.say_all("Hello.")
    driver.wait(60.0)
    assert driver.core.stats.stalled == 1


def test_an_answer_cut_off_is_not_tried_again() -> None:
    driver = asked()
    driver.fail(529, "overloaded_error")
    driver.core.cancel_response()
    driver.drain()
    driver.wait(10.0)
    assert len(driver.all(say.Generate)) == 1


def test_what_is_prepared_fails_in_silence_and_is_asked_for_in_earnest() -> None:
    driver = Driver()
    driver.speak()
    driver.transcript("What are your hours?")
    driver.silence(300)
    driver.fail(401, "authentication_error")
    assert driver.seen(ModelError) == []
    driver.silence(200)
    driver.transcript("What are your hours?", final=True)
    driver.tell(say.TurnFlushed())
    assert driver.last_words() == "What are your hours?"
    driver.fail(401, "authentication_error")
    assert driver.last(ModelError).fatal


@pytest.mark.parametrize(
    ("stop_reason", "status", "reason"),
    [
        ("end_turn", "completed", ""),
        ("stop_sequence", "completed", ""),
        ("max_tokens", "incomplete", "max_output_tokens"),
        ("refusal", "incomplete", "content_filter"),
        ("model_context_window_exceeded", "incomplete", "model_context_window_exceeded"),
        ("something_new", "completed", ""),
    ],
)
def test_how_an_answer_ended(stop_reason: str, status: str, reason: str) -> None:
    driver = asked()
    driver.write("Hello there.")
    driver.end(stop_reason)
    driver.audio(500)
    driver.spoken()
    done = driver.last(ResponseFinished)
    assert (done.status, done.reason) == (status, reason)


def test_an_answer_of_nothing_is_an_answer() -> None:
    driver = asked()
    driver.write()
    driver.end()
    assert driver.last(ResponseFinished).status == "completed"
    driver.turn("Hello?")


def test_passing() -> None:
    assert is_passing(say.GenerationFailed("g", 200, "overloaded_error"))
    assert is_passing(say.GenerationFailed("g", 503, "http_503"))
    assert not is_passing(say.GenerationFailed("g", 402, "billing_error"))
