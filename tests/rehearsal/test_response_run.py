from __future__ import annotations

import base64

import pytest

from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Pace
from tests.rehearsal.driver import Driver, scenario

PROMPTS = shipped_prompts()
GREETING = "  - {when: greeting, say: greeting}\n"
TOOLS = [
    {"type": "function", "name": name, "parameters": {"type": "object"}}
    for name in ("look_up", "hangup")
]


def respond(turns: str, response: dict | None = None, **update) -> dict:
    driver = Driver(scenario(turns), update=update)
    driver.send("response.create", **({"response": response} if response else {}))
    driver.advance(10.0)
    return driver.last("response.done")["response"]


def test_deltas_come_faster_than_they_last():
    pace = Pace(delta_ms=200, speed=4.0, first_delta_ms=500)
    driver = Driver(scenario(GREETING, pace=pace))
    driver.send("response.create")
    counts = []
    for seconds in (0.499, 0.002, 0.05, 0.05, 0.05):
        driver.advance(seconds)
        counts.append(len(driver.of("response.output_audio.delta")))
    assert counts == [0, 1, 2, 3, 4]
    delta = base64.b64decode(driver.last("response.output_audio.delta")["delta"])
    assert len(delta) == 200 * 8


def test_a_stall_of_the_server_is_made_up_for():
    driver = Driver(scenario(GREETING))
    driver.send("response.create")
    driver.now += 60.0
    driver.advance(0.0)
    assert driver.last("response.done")["response"]["status"] == "completed"


def test_the_transcript_deltas_make_the_transcript():
    driver = Driver(scenario(GREETING))
    driver.greet()
    deltas = [event["delta"] for event in driver.of("response.output_audio_transcript.delta")]
    assert "".join(deltas) == PROMPTS["greeting"].text
    done = driver.last("response.output_audio_transcript.done")
    assert done["transcript"] == PROMPTS["greeting"].text


def test_text_only():
    driver = Driver(scenario(GREETING), update={"output_modalities": ["text"]})
    driver.greet()
    assert not driver.of("response.output_audio.delta")
    deltas = [event["delta"] for event in driver.of("response.output_text.delta")]
    assert "".join(deltas) == driver.last("response.output_text.done")["text"]
    assert driver.last("response.content_part.done")["part"]["type"] == "text"


def test_several_calls_after_speech():
    turns = (
        "  - when: greeting\n    say: filler\n"
        "    call: [{name: look_up, arguments: {day: monday}}, {name: hangup}]\n"
    )
    output = respond(turns, tools=TOOLS)["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    assert [item.get("arguments") for item in output] == [None, '{"day": "monday"}', "{}"]
    assert output[1]["call_id"] != output[2]["call_id"]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", ["hangup"]),
        ("none", []),
        ("required", ["hangup"]),
        ({"type": "function", "name": "look_up"}, ["look_up"]),
        ({"type": "function", "name": "not_offered"}, []),
    ],
)
def test_tool_choice(choice, called):
    turns = "  - {when: greeting, call: {name: hangup}}\n"
    output = respond(turns, {"tool_choice": choice}, tools=TOOLS)["output"]
    assert [item["name"] for item in output] == called


def test_required_calls_something():
    output = respond(GREETING, {"tool_choice": "required"}, tools=TOOLS)["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]


def test_the_token_limit_makes_it_incomplete():
    response = respond(GREETING, max_output_tokens=10)
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"


def test_usage_counts_audio():
    usage = respond(GREETING, instructions="x" * 400)["usage"]
    assert usage["input_token_details"]["text_tokens"] == 100
    spoken = PROMPTS["greeting"].duration_ms / 50
    assert usage["output_token_details"]["audio_tokens"] == pytest.approx(spoken, abs=1)


def test_a_response_of_another_format_and_voice():
    driver = Driver(scenario(GREETING))
    output = {"format": {"type": "audio/pcma"}, "voice": "cedar"}
    driver.send("response.create", response={"audio": {"output": output}})
    driver.advance(5.0)
    assert driver.last("response.done")["response"]["audio"]["output"] == output


def test_cancelled_before_anything_was_said():
    driver = Driver(scenario(GREETING))
    driver.send("response.create")
    driver.send("response.cancel")
    done = driver.last("response.done")["response"]
    assert (done["status"], done["output"]) == ("cancelled", [])
    assert driver.advance(5.0) == []


def test_cancelled_in_a_function_call():
    turns = "  - {when: greeting, call: {name: hangup, arguments: {reason: a long reason}}}\n"
    driver = Driver(scenario(turns), update={"tools": TOOLS})
    driver.send("response.create")
    driver.advance(0.121)
    assert driver.of("response.function_call_arguments.delta")
    driver.send("response.cancel")
    (call,) = driver.last("response.done")["response"]["output"]
    assert call["status"] == "incomplete"


def test_truncated_while_it_is_spoken():
    driver = Driver(scenario("  - {when: greeting, say: opening_hours}\n"))
    driver.send("response.create")
    driver.advance(0.2)
    item = driver.conversation[0]
    end_ms = round(item.audio_ms / 2)
    driver.send("conversation.item.truncate", item_id=item.id, content_index=0, audio_end_ms=end_ms)
    driver.advance(5.0)
    assert item.audio_ms == end_ms


def test_deleted_while_it_is_spoken():
    driver = Driver(scenario(GREETING))
    driver.send("response.create")
    driver.advance(0.2)
    driver.send("conversation.item.delete", item_id=driver.conversation[0].id)
    driver.advance(5.0)
    assert driver.last("response.done")["response"]["status"] == "completed"
    assert len(driver.conversation) == 0


def test_the_voice_is_fixed_once_heard():
    driver = Driver(scenario(GREETING))
    driver.greet()
    voice = {"type": "realtime", "audio": {"output": {"voice": "ash"}}}
    (error,) = driver.send("session.update", session=voice)
    assert error["error"]["code"] == "cannot_update_voice"
