"""The dialect of Gemini Live: connecting, asking, cancelling, resuming, and the caller's turns."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest

from telephony.audio.format import L16_16K, L16_24K
from telephony.base.errors import LocalProtocolError
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    NO_RESPONSE,
    AudioDelta,
    ItemDeleted,
    ItemTruncated,
    ModelError,
    ResponseFinished,
    ResponseStarted,
    SessionExpiring,
    SessionReady,
)
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_session import GO_ON
from telephony.realtime.history import HistoryItem, carried_over
from tests.realtime.gemini_driver import SECOND, TOOL, Driver, asked, text_turn

MANUAL = GeminiConfig(turn_detection=None)


def test_a_session_begins_with_the_setup_and_is_ready_when_that_is_complete() -> None:
    driver = Driver()
    assert not driver.model.ready
    setup = driver.connect()
    assert setup["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert setup["sessionResumption"] == {}
    assert "historyConfig" not in setup
    assert driver.events() == [SessionReady("s1", "gemini-3.8-live", L16_16K, L16_24K)]
    assert driver.model.ready
    assert (driver.model.input_format, driver.model.output_format) == (L16_16K, L16_24K)
    driver.say(setupComplete={})
    assert driver.events() == []


def test_a_session_that_does_not_get_ready() -> None:
    driver = Driver()
    driver.model.connection_made(driver.now)
    driver.wait(10.0)
    (error,) = driver.of(ModelError)
    assert (error.code, error.fatal, error.retryable) == ("session_not_ready", True, True)


def test_audio_is_appended_as_base64() -> None:
    message = json.loads(Driver().model.append_message(b"\x01\x02\xff\xfe"))
    audio = message["realtimeInput"]["audio"]
    assert audio["mimeType"] == "audio/pcm;rate=16000"
    assert b64decode(audio["data"]) == b"\x01\x02\xff\xfe"


# Asking


def test_instructions_are_asked_as_the_callers_words() -> None:
    driver = Driver()
    driver.model.create_response("Greet.")
    assert driver.sent() == []
    driver.connect()
    assert driver.sent() == [asked("Greet.")]


def test_a_request_waits_for_the_end_of_the_turn_not_of_its_generation() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    driver.model.create_response("Ask again.")
    driver.content(generationComplete=True)
    assert driver.sent() == []
    driver.content(turnComplete=True)
    assert driver.sent() == [asked("Ask again.")]


def test_a_bare_request_is_met_by_a_turn_that_begins() -> None:
    driver = Driver()
    driver.connect()
    driver.model.create_response()
    driver.model.create_response()
    assert driver.sent() == [asked(GO_ON)]
    driver.answer()
    assert driver.sent() == []


def test_texts_go_with_the_request_that_follows_them() -> None:
    driver = Driver()
    driver.connect()
    driver.model.add_user_text("The caller pressed 4.")
    driver.model.add_system_text("It is late.")
    driver.model.create_response()
    parts = [{"text": "The caller pressed 4."}, {"text": "Note: It is late."}]
    turns = [{"role": "user", "parts": parts}]
    assert driver.sent() == [{"clientContent": {"turns": turns, "turnComplete": True}}]


def test_a_text_before_the_first_session_is_told_to_it() -> None:
    driver = Driver()
    driver.model.connection_made(driver.now)
    driver.sent()
    driver.model.add_system_text("It is late.")
    driver.say(setupComplete={})
    turns = [text_turn("Note: It is late.")]
    assert driver.sent() == [{"clientContent": {"turns": turns, "turnComplete": False}}]


def test_a_text_alone_interrupts_nothing() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    driver.model.add_system_text("It is late.")
    assert driver.sent() == []
    driver.content(turnComplete=True)
    turns = [text_turn("Note: It is late.")]
    assert driver.sent() == [{"clientContent": {"turns": turns, "turnComplete": False}}]
    assert driver.sent() == []


def test_a_request_that_is_withdrawn() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    driver.model.create_response("Ask.")
    assert driver.model.withdraw_response()
    assert not driver.model.withdraw_response()
    driver.content(turnComplete=True)
    assert driver.sent() == []


def test_a_request_that_nothing_comes_of_shows_a_mute_model() -> None:
    driver = Driver()
    driver.connect()
    driver.model.create_response("Greet.")
    driver.events()
    driver.wait(10.0)
    (error,) = driver.events()
    assert isinstance(error, ModelError)
    assert (error.code, error.fatal) == (NO_RESPONSE, True)
    assert driver.model.stats.requests_unanswered == 1
    # The next session is asked again.
    driver.sent()
    driver.lose()
    driver.connect()
    assert driver.sent() == [asked("Greet.")]


def test_a_caller_who_speaks_first_is_listened_to_first() -> None:
    driver = Driver()
    driver.connect()
    driver.model.create_response("Greet.")
    for _ in range(4):
        driver.wait(5.0)
        driver.caller_words("and then ")
    assert driver.of(ModelError) == []
    driver.audio(SECOND)
    assert len(driver.of(ResponseStarted)) == 1


def test_a_request_that_the_model_has_nothing_to_say_to() -> None:
    driver = Driver()
    driver.connect()
    driver.model.create_response("Greet.")
    driver.events()
    driver.content(turnComplete=True)
    started, finished = driver.events()
    assert isinstance(started, ResponseStarted)
    assert isinstance(finished, ResponseFinished)
    assert finished.status == "completed"
    assert driver.model.active_response_id == ""


def test_a_bare_request_waits_for_the_models_own_answer() -> None:
    driver = Driver()
    driver.connect()
    driver.caller_words("What are your hours?")
    driver.model.create_response()
    assert driver.sent() == []
    driver.wait(1.0)
    driver.answer()
    assert driver.sent() == []
    driver.caller_words("Are you there?")
    driver.model.create_response()
    driver.wait(2.9)
    assert driver.sent() == []
    driver.wait(0.2)
    assert driver.sent() == [asked(GO_ON)]


# Cancelling


def test_a_cancelled_response_is_fenced_and_cut_off_by_the_next_request() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    (started, first) = driver.of((ResponseStarted, AudioDelta))
    driver.model.cancel_response(started.response_id)
    assert driver.sent() == []
    driver.audio(SECOND)
    assert driver.events() == []
    assert driver.model.stats.fenced_deltas == 1
    driver.model.create_response("Something else.")
    assert driver.sent() == [asked("Something else.")]
    (truncated,) = [e for e in driver.events() if isinstance(e, ItemTruncated)]
    assert (truncated.item_id, truncated.audio_end_ms) == (first.item_id, 1000)
    # The rest of the old turn comes before the server learns of it.
    driver.audio(SECOND)
    driver.words("old")
    assert driver.events() == []
    driver.content(interrupted=True)
    driver.content(turnComplete=True)
    assert driver.events() == []
    driver.audio(SECOND)
    kinds = [type(event) for event in driver.events()]
    assert kinds == [ResponseStarted, AudioDelta]


def test_the_end_of_a_cut_turn_does_not_answer_the_request_that_cut_it() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    driver.model.cancel_response()
    driver.model.create_response("Next.")
    driver.events()
    driver.content(turnComplete=True)
    assert driver.of(ResponseFinished) == []
    driver.answer()
    assert len(driver.of(ResponseFinished)) == 1


def test_a_request_that_cut_a_turn_off_is_still_waited_for() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    driver.model.cancel_response()
    driver.model.create_response("Next.")
    driver.events()
    driver.content(interrupted=True)
    driver.content(turnComplete=True)
    driver.events()
    driver.wait(10.0)
    (error,) = driver.of(ModelError)
    assert error.code == NO_RESPONSE


def test_a_request_is_cancelled_before_its_response_begins() -> None:
    driver = Driver()
    driver.connect()
    driver.model.create_response("Greet.")
    driver.model.cancel_response()
    driver.audio(SECOND)
    assert driver.of(AudioDelta) == []
    assert driver.model.stats.fenced_deltas == 1
    driver.content(turnComplete=True)
    assert [item.kind for item in driver.model.history] == []


def test_a_cancelled_response_that_does_not_end() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    driver.model.cancel_response()
    driver.events()
    driver.wait(5.0)
    (finished,) = driver.of(ResponseFinished)
    assert (finished.status, finished.reason) == ("cancelled", "client_cancelled")
    driver.audio(SECOND)
    assert driver.of(AudioDelta) == []


def test_what_was_heard_is_kept_and_what_was_not_is_forgotten() -> None:
    driver = Driver()
    driver.connect()
    driver.answer("one two three four", SECOND)
    driver.answer("five six seven eight", SECOND)
    first, second = driver.model.history
    driver.events()
    driver.model.truncate_item(first.item_id, 500)
    assert driver.events() == [ItemTruncated(first.item_id, 500, "one two")]
    driver.model.truncate_item(first.item_id, 900)
    driver.model.truncate_item(second.item_id, 1000)
    driver.model.truncate_item("unknown", 10)
    assert driver.events() == []
    driver.model.truncate_item(second.item_id, 0)
    assert driver.events() == [ItemDeleted(second.item_id)]
    driver.model.delete_item(second.item_id)
    assert driver.sent() == []
    assert [item.heard_text for item in driver.model.history] == ["one two"]


# Stalling


def test_a_response_of_which_nothing_comes_any_more() -> None:
    driver = Driver(stall_s=30.0)
    driver.connect()
    driver.audio(SECOND)
    driver.events()
    driver.wait(30.0)
    (finished,) = driver.of(ResponseFinished)
    assert (finished.status, finished.reason) == ("failed", "stalled")


def test_a_model_that_thinks_and_never_speaks() -> None:
    driver = Driver(stall_s=30.0)
    driver.connect()
    driver.content(modelTurn={"parts": [{"text": "Hm.", "thought": True}]})
    driver.events()
    driver.wait(30.0)
    finished, error = driver.events()
    assert (finished.reason, error.code) == (NO_RESPONSE, NO_RESPONSE)


def test_a_long_answer_may_play_for_as_long_as_it_lasts() -> None:
    driver = Driver(stall_s=30.0)
    driver.connect()
    driver.audio(SECOND * 50)
    driver.content(generationComplete=True)
    driver.events()
    driver.wait(55.0)
    assert driver.events() == []
    driver.wait(10.0)
    (finished,) = driver.of(ResponseFinished)
    assert finished.status == "completed"


# Connections


def test_a_session_goes_on_with_its_handle() -> None:
    driver = Driver()
    driver.connect()
    driver.caller_words("Hi.")
    driver.answer("Hello.")
    driver.handle("h1")
    driver.handle("", resumable=False)
    driver.handle("bad", resumable=False)
    driver.lose()
    driver.model.add_system_text("Back again.")
    setup = driver.connect()
    assert setup["sessionResumption"] == {"handle": "h1"}
    assert "historyConfig" not in setup
    turns = [text_turn("Note: Back again.")]
    assert driver.sent() == [{"clientContent": {"turns": turns, "turnComplete": False}}]


def test_what_came_after_the_handle_is_told_again() -> None:
    driver = Driver()
    driver.connect()
    driver.answer("One.")
    driver.handle("h1")
    driver.caller_words("Two?")
    driver.answer("Three.")
    driver.lose()
    driver.connect()
    (message,) = driver.sent()
    turns = [text_turn("Two?"), text_turn("Three.", "model")]
    assert message["clientContent"] == {"turns": turns, "turnComplete": False}


def test_a_handle_that_opens_no_session_is_not_tried_twice() -> None:
    driver = Driver()
    driver.connect()
    driver.answer("One.")
    driver.handle("h1")
    driver.lose()
    driver.model.connection_made(driver.now)
    (setup,) = driver.sent()
    assert setup["setup"]["sessionResumption"] == {"handle": "h1"}
    driver.lose()
    assert driver.connect()["sessionResumption"] == {}
    (message,) = driver.sent()
    assert message["clientContent"]["turns"] == [text_turn("One.", "model")]


def test_a_handle_lives_for_two_hours() -> None:
    driver = Driver()
    driver.connect()
    driver.handle("h1")
    driver.lose()
    driver.wait(7201.0)
    assert driver.connect()["sessionResumption"] == {}


def test_without_a_handle_the_conversation_is_told_first() -> None:
    driver = Driver(GeminiConfig(session_resumption=False))
    driver.connect()
    driver.answer("Hello.")
    driver.caller_words("Hi.")
    driver.lose()
    driver.model.create_response("Greet.")
    setup = driver.connect()
    assert "sessionResumption" not in setup
    assert setup["historyConfig"] == {"initialHistoryInClientContent": True}
    turns = [text_turn("Hello.", "model"), text_turn("Hi.")]
    told = {"clientContent": {"turns": turns, "turnComplete": True}}
    assert driver.sent() == [told, asked("Greet.")]


def test_a_new_session_is_primed_with_the_brief() -> None:
    call = HistoryItem("i1", "function_call", text='{"a":1}', call_id="c1", name="book")
    done = HistoryItem("i2", "function_call_output", text="done", call_id="c1")
    pending = HistoryItem("i3", "function_call", text="{}", call_id="c2", name="look")
    said = HistoryItem("i0", "message", "user", "Book it.")
    driver = Driver(brief=Brief("", (TOOL,), carried_over([said, call, done, pending])))
    driver.connect()
    (told,) = driver.sent()
    texts = [part["text"] for part in told["clientContent"]["turns"][0]["parts"]]
    assert texts == [
        "Book it.",
        'Note: you called book with {"a":1} and it returned: done',
        "Note: you called look with {}; its output is to come.",
    ]
    driver.model.send_tool_output("c2", "found")
    note = "Note: look, which you called before, returned: found"
    assert driver.sent() == [asked(note)]


def test_a_response_ends_with_its_connection() -> None:
    driver = Driver()
    driver.connect()
    driver.audio(SECOND)
    driver.caller_words("x")
    driver.events()
    driver.lose()
    (finished,) = driver.of(ResponseFinished)
    assert (finished.status, finished.reason) == ("failed", "connection_lost")
    assert driver.model.active_response_id == ""
    assert driver.model.next_timer() is None
    assert not driver.model.ready


def test_a_connection_is_renewed_before_its_end() -> None:
    driver = Driver()
    driver.connect()
    driver.events()
    driver.wait(540.0)
    assert driver.events() == [SessionExpiring(540.0)]
    driver.say(goAway={"timeLeft": "9.5s"})
    assert driver.events() == [SessionExpiring(540.0, 9.5)]


# The caller's turns, found by us


def test_turns_are_the_models_unless_detection_is_off() -> None:
    driver = Driver()
    traits = driver.model.traits
    assert (traits.detects_turns, traits.responds_by_itself) == (True, True)
    assert (traits.interrupts_by_itself, traits.marks_turns) == (True, False)
    driver.connect()
    driver.model.begin_input()
    driver.model.commit_input()
    assert driver.sent() == []


def test_our_detector_marks_the_turns() -> None:
    driver = Driver(MANUAL)
    traits = driver.model.traits
    assert (traits.detects_turns, traits.responds_by_itself, traits.marks_turns) == (
        False,
        False,
        True,
    )
    setup = driver.connect()
    detection = setup["realtimeInputConfig"]["automaticActivityDetection"]
    assert detection == {"disabled": True}
    driver.model.begin_input()
    driver.model.begin_input()
    driver.model.append_message(bytes(640))
    driver.model.commit_input()
    driver.model.create_response()
    kinds = [list(message["realtimeInput"]) for message in driver.sent()]
    assert kinds == [["activityStart"], ["activityEnd"]]
    driver.answer()
    assert driver.sent() == []
    assert len(driver.of(ResponseFinished)) == 1


def test_a_turn_begins_before_we_know() -> None:
    driver = Driver(MANUAL)
    driver.connect()
    for index in range(400):
        driver.model.append_message(bytes([index % 256]) * 640)
    driver.model.begin_input()
    start, audio = driver.sent()
    assert start == {"realtimeInput": {"activityStart": {}}}
    again = b64decode(audio["realtimeInput"]["audio"]["data"])
    assert len(again) == L16_16K.frame_bytes(300)
    assert again[-1] == 399 % 256


def test_what_was_said_during_a_reconnect_is_in_the_turn_that_ends() -> None:
    driver = Driver(MANUAL)
    driver.connect()
    for _ in range(50):
        driver.model.append_message(bytes(3840))
    driver.model.commit_input()
    start, audio, end = driver.sent()
    assert len(b64decode(audio["realtimeInput"]["audio"]["data"])) == L16_16K.frame_bytes(6000)
    assert (start, end) == (
        {"realtimeInput": {"activityStart": {}}},
        {"realtimeInput": {"activityEnd": {}}},
    )


def test_without_a_session_no_turn_is_marked() -> None:
    driver = Driver(MANUAL)
    driver.model.begin_input()
    driver.model.commit_input()
    assert driver.sent() == []


# Changes in mid-session


def test_instructions_change_at_once_where_the_model_can() -> None:
    driver = Driver()
    driver.connect()
    driver.model.update_context("Be rude.", ())
    (update,) = driver.sent()
    assert update["contextUpdate"]["systemInstruction"] == {"parts": [{"text": "Be rude."}]}
    older = Driver(GeminiConfig(model="gemini-3.1-flash-live-preview"))
    older.connect()
    older.model.update_context("Be rude.")
    assert older.sent() == []
    older.lose()
    assert older.connect()["systemInstruction"] == {"parts": [{"text": "Be rude."}]}


def test_what_another_session_heard_is_taken_in() -> None:
    driver = Driver()
    driver.connect()
    said = HistoryItem("i0", "message", "user", "Book it.")
    call = HistoryItem("i1", "function_call", text="{}", call_id="c1", name="book")
    done = HistoryItem("i2", "function_call_output", text="done", call_id="c1")
    driver.model.add_items(carried_over([said, call, done]))
    (told,) = driver.sent()
    assert told["clientContent"]["turnComplete"] is False
    assert len(told["clientContent"]["turns"][0]["parts"]) == 2
    with pytest.raises(LocalProtocolError):
        driver.model.send_tool_output("c1", "done")


def test_what_another_session_said_may_still_be_cut_off() -> None:
    said = HistoryItem("i0", "message", "assistant", "one two three four", generated_ms=1000.0)
    driver = Driver(brief=Brief("", (), carried_over([said])))
    driver.model.truncate_item("i0", 500)
    assert driver.events() == [ItemTruncated("i0", 500, "one two")]
