"""Messages of a Gemini server: what is told of the session, and function calls."""

from __future__ import annotations

import json

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.realtime.events import (
    ResponseFinished,
    ResponseStarted,
    SessionExpiring,
    SpeechStarted,
    SpeechStopped,
    ToolCallRequested,
    ToolCallsCancelled,
)
from telephony.realtime.gemini_config import GeminiConfig
from tests.realtime.gemini_driver import SECOND, Driver, text_turn

BLOCKING = GeminiConfig(functions="blocking")


def connected(config: GeminiConfig | None = None) -> Driver:
    driver = Driver(config)
    driver.connect()
    driver.events()
    return driver


def outputs(driver: Driver) -> list[dict]:
    return [r for message in driver.sent() for r in message["toolResponse"]["functionResponses"]]


def test_text_and_binary_frames_are_read_alike() -> None:
    driver = connected()
    message = json.dumps({"goAway": {"timeLeft": "10s"}})
    for frame in (message, message.encode(), bytearray(message.encode())):
        driver.model.receive_message(frame, driver.now)
    assert driver.events() == [SessionExpiring(0.0, 10.0)] * 3


@pytest.mark.parametrize("garbage", ["", "[]", "7", "{", b"\xff\xfe", '{"setupComplete"', "null"])
def test_garbage_is_counted(garbage: str | bytes) -> None:
    driver = connected()
    driver.model.receive_message(garbage, driver.now)
    assert driver.events() == []
    assert driver.model.stats.malformed == 1


def test_what_is_unknown_is_counted_by_its_name() -> None:
    driver = connected()
    driver.raw({"brandNew": {}, "serverContent": 7})
    assert driver.model.stats.unknown_types == {"brandNew": 1}
    assert driver.model.stats.malformed == 1


def test_voice_activity() -> None:
    driver = connected()
    driver.say(voiceActivity={"voiceActivityType": "ACTIVITY_START", "audioOffset": "1.5s"})
    driver.say(voiceActivity={"voiceActivityType": "ACTIVITY_END", "audioOffset": "2.25s"})
    driver.say(voiceActivityDetectionSignal={"vadSignalType": "VAD_SIGNAL_TYPE_SOS"})
    assert driver.events() == [SpeechStarted("", 1500), SpeechStopped("", 2250)]


def test_a_call_ends_its_response() -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.call(("c1", "book"), ("c2", "book"))
    events = driver.events()
    calls = [event for event in events if isinstance(event, ToolCallRequested)]
    assert [(c.call_id, c.name, c.arguments) for c in calls] == [
        ("c1", "book", '{"for_whom":"Ann"}'),
        ("c2", "book", '{"for_whom":"Ann"}'),
    ]
    finished = events[-1]
    assert isinstance(finished, ResponseFinished)
    assert finished.tool_calls == tuple(calls)
    # What follows in the same turn is a response of its own, and a call that is repeated none.
    driver.call(("c1", "book"))
    assert driver.events() == []
    driver.audio(SECOND)
    driver.content(turnComplete=True)
    events = driver.events()
    assert isinstance(events[0], ResponseStarted)
    assert events[0].response_id != finished.response_id
    assert isinstance(events[-1], ResponseFinished)


def test_calls_without_an_id_or_a_name_are_none() -> None:
    driver = connected()
    driver.raw({"toolCall": {"functionCalls": [{"name": "f"}, {"id": "c"}, 7, {"id": 1}]}})
    driver.raw({"toolCall": {"functionCalls": "x"}})
    assert driver.events() == []


def test_the_model_speaks_after_the_last_output() -> None:
    driver = connected()
    driver.call(("c1", "book"), ("c2", "book"))
    driver.model.send_tool_output("c1", "yes")
    driver.model.send_tool_output("c2", '{"seats": 4}', respond=False)
    first, second = outputs(driver)
    assert first == {
        "id": "c1",
        "name": "book",
        "response": {"output": "yes"},
        "scheduling": "SILENT",
    }
    assert second["response"] == {"output": {"seats": 4}}
    assert second["scheduling"] == "WHEN_IDLE"


def test_an_output_that_is_not_to_be_spoken_about() -> None:
    driver = connected(GeminiConfig(scheduling="interrupt"))
    driver.call(("c1", "book"))
    driver.call(("c2", "book"))
    driver.model.send_tool_output("c1", '{"error": "full"}', respond=False)
    driver.model.send_tool_output("c2", "yes")
    first, second = outputs(driver)
    assert (first["response"], first["scheduling"]) == ({"error": "full"}, "SILENT")
    assert second["scheduling"] == "INTERRUPT"


def test_outputs_that_the_model_waits_for_go_together() -> None:
    driver = connected(BLOCKING)
    driver.call(("c1", "book"), ("c2", "book"))
    driver.model.send_tool_output("c2", "two")
    assert driver.sent() == []
    driver.model.send_tool_output("c1", "one")
    (message,) = driver.sent()
    responses = message["toolResponse"]["functionResponses"]
    assert [response["id"] for response in responses] == ["c2", "c1"]
    assert all("scheduling" not in response for response in responses)


def test_nothing_is_sent_for_a_call_that_was_cancelled() -> None:
    driver = connected(BLOCKING)
    driver.call(("c1", "book"), ("c2", "book"))
    driver.model.send_tool_output("c2", "two")
    driver.events()
    driver.say(toolCallCancellation={"ids": ["c1", "unknown"]})
    assert driver.events() == [ToolCallsCancelled(("c1",))]
    # Nor is it carried over to a session that would wait for it.
    assert "c1" not in [item.call_id for item in driver.model.history]
    assert [response["id"] for response in outputs(driver)] == ["c2"]
    driver.model.send_tool_output("c1", "one")
    assert driver.sent() == []
    driver.say(toolCallCancellation={"ids": ["c1"]})
    assert driver.events() == []


def test_an_output_is_given_once() -> None:
    driver = connected()
    driver.call(("c1", "book"))
    driver.model.send_tool_output("c1", "yes")
    for call_id in ("c1", "unknown"):
        with pytest.raises(LocalProtocolError):
            driver.model.send_tool_output(call_id, "yes")


def test_nothing_that_waits_cuts_off_a_turn_that_calls() -> None:
    driver = connected()
    driver.audio(SECOND)
    driver.model.create_response("Ask.")
    driver.model.add_system_text("It is late.")
    driver.call(("c1", "book"))
    driver.model.send_tool_output("c1", "yes")
    assert len(outputs(driver)) == 1
    driver.content(turnComplete=True)
    (asked,) = driver.sent()
    parts = asked["clientContent"]["turns"][0]["parts"]
    assert [part["text"] for part in parts] == ["Note: It is late."]
    assert asked["clientContent"]["turns"][1] == text_turn("Ask.")


def test_an_output_for_a_call_of_the_connection_before_is_told_as_text() -> None:
    driver = connected()
    driver.handle("h1")
    driver.call(("c1", "book"))
    driver.lose()
    driver.model.send_tool_output("c1", "yes")
    driver.connect()
    (told,) = driver.sent()
    content = told["clientContent"]
    note = 'Note: you called book with {"for_whom":"Ann"} and it returned: yes'
    assert content["turns"][0]["parts"][0] == {"text": note}
    assert content["turnComplete"] is True
