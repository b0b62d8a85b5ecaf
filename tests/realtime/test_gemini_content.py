"""The model's speech, its ends and the words of both sides."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_24K, AudioFormat
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    ModelInterrupted,
    OutputFormatChanged,
    ResponseFinished,
    ResponseStarted,
    TranscriptDelta,
    TranscriptFinished,
    Usage,
    UsageReported,
)
from tests.realtime.gemini_driver import SECOND, Driver, part

USAGE = {
    "promptTokenCount": 120,
    "responseTokenCount": 50,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 20},
        {"modality": "AUDIO", "tokenCount": 100},
    ],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}],
}
COST = Usage(
    input_tokens=120,
    output_tokens=50,
    input_text_tokens=20,
    input_audio_tokens=100,
    output_audio_tokens=50,
)


def connected() -> Driver:
    driver = Driver()
    driver.connect()
    driver.events()
    return driver


def kinds(driver: Driver) -> list[type]:
    return [type(event) for event in driver.events()]


def test_a_turn_from_its_first_audio_to_its_end() -> None:
    driver = connected()
    driver.audio(b"\1\2" * 10, b"\3\4" * 10)
    started, first, second = driver.events()
    assert driver.model.active_response_id == started.response_id
    assert [first.audio, second.audio] == [b"\1\2" * 10, b"\3\4" * 10]
    assert first.item_id == second.item_id
    driver.words("Hello ")
    driver.words("there.")
    assert [event.text for event in driver.events()] == ["Hello ", "there."]
    driver.content(generationComplete=True)
    audio, text = driver.events()
    assert audio == AudioFinished(started.response_id, first.item_id)
    assert text == TranscriptFinished("assistant", first.item_id, "Hello there.")
    assert driver.model.active_response_id
    driver.content(USAGE, turnComplete=True)
    (finished,) = driver.events()
    assert finished == ResponseFinished(started.response_id, "completed", "", COST)
    assert driver.model.active_response_id == ""


def test_everything_in_one_message() -> None:
    driver = connected()
    driver.content(
        USAGE,
        inputTranscription={"text": "Hi.", "finished": True, "languageCode": "en-US"},
        modelTurn={"role": "model", "parts": [part(SECOND), part(SECOND)]},
        outputTranscription={"text": "Hello."},
        generationComplete=True,
        turnComplete=True,
        interactionStatus="IDLE",
    )
    assert kinds(driver) == [
        TranscriptDelta,
        TranscriptFinished,
        ResponseStarted,
        AudioDelta,
        AudioDelta,
        TranscriptDelta,
        AudioFinished,
        TranscriptFinished,
        ResponseFinished,
    ]
    assert [(item.role, item.text) for item in driver.model.history] == [
        ("user", "Hi."),
        ("assistant", "Hello."),
    ]


def test_snake_case_is_the_same() -> None:
    driver = connected()
    blob = part(SECOND)["inlineData"]
    parts = [{"inline_data": {"mime_type": blob["mimeType"], "data": blob["data"]}}]
    driver.raw({"server_content": {"model_turn": {"parts": parts}}})
    driver.raw(
        {
            "server_content": {"output_transcription": {"text": "Yes."}, "turn_complete": True},
            "usage_metadata": {"prompt_token_count": 7},
        }
    )
    assert kinds(driver)[-1] is ResponseFinished
    assert driver.model.stats.unknown == 0


def test_thoughts_are_not_spoken() -> None:
    driver = connected()
    driver.content(modelTurn={"parts": [{"text": "Let me see.", "thought": True}]})
    assert kinds(driver) == [ResponseStarted]
    driver.content(modelTurn={"parts": [{"text": "It is open."}]})
    assert [event.text for event in driver.events()] == ["It is open."]
    driver.content(turnComplete=True)
    (item,) = driver.model.history
    assert item.text == "It is open."


def test_audio_that_is_none() -> None:
    driver = connected()
    driver.raw({"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": "AAAA"}}]}}})
    driver.audio(SECOND, mime_type="audio/opus")
    driver.audio(SECOND, mime_type="audio/pcm;rate=1")
    blob = {"mimeType": "audio/pcm", "data": "no base64!"}
    driver.raw({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}, 7]}}})
    assert driver.events() == []
    assert driver.model.stats.bad_audio == 4


def test_audio_at_another_rate() -> None:
    driver = connected()
    driver.audio(SECOND, mime_type="audio/pcm;rate=16000")
    _, changed, delta = driver.events()
    assert changed == OutputFormatChanged(AudioFormat("l16", 16000))
    assert len(delta.audio) == len(SECOND)
    driver.lose()
    driver.events()
    driver.connect()
    assert OutputFormatChanged(L16_24K) in driver.events()


def test_a_barge_in_goes_through_interrupted_to_the_end_of_the_turn() -> None:
    driver = connected()
    driver.audio(SECOND)
    started = driver.events()[0]
    driver.content(interrupted=True)
    assert driver.events() == [ModelInterrupted(started.response_id)]
    driver.content(USAGE, turnComplete=True)
    finished = driver.events()[-1]
    assert (finished.status, finished.reason) == ("cancelled", "turn_detected")
    assert finished.usage == COST


def test_an_interruption_may_come_twice_late_and_of_nothing() -> None:
    driver = connected()
    driver.content(interrupted=True)
    assert driver.events() == []
    driver.answer()
    response_id = driver.events()[0].response_id
    driver.content(interrupted=True)
    driver.content(interrupted=True)
    assert driver.events() == [ModelInterrupted(response_id)] * 2
    driver.content(turnComplete=True)
    assert driver.events() == []
    driver.answer()
    assert len(driver.of(ResponseFinished)) == 1


def test_an_interrupted_turn_whose_end_is_never_told() -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.content(interrupted=True)
    driver.events()
    driver.audio(SECOND)
    events = driver.events()
    finished = next(e for e in events if isinstance(e, ResponseFinished))
    assert finished.status == "cancelled"
    assert isinstance(events[-2], ResponseStarted)
    assert isinstance(events[-1], AudioDelta)
    assert events[-2].response_id != finished.response_id
    driver.content(interrupted=True)
    driver.events()
    driver.wait(2.0)
    (finished,) = driver.of(ResponseFinished)
    assert finished.status == "cancelled"


def test_a_request_that_waits_does_not_cut_off_a_turn_that_begins() -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.model.create_response("Ask.")
    driver.content(interrupted=True)
    driver.audio(SECOND)
    assert driver.sent() == []
    driver.content(turnComplete=True)
    assert len(driver.sent()) == 1


def test_a_turn_ends_when_the_model_is_idle() -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.content(turnComplete=True, interactionStatus="IN_PROGRESS")
    assert driver.of(ResponseFinished) == []
    driver.audio(SECOND)
    driver.content(turnComplete=True, interactionStatus="IDLE")
    (finished,) = driver.of(ResponseFinished)
    assert finished.status == "completed"


@pytest.mark.parametrize(
    ("reason", "status", "ours"),
    [
        ("NEED_MORE_INPUT", "completed", ""),
        ("TURN_COMPLETE_REASON_UNSPECIFIED", "completed", ""),
        ("RESPONSE_REJECTED", "incomplete", "response_rejected"),
    ],
)
def test_why_a_turn_ended(reason: str, status: str, ours: str) -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.content(turnComplete=True, turnCompleteReason=reason)
    (finished,) = driver.of(ResponseFinished)
    assert (finished.status, finished.reason) == (status, ours)


def test_a_turn_without_a_word() -> None:
    driver = connected()
    driver.content(generationComplete=True)
    driver.content(turnComplete=True)
    assert driver.events() == []


def test_usage_after_the_turn_is_reported_beside_it() -> None:
    driver = connected()
    driver.answer()
    driver.events()
    driver.say(usageMetadata=USAGE)
    assert driver.events() == [UsageReported(COST)]


def test_fenced_speech_leaves_no_trace() -> None:
    driver = connected()
    driver.content(modelTurn={"parts": [{"text": "Hm.", "thought": True}]})
    driver.model.fence(driver.model.active_response_id)
    driver.events()
    driver.audio(SECOND)
    driver.words("Nobody hears this.")
    driver.content(generationComplete=True)
    assert driver.events() == []
    driver.content(turnComplete=True)
    assert driver.model.history == ()


# Words


def test_the_callers_words_come_before_the_answer_that_began_first() -> None:
    driver = connected()
    driver.caller_words("What are ")
    driver.audio(SECOND)
    driver.caller_words("your hours?")
    assert driver.of(TranscriptFinished) == []
    driver.wait(1.0)
    (finished,) = driver.of(TranscriptFinished)
    assert (finished.role, finished.text) == ("user", "What are your hours?")
    assert [item.role for item in driver.model.history] == ["user", "assistant"]


def test_words_that_all_come_after_the_answer_began() -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.caller_words("Hello?")
    driver.words("Hi.")
    driver.content(turnComplete=True)
    finished = [(e.role, e.text) for e in driver.of(TranscriptFinished)]
    assert finished == [("user", "Hello?"), ("assistant", "Hi.")]
    assert [item.role for item in driver.model.history] == ["user", "assistant"]


def test_words_long_after_the_answer_began_are_the_next_turn() -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.wait(2.0)
    driver.caller_words("Stop.")
    assert [item.role for item in driver.model.history] == ["assistant", "user"]


def test_words_whose_answer_was_deleted() -> None:
    driver = connected()
    driver.audio(SECOND)
    (item,) = driver.model.history
    driver.model.delete_item(item.item_id)
    driver.caller_words("Stop.")
    assert [item.text for item in driver.model.history] == ["Stop."]


def test_the_finished_flag_ends_a_transcript() -> None:
    driver = connected()
    driver.caller_words("One.", finished=True)
    driver.caller_words("Two.", finished=True)
    assert [event.text for event in driver.of(TranscriptFinished)] == ["One.", "Two."]
    driver.content(inputTranscription={"finished": True})
    assert driver.events() == []


def test_words_that_are_none_leave_no_trace() -> None:
    driver = connected()
    driver.caller_words(" ", finished=True)
    driver.caller_words(" Hello. ", finished=True)
    assert [event.text for event in driver.of(TranscriptFinished)] == ["Hello."]
    assert [item.text for item in driver.model.history] == ["Hello."]


def test_interim_words_are_not_told() -> None:
    driver = connected()
    driver.content(interimInputTranscription={"text": "Wha"})
    assert driver.events() == []
    assert driver.model.history == ()


def test_words_of_the_model_that_come_too_late_begin_no_turn() -> None:
    driver = connected()
    driver.answer()
    driver.events()
    driver.words("there")
    assert driver.events() == []
    driver.wait(1.5)
    driver.words("New.")
    assert kinds(driver) == [ResponseStarted, TranscriptDelta]
