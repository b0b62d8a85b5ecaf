"""The endless stream of the model as responses that begin and end."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_24K, PCMU
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    ItemDeleted,
    ItemTruncated,
    ResponseFinished,
    ResponseStarted,
)
from tests.realtime.live_driver import LiveDriver, silence, sound

RESPONSES = (ResponseStarted, AudioDelta, AudioFinished, ResponseFinished)


def connected(**options: object) -> LiveDriver:
    driver = LiveDriver(**options)  # type: ignore[arg-type]
    driver.connect()
    driver.events()
    return driver


def heard_ms(events: list[object]) -> float:
    return sum(PCMU.duration_ms(len(e.audio)) for e in events if isinstance(e, AudioDelta))


def test_a_talkspurt_is_a_response_with_one_item() -> None:
    driver = connected()
    driver.pause(500)
    assert driver.of(*RESPONSES) == []
    driver.speak(300)
    started, *deltas = driver.of(*RESPONSES)
    assert isinstance(started, ResponseStarted)
    assert driver.model.active_response_id == started.response_id
    assert {type(delta) for delta in deltas} == {AudioDelta}
    assert {delta.response_id for delta in deltas} == {started.response_id}
    driver.pause(1000)
    *silent, audio_finished, finished = driver.of(*RESPONSES)
    assert heard_ms(silent) == 240
    assert audio_finished.item_id == deltas[0].item_id
    assert finished == ResponseFinished(started.response_id, "completed")
    assert driver.model.active_response_id == ""
    [item] = driver.model.history
    assert (item.item_id, item.response_id) == (deltas[0].item_id, started.response_id)
    assert item.generated_ms == 60 + 300 + 240


def test_a_pause_within_a_turn_passes_by_itself() -> None:
    driver = connected()
    driver.speak(200)
    driver.pause(600)
    driver.speak(200)
    events = driver.of(*RESPONSES)
    assert sum(isinstance(e, ResponseStarted) for e in events) == 1
    assert heard_ms(events) == 200 + 240 + 60 + 200


def test_a_longer_pause_begins_a_new_response() -> None:
    driver = connected()
    driver.speak(100)
    driver.pause(800)
    driver.speak(100)
    events = driver.of(ResponseStarted, ResponseFinished)
    assert [type(e) for e in events] == [ResponseStarted, ResponseFinished, ResponseStarted]
    assert events[0].response_id != events[2].response_id


def test_a_server_that_sends_no_silence_is_understood() -> None:
    driver = connected()
    driver.speak(200)
    driver.wait(0.5)
    driver.speak(100)
    assert driver.of(ResponseFinished) == []
    driver.wait(0.79)
    assert driver.of(ResponseFinished) == []
    driver.wait(0.02)
    [finished] = driver.of(ResponseFinished)
    assert finished.status == "completed"
    assert driver.model.next_timer() is None


def test_deltas_of_any_size_are_cut_alike() -> None:
    driver = connected()
    driver.delta(silence(500) + sound(300) + silence(2000) + sound(100))
    events = driver.of(*RESPONSES)
    kinds = [type(e) for e in events if not isinstance(e, AudioDelta)]
    assert kinds == [ResponseStarted, AudioFinished, ResponseFinished, ResponseStarted]
    assert heard_ms(events) == 60 + 300 + 240 + 60 + 100


def test_half_a_sample_waits_for_the_other_half() -> None:
    driver = connected(audio_format=L16_24K)
    audio = sound(200, L16_24K)
    for at in range(0, len(audio), 333):
        driver.delta(audio[at : at + 333])
    heard = b"".join(e.audio for e in driver.of(AudioDelta))
    assert len(heard) >= len(audio) - 334
    assert audio.startswith(heard)


def test_a_fence_mutes_the_model_until_it_pauses() -> None:
    driver = connected()
    driver.speak(200)
    response_id = driver.model.active_response_id
    driver.events()
    driver.model.fence(response_id)
    driver.model.cancel_response(response_id)
    assert driver.model.messages_to_send() == []
    assert driver.model.active_response_id == ""
    assert driver.of(*RESPONSES)[-1].status == "cancelled"
    driver.speak(2000)
    driver.pause(200)
    driver.speak(400)
    assert driver.events() == []
    assert driver.model.stats.fenced_deltas > 100
    driver.pause(240)
    driver.speak(100)
    [started] = driver.of(ResponseStarted)
    assert started.response_id != response_id


def test_a_model_that_stops_sending_is_not_muted_for_ever() -> None:
    driver = connected()
    driver.speak(200)
    driver.model.fence(driver.model.active_response_id)
    driver.wait(1.0)
    driver.events()
    driver.speak(100)
    assert len(driver.of(ResponseStarted)) == 1


@pytest.mark.parametrize("response_id", ["", "resp_unknown"])
def test_a_fence_on_nothing_does_nothing(response_id: str) -> None:
    driver = connected()
    driver.model.fence(response_id)
    driver.speak(100)
    driver.model.fence(response_id)
    driver.speak(100)
    assert len(driver.of(ResponseStarted)) == 1
    assert driver.of(ResponseFinished) == []


def cut(driver: LiveDriver, at_ms: int) -> list[object]:
    """Cut off what is being said, as the bridge does."""
    item_id = driver.model.history[-1].item_id
    driver.model.fence(driver.model.active_response_id)
    driver.model.truncate_item(item_id, at_ms)
    return driver.of(ItemTruncated, ItemDeleted)


def test_the_history_keeps_the_words_that_were_heard() -> None:
    driver = connected()
    driver.pause(1000)
    driver.speak(800)
    for number, word in enumerate(["We ", "are ", "open ", "daily."]):
        driver.words(word, 1000 + 200 * number, 1200 + 200 * number)
    [event] = cut(driver, 60 + 420)
    assert (event.audio_end_ms, event.text) == (480, "We are")
    assert driver.model.history[-1].heard_text == "We are"
    assert driver.model.messages_to_send() == []
    assert driver.model.stats.truncated == 1


def test_the_pauses_that_were_left_out_count_for_the_words() -> None:
    driver = connected()
    driver.speak(400)
    driver.pause(600)
    driver.speak(400)
    for word, start_ms in [("Yes. ", 0), ("I ", 1000), ("do.", 1200)]:
        driver.words(word, start_ms, start_ms + 200)
    # 400 of sound, 240 of silence, 60 before the sound, and half of what follows.
    [event] = cut(driver, 400 + 240 + 60 + 210)
    assert event.text == "Yes. I"


def test_words_that_come_after_the_cut_are_kept_as_far_as_they_were_heard() -> None:
    driver = connected()
    driver.speak(800)
    [event] = cut(driver, 500)
    assert event.text == ""
    for number, word in enumerate(["We ", "are ", "open ", "daily."]):
        driver.words(word, 200 * number, 200 + 200 * number)
    assert driver.model.history[-1].heard_text == "We are"


def test_words_without_times_are_shared_out_by_the_length_of_the_audio() -> None:
    driver = connected()
    driver.speak(1000)
    driver.raw({"type": "session.output_transcript.delta", "delta": "one two three four"})
    [event] = cut(driver, 500)
    assert event.text == "one two"


def test_an_item_of_which_nothing_was_heard_is_forgotten() -> None:
    driver = connected()
    driver.speak(100)
    [event] = cut(driver, 0)
    assert isinstance(event, ItemDeleted)
    assert driver.model.history == ()
    driver.words("Never heard.", 0, 100)
    assert driver.model.history == ()


def test_an_item_that_was_heard_whole_stays_whole() -> None:
    driver = connected()
    driver.speak(100)
    driver.words("Yes.", 0, 100)
    driver.pause(1000)
    item_id = driver.model.history[-1].item_id
    driver.model.truncate_item(item_id, 5000)
    driver.model.truncate_item("unknown", 5)
    assert driver.of(ItemTruncated, ItemDeleted) == []
    assert driver.model.history[-1].heard_text == "Yes."
    driver.model.truncate_item(item_id, 30)
    driver.model.truncate_item(item_id, 200)
    assert [e.audio_end_ms for e in driver.of(ItemTruncated)] == [30]


def test_a_lost_connection_ends_the_response() -> None:
    driver = connected()
    driver.speak(100)
    driver.lose()
    [finished] = driver.of(ResponseFinished)
    assert (finished.status, finished.reason) == ("failed", "connection_lost")
    driver.connect()
    driver.speak(100)
    assert len(driver.of(ResponseStarted)) == 1
