from __future__ import annotations

import base64

import pytest

from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_session import Ending
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from tests.rehearsal.driver import Driver, phrase, scenario

PROMPTS = shipped_prompts()

TURN_WITH_VAD = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "rate_limits.updated",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def test_the_first_event_is_the_session_with_its_defaults():
    driver = Driver()
    session = driver.events[0]["session"]
    assert driver.events[0]["type"] == "session.created"
    assert session["object"] == "realtime.session"
    assert session["model"] == "gpt-realtime-2.1"
    assert session["expires_at"] == 1_700_003_600
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500


def test_update_answers_with_the_whole_session():
    driver = Driver()
    session = driver.last("session.updated")["session"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert session["audio"]["output"]["voice"] == "marin"


def test_the_greeting_is_the_first_response():
    driver = Driver()
    done = driver.greet()
    (item,) = done["response"]["output"]
    assert done["response"]["status"] == "completed"
    assert item["content"] == [{"type": "output_audio", "transcript": PROMPTS["greeting"].text}]
    audio = b"".join(
        base64.b64decode(event["delta"]) for event in driver.of("response.output_audio.delta")
    )
    assert len(audio) / 8 == pytest.approx(PROMPTS["greeting"].duration_ms, abs=1)


@pytest.mark.parametrize("audio", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_a_spoken_turn_has_the_events_of_the_api_in_their_order(audio):
    driver = Driver(audio=audio)
    driver.greet()
    start = len(driver.events)
    driver.say("caller_question")
    driver.advance(10.0)
    assert driver.kinds(driver.events[start:]) == TURN_WITH_VAD
    question, answer = driver.conversation[-2], driver.conversation[-1]
    assert question.text == PROMPTS["caller_question"].text
    assert answer.text.startswith(PROMPTS["opening_hours"].text)


def test_positions_are_on_the_timeline_of_the_received_audio():
    driver = Driver()
    driver.stream(b"\xff" * 8000 * 2)
    driver.say("caller_question")
    started = driver.last("input_audio_buffer.speech_started")
    stopped = driver.last("input_audio_buffer.speech_stopped")
    # Two seconds of silence and the 400 ms before the phrase, less 300 ms of prefix padding.
    assert started["audio_start_ms"] == pytest.approx(2100, abs=120)
    spoken_ms = PROMPTS["caller_question"].duration_ms
    assert stopped["audio_end_ms"] == pytest.approx(2400 + spoken_ms + 500, abs=200)
    assert started["item_id"] == stopped["item_id"] == driver.conversation[0].id


def test_transcription_is_reported_only_when_asked_for():
    driver = Driver()
    driver.say("caller_question")
    assert not driver.of("conversation.item.input_audio_transcription.completed")
    transcription = {"audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}}
    driver = Driver(update=transcription)
    driver.say("caller_question")
    done = driver.last("conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == PROMPTS["caller_question"].text
    assert done["usage"]["type"] == "duration"
    assert done["usage"]["seconds"] == pytest.approx(2.3, abs=0.3)


def test_unknown_speech_is_said_to_be_speech_and_its_length():
    driver = Driver()
    driver.greet()
    driver.say("leave_message")
    (heard,) = [item.text for item in driver.conversation if item.role == "user"]
    length_s = float(heard.removeprefix("[speech, ").removesuffix(" s]"))
    assert length_s == pytest.approx(PROMPTS["leave_message"].duration_ms / 1000, abs=0.4)


def at_speed(played: Scenario, speed: float) -> Scenario:
    return played.model_copy(update={"pace": played.pace.model_copy(update={"speed": speed})})


def test_speech_cancels_the_response():
    driver = Driver(at_speed(shipped_scenario("default"), 1.0))
    driver.send("response.create")
    driver.say("caller_interrupt")
    cancelled = driver.of("response.done")[0]["response"]
    assert cancelled["status"] == "cancelled"
    assert cancelled["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert cancelled["output"][0]["status"] == "incomplete"
    kinds = driver.kinds()
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("response.done")


def test_without_interrupt_response_the_answer_goes_on_and_the_new_one_fails():
    detection = {"type": "server_vad", "interrupt_response": False}
    slow = scenario("  - {when: any, say: opening_hours}\n  - {when: greeting, say: opening_hours}")
    driver = Driver(at_speed(slow, 0.5), update={"audio": {"input": {"turn_detection": detection}}})
    driver.send("response.create")
    driver.say("caller_question")
    assert driver.last("error")["error"]["code"] == "conversation_already_has_active_response"
    assert driver.last("error")["error"]["event_id"] is None
    assert not driver.of("response.done")


def test_without_create_response_the_client_asks_for_the_answer():
    detection = {"type": "server_vad", "create_response": False}
    driver = Driver(update={"audio": {"input": {"turn_detection": detection}}})
    driver.say("caller_goodbye")
    assert not driver.of("response.created")
    driver.send("response.create")
    driver.advance(5.0)
    assert driver.conversation[-1].text == PROMPTS["goodbye"].text


def test_semantic_vad_waits_as_eagerly_as_told():
    stops = []
    for eagerness in ("high", "low"):
        detection = {"type": "semantic_vad", "eagerness": eagerness}
        driver = Driver(update={"audio": {"input": {"turn_detection": detection}}})
        driver.say("caller_question", after_ms=3000)
        stops.append(driver.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"])
    assert stops[1] - stops[0] == pytest.approx(800, abs=60)


def test_manual_turns():
    driver = Driver(update={"audio": {"input": {"turn_detection": None}}})
    driver.stream(phrase("caller_yes", driver.format))
    assert not driver.of("input_audio_buffer.speech_started")
    events = driver.send("input_audio_buffer.commit")
    assert [event["type"] for event in events] == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    driver.send("response.create")
    driver.advance(5.0)
    assert driver.conversation[-1].text == PROMPTS["short_answer"].text


def test_a_response_waits_for_the_ears():
    driver = Driver(update={"audio": {"input": {"turn_detection": None}}}, ears=False)
    driver.append(phrase("caller_yes", driver.format))
    driver.send("input_audio_buffer.commit")
    driver.send("response.create")
    driver.advance(3.0)
    assert driver.kinds()[-1] == "rate_limits.updated"
    (work,) = driver.session.recognitions_to_do()
    driver.session.transcript_ready(work.item_id, "goodbye", driver.now)
    driver.session.transcript_ready(work.item_id, "yes", driver.now)
    driver.advance(5.0)
    assert driver.conversation[-1].text == PROMPTS["goodbye"].text


def test_committing_nothing_is_an_error():
    driver = Driver()
    (error,) = driver.send("input_audio_buffer.commit", event_id="evt_1")
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert error["error"]["event_id"] == "evt_1"


def test_clear_forgets_the_buffer():
    driver = Driver(update={"audio": {"input": {"turn_detection": None}}})
    driver.append(b"\xff" * 8000)
    assert driver.kinds(driver.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert driver.send("input_audio_buffer.commit")[0]["type"] == "error"


def test_second_response_is_refused_but_one_beside_the_conversation_is_not():
    driver = Driver()
    driver.send("response.create")
    (error,) = driver.send("response.create")
    assert error["error"]["code"] == "conversation_already_has_active_response"
    length = len(driver.conversation)
    driver.send(
        "response.create",
        response={
            "conversation": "none",
            "metadata": {"topic": "filler"},
            "instructions": "Say exactly: 'One moment, please.'",
            "output_modalities": ["text"],
            "input": [],
        },
    )
    driver.advance(5.0)
    beside = next(
        event["response"]
        for event in driver.of("response.done")
        if event["response"]["conversation_id"] is None
    )
    assert beside["metadata"] == {"topic": "filler"}
    assert beside["output"][0]["content"] == [
        {"type": "output_text", "text": "One moment, please."}
    ]
    assert len(driver.conversation) == length + 1


def test_cancel():
    driver = Driver()
    driver.send("response.create")
    driver.advance(0.4)
    driver.send("response.cancel")
    done = driver.last("response.done")["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    count = len(driver.events)
    driver.advance(5.0)
    assert len(driver.events) == count
    (error,) = driver.send("response.cancel", event_id="evt_9")
    assert error["error"]["code"] == "response_cancel_not_active"
    assert error["error"]["event_id"] == "evt_9"


def test_cancel_of_another_response_does_not_touch_the_active_one():
    driver = Driver()
    driver.send("response.create")
    (error,) = driver.send("response.cancel", response_id="resp_other")
    assert error["error"]["code"] == "response_cancel_not_active"
    driver.advance(5.0)
    assert driver.last("response.done")["response"]["status"] == "completed"


def test_truncation_leaves_what_was_heard():
    driver = Driver()
    driver.greet()
    item = driver.conversation[0]
    (event,) = driver.send(
        "conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=1200
    )
    assert event["type"] == "conversation.item.truncated"
    assert event["audio_end_ms"] == 1200
    assert item.audio_ms == 1200
    assert PROMPTS["greeting"].text.startswith(item.text)
    assert 0 < len(item.text) < len(PROMPTS["greeting"].text)


def test_truncation_beyond_the_audio_is_an_error():
    driver = Driver()
    driver.greet()
    item = driver.conversation[0]
    (error,) = driver.send(
        "conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=60_000
    )
    assert "is already shorter than 60000ms" in error["error"]["message"]
    assert item.text == PROMPTS["greeting"].text


def test_items_are_retrieved_with_their_audio_and_deleted():
    driver = Driver()
    driver.greet()
    driver.say("caller_yes")
    driver.advance(5.0)
    question = next(item for item in driver.conversation if item.role == "user")
    (event,) = driver.send("conversation.item.retrieve", item_id=question.id)
    audio = base64.b64decode(event["item"]["content"][0]["audio"])
    assert len(audio) / 8 == pytest.approx(question.audio_ms, abs=1)
    (event,) = driver.send("conversation.item.delete", item_id=question.id)
    assert event == {
        "type": "conversation.item.deleted",
        "event_id": event["event_id"],
        "item_id": question.id,
    }
    for verb in ("retrieve", "delete"):
        (error,) = driver.send(f"conversation.item.{verb}", item_id=question.id)
        assert error["error"]["code"] == f"item_{verb}_invalid_item_id"


def test_history_can_be_replayed_into_a_new_session():
    driver = Driver()
    for index, (role, kind, text) in enumerate(
        [("user", "input_text", "Hello"), ("assistant", "output_text", "Hi, how can I help?")]
    ):
        content = [{"type": kind, "text": text}]
        item = {"id": f"old_{index}", "type": "message", "role": role, "content": content}
        events = driver.send("conversation.item.create", item=item)
        assert driver.kinds(events) == ["conversation.item.added", "conversation.item.done"]
    assert events[0]["previous_item_id"] == "old_0"
    question = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": PROMPTS["caller_question"].text}],
    }
    driver.send("conversation.item.create", item=question)
    driver.send("response.create")
    driver.advance(10.0)
    assert driver.conversation[-1].text.startswith(PROMPTS["opening_hours"].text)


TOOLS = [{"type": "function", "name": "hangup", "description": "End the call.", "parameters": {}}]


def test_tool_call_round_trip():
    driver = Driver(update={"tools": TOOLS})
    driver.greet()
    driver.say("caller_goodbye")
    driver.advance(5.0)
    spoken, call = driver.last("response.done")["response"]["output"]
    assert spoken["content"][0]["transcript"] == PROMPTS["goodbye"].text
    assert call["type"] == "function_call"
    assert call["name"] == "hangup"
    assert call["arguments"] == '{"reason": "the caller said goodbye"}'
    done = driver.last("response.function_call_arguments.done")
    assert (done["name"], done["call_id"]) == ("hangup", call["call_id"])
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "ok"}
    driver.send("conversation.item.create", item=output)
    driver.send("response.create")
    driver.advance(2.0)
    assert driver.last("response.done")["response"]["output"] == []


def test_a_tool_that_is_not_offered_is_not_called():
    driver = Driver()
    driver.greet()
    driver.say("caller_goodbye")
    driver.advance(5.0)
    assert len(driver.last("response.done")["response"]["output"]) == 1


def test_output_for_a_call_nobody_made_is_refused():
    driver = Driver()
    item = {"type": "function_call_output", "call_id": "call_0", "output": "x"}
    (error,) = driver.send("conversation.item.create", item=item)
    assert error["error"]["code"] == "invalid_tool_call_id"


def test_the_caller_is_said_back():
    driver = Driver(scenario("  - {when: speech, say: [you_said, echo]}"))
    driver.say("caller_weekend")
    driver.advance(5.0)
    question, answer = driver.conversation[0], driver.conversation[1]
    assert answer.text == f"You said: {PROMPTS['caller_weekend'].text}"
    assert answer.audio_ms == pytest.approx(
        PROMPTS["you_said"].duration_ms + question.audio_ms, abs=2
    )


def test_idle_timeout_commits_the_silence_and_speaks():
    detection = {"type": "server_vad", "idle_timeout_ms": 6000}
    driver = Driver(update={"audio": {"input": {"turn_detection": detection}}})
    driver.greet()
    driver.stream(b"\xff" * 8 * 7000)
    driver.advance(2.0)
    event = driver.last("input_audio_buffer.timeout_triggered")
    assert event["audio_end_ms"] - event["audio_start_ms"] <= 6000
    assert driver.conversation[-2].id == event["item_id"]
    assert driver.conversation[-1].text == PROMPTS["still_there"].text


def test_the_caller_speaking_stops_the_idle_clock():
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    driver = Driver(
        scenario("  - {when: greeting, say: greeting}\n  - {when: speech}"),
        update={"audio": {"input": {"turn_detection": detection}}},
    )
    driver.greet()
    driver.stream(phrase("caller_yes", driver.format) * 4)
    assert not driver.of("input_audio_buffer.timeout_triggered")


def test_a_session_expires():
    driver = Driver(scenario("  - {when: any}", max_session_s=120.0))
    driver.advance(121.0)
    assert driver.last("error")["error"]["code"] == "session_expired"
    assert driver.session.ending == Ending(
        1001, "Your session hit the maximum duration of 2 minutes."
    )
    assert driver.session.next_timer() is None
    assert driver.send("response.create") == []


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_event", None),
        ("[]", "invalid_event", None),
        ('"x"', "invalid_event", None),
        (b"\xff\xfe", "invalid_event", None),
        ('{"type":"no.such.event"}', "invalid_event", "type"),
        ("{}", "invalid_event", "type"),
        ('{"type":"input_audio_buffer.append"}', "invalid_type", "audio"),
        ('{"type":"input_audio_buffer.append","audio":"%%%"}', "invalid_value", "audio"),
        (
            '{"type":"input_audio_buffer.append","audio":"","x":1,"event_id":"e"}',
            "unknown_parameter",
            "x",
        ),
        ('{"type":"response.create","foo":1}', "unknown_parameter", "foo"),
        ('{"type":"conversation.item.delete"}', "missing_required_parameter", "item_id"),
        ('{"type":"conversation.item.delete","item_id":7}', "invalid_type", "item_id"),
    ],
)
def test_wrong_events_become_errors_and_change_nothing(message, code, param):
    driver = Driver()
    (event,) = driver.send_raw(message)
    assert event["type"] == "error"
    assert (event["error"]["code"], event["error"]["param"]) == (code, param)
    assert driver.greet()["response"]["status"] == "completed"


def test_fault_error_at_the_start_closes_the_session():
    faults = ConnectionFaults.model_validate(
        {"error": {"code": "insufficient_quota", "type": "insufficient_quota", "close": True}}
    )
    driver = Driver(faults=faults)
    assert driver.last("error")["error"]["code"] == "insufficient_quota"
    assert driver.session.ending == Ending(1008, "insufficient_quota")


def test_fault_drop_and_stall_and_stop_reading():
    driver = Driver(faults=ConnectionFaults(drop_after_ms=500))
    driver.advance(0.6)
    assert driver.session.ending == Ending(None)
    driver = Driver(faults=ConnectionFaults(drop_after_ms=500, close_code=1011))
    driver.advance(0.6)
    assert driver.session.ending == Ending(1011)
    driver = Driver(faults=ConnectionFaults(stall_after_ms=500))
    driver.advance(0.6)
    assert driver.send("response.create") == []
    assert driver.advance(5.0) == []
    driver = Driver(faults=ConnectionFaults(stop_reading_after_ms=500))
    assert driver.session.reading
    driver.advance(0.6)
    assert not driver.session.reading


def test_fault_wrong_format():
    driver = Driver(faults=ConnectionFaults(output_format="audio/pcm"))
    driver.greet()
    audio = b"".join(
        base64.b64decode(event["delta"]) for event in driver.of("response.output_audio.delta")
    )
    assert len(audio) / 48 == pytest.approx(PROMPTS["greeting"].duration_ms, abs=1)
    assert driver.last("session.updated")["session"]["audio"]["output"]["format"] == {
        "type": "audio/pcmu"
    }


def test_fault_at_a_turn():
    turns = """
  - when: greeting
    say: greeting
  - when: {turn: 1}
    say: short_answer
    faults: {drop_after_ms: 300}
"""
    driver = Driver(scenario(turns))
    driver.greet()
    assert driver.session.ending is None
    driver.say("caller_yes")
    driver.advance(1.0)
    assert driver.session.ending == Ending(None)


def test_a_lost_connection_keeps_the_words_and_forgets_the_sound():
    driver = Driver()
    driver.say("caller_yes")
    driver.session.connection_lost()
    question = driver.conversation[0]
    assert question.text == PROMPTS["caller_yes"].text
    assert question.audio_ms > 1000
    assert question.content[0].audio == b""
    assert driver.session.next_timer() is None
    assert driver.send("response.create") == []
