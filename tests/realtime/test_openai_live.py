"""The dialect of OpenAI Live: sessions, commands, what it is told and when."""

from __future__ import annotations

import base64
import json

import pytest

from telephony.audio.format import L16_24K, PCMU
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, Dialect
from telephony.realtime.events import (
    ModelError,
    SessionReady,
    ToolCallRequested,
)
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.history import HistoryItem, carried_over
from telephony.realtime.openai_live import GO_ON, RESPOND, SPEAK, OpenAILive
from telephony.realtime.openai_live_config import LiveConfig
from tests.realtime.live_driver import LiveDriver, assert_client_event


def connected(**options: object) -> LiveDriver:
    driver = LiveDriver(**options)  # type: ignore[arg-type]
    driver.connect()
    driver.events()
    return driver


def test_it_is_a_dialect() -> None:
    dialect: Dialect = OpenAILive(LiveConfig(), Ids.seeded(1), PCMU, Brief())
    assert dialect.traits.detects_turns
    assert dialect.traits.responds_by_itself
    assert dialect.traits.interrupts_by_itself
    assert dialect.traits.prebuffer_ms == 80
    assert dialect.history == ()


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/live/sessions"),
        ("wss://x.openai.azure.com/openai/v1/", "wss://x.openai.azure.com/openai/v1/live/sessions"),
        ("ws://localhost:8/v1/live/sessions", "ws://localhost:8/v1/live/sessions"),
    ],
)
def test_urls(base_url: str, url: str) -> None:
    assert LiveDriver().model.url(base_url) == url


