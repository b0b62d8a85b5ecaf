"""Reports find the reply that they belong to, or none."""

from __future__ import annotations

from telephony.base.speech import SpeechFailure
from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.model_reports import as_error
from telephony.realtime.events import ModelError, ResponseFinished
from tests.realtime.cascade.driver import Driver


def test_unknown_types_are_counted() -> None:
    driver = Driver()
    driver.core.create_response()
    driver.drain()
    driver.delta({"type": "sparkle"})
    driver.delta({"type": "sparkle"})
    driver.delta([])  # type: ignore[arg-type]
    assert driver.core.stats.unknown_types == {"sparkle": 2}
    assert driver.core.stats.malformed == 1


def test_what_comes_of_a_reply_that_is_over_is_late() -> None:
    driver = Driver()
    driver.core.create_response()
    driver.drain()
    item_id = driver.say_all("Hello.")
    driver.audio(100, item_id)
    driver.spoken(item_id)
    driver.fail(500, "x")
    assert driver.core.stats.late_parts == 2
    assert len(driver.seen(ResponseFinished)) == 1


def test_an_utterance_that_fails_after_its_end_is_only_told() -> None:
    driver = Driver()
    driver.core.create_response()
    driver.drain()
    driver.write("Hello there. You.")
    failure = SpeechFailure("x", "y", fatal=False)
    driver.tell(say.SynthesizerFailed(failure, "another"))
    assert driver.seen(ResponseFinished) == []
    assert driver.last(ModelError).code == "x"


def test_failures_become_errors() -> None:
    failure = SpeechFailure("quota", "empty", fatal=True, retryable=False)
    assert as_error("tts", failure) == ModelError("quota", "tts: empty", True, retryable=False)
