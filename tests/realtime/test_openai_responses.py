"""Server events about responses, in order and out of it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from telephony.audio.format import L16_24K, PCMU
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    ModelError,
    OutputFormatChanged,
    ResponseFinished,
    ResponseStarted,
    ToolCallRequested,
    TranscriptDelta,
    TranscriptFinished,
    Usage,
)
from telephony.realtime.session_config import SessionConfig
from tests.realtime.driver import Driver, function_call
from tests.realtime.recorded_speech import speech

SPEECH = speech("greeting", PCMU)[4000:]


def connected() -> Driver:
    driver = Driver()
    driver.connect()
    driver.events()
    return driver


def kinds(driver: Driver) -> list[str]:
    return [type(event).__name__ for event in driver.events()]


def test_a_turn_as_the_server_tells_it() -> None:
    driver = connected()
    item = {"id": "item_a1", "type": "message", "role": "assistant", "content": []}
    part: dict[str, Any] = {"response_id": "resp_1", "item_id": "item_a1"}
    place = {"output_index": 0, "content_index": 0}
    driver.response_created()
    driver.say("rate_limits.updated", rate_limits=[])
    driver.say("response.output_item.added", response_id="resp_1", output_index=0, item=item)
    driver.item_added({**item, "status": "in_progress"})
    kind = "response.content_part.added"
    driver.say(kind, **part, **place, part={"type": "audio", "transcript": ""})
    driver.words("Hello ")
    driver.audio(SPEECH[:4800])
    driver.words("there")
    driver.audio(SPEECH[4800:9600])
    driver.audio_done()
    driver.words_done("Hello there.")
    kind = "response.content_part.done"
    driver.say(kind, **part, **place, part={"type": "audio", "transcript": "Hello there."})
    driver.say("conversation.item.done", item=item, previous_item_id=None)
    driver.say("response.output_item.done", response_id="resp_1", output_index=0, item=item)
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    driver.response_done(usage=usage)
    assert driver.events() == [
        ResponseStarted("resp_1"),
        TranscriptDelta("assistant", "item_a1", "Hello "),
        AudioDelta("resp_1", "item_a1", 0, SPEECH[:4800]),
        TranscriptDelta("assistant", "item_a1", "there"),
        AudioDelta("resp_1", "item_a1", 0, SPEECH[4800:9600]),
        AudioFinished("resp_1", "item_a1"),
        TranscriptFinished("assistant", "item_a1", "Hello there."),
        ResponseFinished("resp_1", "completed", usage=Usage(3, 4)),
    ]
    assert [item.text for item in driver.model.history] == ["Hello there."]
    assert driver.model.stats.unknown == 0
    assert driver.model.stats.audio_bytes == 9600


def test_the_names_of_the_beta_protocol_are_read() -> None:
    driver = connected()
    driver.response_created()
    part = {"response_id": "resp_1", "item_id": "item_a1", "content_index": 0}
    audio = b64encode(SPEECH[:4800]).decode()
    driver.raw({"type": "response.audio_transcript.delta", **part, "delta": "Hi"})
    driver.raw({"type": "response.audio.delta", **part, "delta": audio})
    driver.raw({"type": "response.audio.done", **part})
    driver.raw({"type": "response.audio_transcript.done", **part, "transcript": "Hi"})
    assert kinds(driver) == [
        "ResponseStarted",
        "TranscriptDelta",
        "AudioDelta",
        "AudioFinished",
        "TranscriptFinished",
    ]
    part["item_id"] = "item_a2"
    driver.raw({"type": "response.text.delta", **part, "delta": "Hi"})
    driver.raw({"type": "response.text.done", **part, "text": "Hi there"})
    assert driver.events() == [
        TranscriptDelta("assistant", "item_a2", "Hi"),
        TranscriptFinished("assistant", "item_a2", "Hi there"),
    ]


# Fences


def test_what_comes_late_of_a_fenced_response_is_dropped_and_counted() -> None:
    driver = connected()
    driver.response_created()
    driver.audio(SPEECH[:4800])
    driver.events()
    driver.model.fence("resp_1")
    driver.audio(SPEECH[4800:9600])
    driver.words("late")
    driver.words_done("late")
    driver.audio_done()
    assert driver.events() == []
    assert driver.model.stats.fenced_deltas == 1
    driver.response_done(status="cancelled")
    assert kinds(driver) == ["ResponseFinished"]
    # The next response is heard.
    driver.response_created("resp_2")
    driver.audio(SPEECH[:4800], "item_a2", "resp_2")
    assert kinds(driver) == ["ResponseStarted", "AudioDelta"]


def test_what_comes_after_the_end_is_dropped_and_counted() -> None:
    driver = connected()
    driver.response_created()
    driver.response_done()
    driver.events()
    driver.audio(SPEECH[:4800])
    driver.words("late")
    driver.audio_done()
    driver.response_done()
    driver.response_created()
    driver.arguments_done("call_1", "f")
    assert driver.events() == []
    assert driver.model.stats.late_parts == 5
    assert driver.model.active_response_id == ""


def test_late_audio_raises_the_limit_for_truncation() -> None:
    driver = connected()
    driver.response_created()
    driver.audio(SPEECH[:800])
    driver.model.fence("resp_1")
    driver.audio(SPEECH[800:1600])
    driver.model.truncate_item("item_a1", 150)
    (truncate,) = driver.sent()
    assert truncate["audio_end_ms"] == 150


def test_an_item_nobody_heard_is_forgotten_when_its_response_ends() -> None:
    driver = connected()
    driver.response_created()
    driver.audio(SPEECH[:4800], "item_a1")
    driver.model.fence("resp_1")
    driver.model.truncate_item("item_a1", 100)
    driver.audio(SPEECH[:4800], "item_a2")
    driver.words("never heard", "item_a2")
    assert [m["type"] for m in driver.sent()] == ["conversation.item.truncate"]
    driver.response_done(status="cancelled")
    (delete,) = driver.sent()
    assert (delete["type"], delete["item_id"]) == ("conversation.item.delete", "item_a2")
    assert [item.item_id for item in driver.model.history] == ["item_a1"]


def test_the_dropped_end_of_an_item_is_cut_off_when_all_before_was_heard() -> None:
    driver = connected()
    driver.response_created()
    driver.audio(SPEECH[:4800])
    driver.model.fence("resp_1")
    driver.audio(SPEECH[4800:9600])
    assert driver.sent() == []
    driver.response_done(status="cancelled")
    (truncate,) = driver.sent()
    assert (truncate["item_id"], truncate["audio_end_ms"]) == ("item_a1", 600)


def test_a_deleted_item_does_not_come_back_with_late_words() -> None:
    driver = connected()
    driver.response_created()
    driver.audio(SPEECH[:4800])
    driver.model.fence("resp_1")
    driver.model.truncate_item("item_a1", 0)
    driver.audio(SPEECH[4800:9600])
    driver.words_done("never heard")
    item = {"id": "item_a1", "type": "message", "role": "assistant", "content": []}
    driver.say("conversation.item.done", item=item, previous_item_id=None)
    driver.response_done(status="cancelled")
    assert driver.model.history == ()
    assert driver.sent_types() == ["conversation.item.delete"]


def test_text_that_was_asked_for_as_text_is_not_taken_for_unheard_speech() -> None:
    driver = Driver(SessionConfig(output_modalities=("text",)))
    driver.connect()
    driver.response_created()
    driver.say(
        "response.output_text.delta",
        response_id="resp_1",
        item_id="item_a1",
        output_index=0,
        content_index=0,
        delta="hello",
    )
    driver.model.fence("resp_1")
    driver.response_done(status="cancelled")
    assert driver.sent() == []
    assert driver.model.history[0].text == "hello"


# Servers that leave things out


def test_a_response_without_a_beginning_is_begun() -> None:
    driver = connected()
    driver.audio(SPEECH[:4800])
    assert kinds(driver) == ["ResponseStarted", "AudioDelta"]
    driver.response_done()
    driver.response_done("resp_2")
    assert kinds(driver) == ["ResponseFinished", "ResponseStarted", "ResponseFinished"]


def test_a_response_without_an_end_is_ended_by_the_next() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.response_created("resp_2")
    assert driver.events() == [
        ResponseStarted("resp_1"),
        ResponseFinished("resp_1", "failed", "superseded"),
        ResponseStarted("resp_2"),
    ]


def test_the_end_of_a_response_never_heard_of_does_not_end_the_active_one() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.response_done("resp_x")
    assert driver.model.active_response_id == "resp_1"
    started = [event for event in driver.events() if isinstance(event, ResponseStarted)]
    assert [event.out_of_band for event in started] == [False, True]


def test_parts_without_a_response_id_belong_to_the_active_response() -> None:
    driver = connected()
    audio = b64encode(SPEECH[:4800]).decode()
    event = {"type": "response.output_audio.delta", "item_id": "item_a1", "delta": audio}
    driver.raw(event)
    assert driver.events() == []
    driver.response_created()
    driver.raw(event)
    _started, delta = driver.events()
    assert isinstance(delta, AudioDelta)
    assert delta.response_id == "resp_1"


def test_a_repeated_beginning_begins_nothing() -> None:
    driver = connected()
    driver.response_created()
    driver.response_created()
    assert kinds(driver) == ["ResponseStarted"]
    assert driver.model.stats.responses == 1


# Audio that is not what it should be


@pytest.mark.parametrize("delta", [None, 5, "", "A", "not base64!", ["AAAA"], "ÄÖ=="])
def test_bad_audio_is_counted_and_no_more(delta: Any) -> None:
    driver = connected()
    driver.response_created()
    part = {"response_id": "resp_1", "item_id": "item_a1", "content_index": 0}
    driver.raw({"type": "response.output_audio.delta", **part, "delta": delta})
    driver.raw({"type": "response.output_audio.delta", **part})
    driver.raw({"type": "response.output_audio.delta", "delta": "AAAA"})
    assert kinds(driver) == ["ResponseStarted"]
    assert driver.model.stats.bad_audio == (2 if delta == "" else 3)


def test_pcm16_in_place_of_g711_is_announced_before_it_is_passed_on() -> None:
    driver = connected()
    audio = speech("greeting", L16_24K)
    driver.response_created()
    for start in range(0, 96_000, 4800):
        driver.audio(audio[start : start + 4800])
    driver.audio_done()
    events = driver.events()
    assert events[1] == OutputFormatChanged(L16_24K)
    passed = b"".join(event.audio for event in events if isinstance(event, AudioDelta))
    assert passed == audio[:96_000]
    assert driver.model.output_format == L16_24K
    assert driver.model.stats.format_changes == 1
    driver.model.truncate_item("item_a1", 1500)
    (truncate,) = driver.sent()
    assert truncate["audio_end_ms"] == 1500
    assert driver.model.history[0].generated_ms == 2000.0


def test_audio_held_back_is_passed_on_at_the_latest_with_the_end_of_the_response() -> None:
    driver = connected()
    driver.response_created()
    driver.audio(b"\x70" * 100)
    assert kinds(driver) == ["ResponseStarted"]
    driver.response_done()
    assert kinds(driver) == ["AudioDelta", "ResponseFinished"]


# Function calls


def test_a_call_is_reported_once_however_often_it_is_told() -> None:
    driver = connected()
    driver.response_created()
    call = function_call("call_1", "clock", '{"zone":"UTC"}')
    began = {**call, "status": "in_progress", "arguments": ""}
    driver.say("response.output_item.added", response_id="resp_1", output_index=0, item=began)
    driver.item_added(began)
    driver.say(
        "response.function_call_arguments.delta",
        response_id="resp_1",
        item_id="item_call_1",
        output_index=0,
        call_id="call_1",
        delta='{"zone"',
    )
    driver.arguments_done("call_1", "clock", '{"zone":"UTC"}')
    driver.say("response.output_item.done", response_id="resp_1", output_index=0, item=call)
    driver.response_done(output=[call])
    expected = ToolCallRequested("call_1", "clock", '{"zone":"UTC"}', "item_call_1", "resp_1")
    assert driver.events() == [
        ResponseStarted("resp_1"),
        expected,
        ResponseFinished("resp_1", "completed", tool_calls=(expected,)),
    ]
    assert driver.model.stats.tool_calls == 1
    (item,) = driver.model.history
    assert (item.kind, item.text) == ("function_call", '{"zone":"UTC"}')


def test_a_beta_call_takes_its_name_from_the_item() -> None:
    driver = connected()
    driver.response_created()
    began = function_call("call_1", "clock", "", status="in_progress")
    driver.say("response.output_item.added", response_id="resp_1", output_index=0, item=began)
    driver.raw(
        {
            "type": "response.function_call_arguments.done",
            "response_id": "resp_1",
            "item_id": "item_call_1",
            "arguments": "{}",
        }
    )
    assert driver.events()[-1] == ToolCallRequested(
        "call_1", "clock", "{}", "item_call_1", "resp_1"
    )


def test_a_call_that_was_cut_off_is_none() -> None:
    driver = connected()
    driver.response_created()
    cut = function_call("call_1", "clock", '{"zo', status="incomplete")
    driver.say("response.output_item.done", response_id="resp_1", output_index=0, item=cut)
    driver.response_done(status="cancelled", output=[cut])
    assert kinds(driver) == ["ResponseStarted", "ResponseFinished"]


def test_a_call_without_a_name_or_id_is_none() -> None:
    driver = connected()
    driver.response_created()
    driver.raw({"type": "response.function_call_arguments.done", "response_id": "resp_1"})
    items: list[Any] = [{"type": "function_call"}, None, 5, {"type": "function_call", "name": "f"}]
    response = {"id": "resp_1", "status": "completed", "output": items}
    driver.raw({"type": "response.done", "response": response})
    assert kinds(driver) == ["ResponseStarted", "ResponseFinished"]


# Outcomes


def test_a_failed_response_says_why() -> None:
    driver = connected()
    driver.response_created()
    error = {"type": "server_error", "code": "overloaded"}
    driver.response_done(status="failed", status_details={"type": "failed", "error": error})
    assert driver.events()[1:] == [ResponseFinished("resp_1", "failed", "overloaded")]


def test_a_response_that_failed_for_want_of_money_ends_the_session() -> None:
    driver = connected()
    driver.response_created()
    error = {"type": "insufficient_quota", "code": "insufficient_quota"}
    driver.response_done(status="failed", status_details={"type": "failed", "error": error})
    failure = driver.events()[-1]
    assert isinstance(failure, ModelError)
    assert (failure.fatal, failure.retryable) == (True, False)


def test_a_cancelled_response_says_who_cancelled() -> None:
    driver = connected()
    driver.response_created()
    details = {"type": "cancelled", "reason": "turn_detected"}
    driver.response_done(status="cancelled", status_details=details)
    assert driver.events()[-1] == ResponseFinished("resp_1", "cancelled", "turn_detected")


def test_a_call_that_is_named_without_its_item_is_one_item() -> None:
    driver = connected()
    call = function_call("c1", "find", '{"n": 1}')
    driver.response_created()
    driver.say(
        "response.output_item.added",
        response_id="resp_1",
        output_index=0,
        item={**call, "arguments": "", "status": "in_progress"},
    )
    done = {"type": "response.function_call_arguments.done", "call_id": "c1", "name": "find"}
    driver.raw({**done, "arguments": '{"n": 1}'})
    driver.response_done(output=[call])
    (item,) = driver.model.history
    assert (item.item_id, item.call_id, item.text) == ("item_c1", "c1", '{"n": 1}')
    assert len([e for e in driver.events() if isinstance(e, ToolCallRequested)]) == 1


def test_a_call_whose_item_comes_last_is_one_item() -> None:
    driver = connected()
    driver.response_created()
    done = {"type": "response.function_call_arguments.done", "call_id": "c1", "name": "find"}
    driver.raw({**done, "arguments": "{}"})
    driver.response_done(output=[function_call("c1", "find")])
    assert [item.call_id for item in driver.model.history] == ["c1"]