@pytest.mark.parametrize("base_url", ["ftp://x/v1", "api.openai.com", ""])
def test_urls_that_are_none(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        LiveDriver().model.url(base_url)


def test_keys_go_where_each_server_wants_them() -> None:
    assert LiveDriver().model.request_headers("k") == {"Authorization": "Bearer k"}
    assert LiveDriver(api_key_header="api-key").model.request_headers("k") == {"api-key": "k"}
    assert LiveDriver().model.request_headers("") == {}


def test_nothing_is_sent_before_the_session_has_started() -> None:
    driver = LiveDriver(brief=Brief("Be kind."))
    driver.model.create_response("Greet.")
    session = driver.begin()
    assert session == {
        "model": "gpt-live-1.1",
        "instructions": "Be kind.",
        "audio": {
            "format": {"type": "audio/pcmu", "rate": 8000},
            "output": {"voice": "marin"},
        },
        "delegation": {"type": "client"},
        "store": False,
    }
    assert not driver.model.ready
    driver.model.create_response("Say the time.")
    driver.model.add_system_text("It is noon.")
    driver.model.add_user_text("The caller pressed 1.")
    driver.model.mute_input(True)
    assert driver.sent() == []
    driver.started()
    assert driver.model.ready
    assert driver.told() == [
        ("commentary", SPEAK + "Greet.", None),
        ("commentary", SPEAK + "Say the time.", None),
        ("instructions", "It is noon.", None),
        ("thinking", "The caller pressed 1.", None),
    ]


def test_a_session_that_started_is_ready_once() -> None:
    driver = LiveDriver()
    driver.begin()
    driver.started()
    driver.started()
    [ready] = driver.of(SessionReady)
    assert ready == SessionReady("live_1", "gpt-live-1.1", PCMU, PCMU, 1756324625)
    assert driver.model.stats.late_parts == 1
    message = assert_client_event(driver.model.append_message(b"abc"))
    assert base64.b64decode(message["audio"]) == b"abc"


def test_the_format_the_server_confirms_counts() -> None:
    driver = LiveDriver()
    driver.connect(audio={"format": {"type": "audio/pcm", "rate": 24000}})
    [ready] = driver.of(SessionReady)
    assert ready.output_format == driver.model.input_format == L16_24K


def test_a_session_that_never_starts_is_given_up() -> None:
    driver = LiveDriver()
    driver.begin()
    driver.wait(11)
    [error] = driver.of(ModelError)
    assert (error.code, error.fatal, error.retryable) == ("session_not_ready", True, True)


def test_what_was_said_before_goes_with_the_start() -> None:
    history = (
        HistoryItem("a", "message", "user", "Hello?"),
        HistoryItem("b", "message", "assistant", "Good morning."),
    )
    session = LiveDriver(brief=Brief("", (), history)).begin()
    assert [m["role"] for m in session["input"]] == ["user", "assistant"]


def test_a_new_session_goes_on_where_the_old_one_was() -> None:
    driver = connected()
    driver.words("Hello?", 0, 100, "input")
    driver.speak(400)
    driver.words("Good ", 200, 400)
    driver.words("morning.", 400, 600)
    item_id = driver.model.history[-1].item_id
    driver.model.fence(driver.model.active_response_id)
    driver.model.truncate_item(item_id, 250)
    driver.lose()
    driver.model.add_system_text("The caller is back.")
    driver.model.add_user_text("The caller pressed 7.")
    session = driver.begin()
    assert [m["content"][0]["text"] for m in session["input"]] == [
        "Hello?",
        "Good",
        "The caller is back.",
        "The caller pressed 7.",
    ]
    driver.started()
    assert driver.told() == []
    # Another model is given the same.
    assert [item.text for item in carried_over(driver.model.history)][:2] == ["Hello?", "Good"]


def test_requests_to_speak() -> None:
    driver = connected()
    driver.model.create_response()
    driver.model.create_response("Say yes.", tool_choice="none", out_of_band=True)
    assert driver.told() == [
        ("commentary", RESPOND, None),
        ("commentary", SPEAK + "Say yes.", None),
    ]
    driver.speak(100)
    driver.model.fence(driver.model.active_response_id)
    driver.model.create_response()
    driver.pause(1000)
    driver.speak(100)
    driver.model.create_response()
    assert [text for _, text, _ in driver.told()] == [GO_ON, RESPOND]


def test_long_instructions_are_sent_in_pieces() -> None:
    driver = connected()
    driver.model.add_system_text("The shop is open from nine to five. " * 60)
    told = driver.told()
    assert len(told) > 1
    assert {kind for kind, _, _ in told} == {"instructions"}


def test_requests_that_wait_can_be_withdrawn() -> None:
    driver = LiveDriver()
    driver.begin()
    driver.model.create_response("Greet.")
    driver.model.add_system_text("It is noon.")
    assert driver.model.withdraw_response()
    assert not driver.model.withdraw_response()
    driver.model.create_response("Greet.")
    driver.model.cancel_response()
    driver.started()
    assert driver.told() == [("instructions", "It is noon.", None)]
    assert not driver.model.withdraw_response()


def test_commands_the_model_has_no_word_for() -> None:
    driver = connected()
    driver.model.commit_input()
    driver.model.cancel_response()
    driver.model.cancel_response("resp_x")
    driver.model.truncate_item("item_x", 100)
    driver.model.delete_item("item_x")
    driver.model.answer_approval("appr_x", True)
    assert driver.sent() == []
    assert driver.events() == []


def test_the_input_can_be_muted() -> None:
    driver = connected()
    driver.model.mute_input(True)
    driver.model.mute_input(False)
    kinds = ["session.input_audio.mute", "session.input_audio.unmute"]
    assert [m["type"] for m in driver.sent()] == kinds
    driver.say("session.input_audio.muted")
    driver.say("session.input_audio.unmuted")
    assert driver.events() == []


def test_goodbye_closes_the_session_if_there_is_one() -> None:
    driver = LiveDriver()
    assert driver.model.goodbye_messages() == []
    driver.begin()
    assert driver.model.goodbye_messages() == []
    driver.started()
    # We let go of the connection first, and close it then.
    driver.lose()
    [message] = driver.model.goodbye_messages()
    assert assert_client_event(message) == {"type": "session.close"}
    driver.begin()
    assert driver.model.goodbye_messages() == []
    driver.started()
    ended = {"session": driver.described(), "usage": {"seconds": 1.0}}
    driver.say("session.closed", reason="expired", **ended)
    assert driver.model.goodbye_messages() == []


# Switching


def test_a_call_that_another_model_made_is_answered_in_words() -> None:
    history = (HistoryItem("a", "function_call", text="{}", call_id="c1", name="hours"),)
    driver = LiveDriver(brief=Brief("", (FunctionTool(name="hours"),), history))
    session = driver.begin()
    assert "hours" in session["input"][0]["content"][0]["text"]
    driver.started()
    driver.model.send_tool_output("c1", "nine to five")
    text = "What the tool hours returned: nine to five"
    assert driver.told() == [("commentary", text, None)]
    with pytest.raises(LocalProtocolError):
        driver.model.send_tool_output("c1", "again")


def test_a_call_of_ours_goes_with_the_conversation_to_another_model() -> None:
    driver = connected()
    driver.words("What time is it?", 0, 100, "input")
    driver.delegate()
    [call] = driver.of(ToolCallRequested)
    assert json.loads(call.arguments)["conversation"] == [
        {"role": "user", "text": "What time is it?"}
    ]
    kept = carried_over(driver.model.history)
    assert [(i.kind, i.call_id) for i in kept] == [("message", ""), ("function_call", "del_1")]


def test_what_came_about_in_another_session_is_told() -> None:
    call = HistoryItem("c", "function_call", text="{}", call_id="c1", name="hours")
    news = (HistoryItem("a", "message", "user", "Hello?"), call)
    driver = LiveDriver()
    driver.begin()
    driver.model.add_items(news)
    driver.started()
    [(kind, text, _)] = driver.told()
    assert kind == "thinking"
    assert "The caller said: Hello?" in text
    assert [item.item_id for item in driver.model.history] == ["a", "c"]
    output = HistoryItem("o", "function_call_output", text="nine", call_id="c1")
    driver.model.add_items((output,))
    assert "A tool returned: nine" in driver.told()[0][1]
    with pytest.raises(LocalProtocolError):
        driver.model.send_tool_output("c1", "again")
    driver.model.add_items(())
    assert driver.told() == []


def test_what_still_played_of_an_earlier_session_can_be_cut_off() -> None:
    old = connected()
    old.speak(1000)
    old.words("one two three four", 0, 1000)
    driver = LiveDriver(brief=Brief("", (), carried_over(old.model.history)))
    driver.connect()
    [item] = driver.model.history
    driver.model.truncate_item(item.item_id, 1000)
    assert item.heard_text == "one two three four"
    driver.model.truncate_item(item.item_id, 500)
    assert item.heard_text == "one two"
    driver.model.truncate_item(item.item_id, 0)
    assert driver.model.history == ()
