"""The commands, and the life of a connection."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from telephony.audio.format import L16_16K, L16_24K, PCMA
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.realtime.events import (
    NO_RESPONSE,
    ModelError,
    ResponseFinished,
    ResponseStarted,
    SessionExpiring,
    SessionReady,
)
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig
from tests.realtime.driver import Driver, assert_client_event, function_call

SPEECH = bytes(range(0x60, 0x70)) * 10  # 20 ms that no one takes for PCM16


def connected(**config: Any) -> Driver:
    driver = Driver(SessionConfig.from_mapping(config))
    assert driver.connect() == []
    assert [type(event) for event in driver.events()] == [SessionReady]
    return driver


def speaking(driver: Driver, response_id: str = "resp_1", item_id: str = "item_a1") -> None:
    """Let the model have said 200 ms, "one two three four"."""
    driver.response_created(response_id)
    for _ in range(10):
        driver.audio(SPEECH, item_id, response_id)
    driver.words("one two three four", item_id, response_id)
    driver.events()
    driver.sent()


# Where and how to connect


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
        ("wss://api.openai.com/v1/", "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
        ("http://127.0.0.1:9/v1", "ws://127.0.0.1:9/v1/realtime?model=gpt-realtime-2.1"),
        ("ws://h/v1/realtime", "ws://h/v1/realtime?model=gpt-realtime-2.1"),
        ("ws://h/x?a=b&model=other", "ws://h/x/realtime?a=b&model=other"),
    ],
)
def test_the_url_is_made_of_any_base(base_url: str, url: str) -> None:
    assert Driver().model.url(base_url) == url


@pytest.mark.parametrize("base_url", ["", "api.openai.com", "ftp://h/", "wss://"])
def test_a_base_that_is_no_url_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Driver().model.url(base_url)


def test_a_model_name_is_quoted() -> None:
    driver = Driver(SessionConfig(model="my model&x=1"))
    assert driver.model.url("ws://h").endswith("?model=my+model%26x%3D1")


def test_headers_hold_what_was_given_and_no_beta_switch() -> None:
    driver = Driver(SessionConfig(safety_identifier="abc"))
    assert driver.model.request_headers("sk-1") == {
        "Authorization": "Bearer sk-1",
        "OpenAI-Safety-Identifier": "abc",
    }
    assert Driver().model.request_headers("") == {}
    driver = Driver(SessionConfig(organization="o", project="p"))
    assert driver.model.request_headers("k") == {
        "Authorization": "Bearer k",
        "OpenAI-Organization": "o",
        "OpenAI-Project": "p",
    }


def test_a_format_the_wire_lacks_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="16000"):
        OpenAIRealtime(SessionConfig(), Ids.seeded(1), L16_16K, L16_16K)


# The connection


def test_a_session_is_configured_and_then_ready() -> None:
    driver = Driver(input_format=PCMA, output_format=L16_24K)
    driver.model.connection_made(0.0)
    (update,) = driver.sent()
    audio = update["session"]["audio"]
    assert audio["input"]["format"] == {"type": "audio/pcma"}
    assert audio["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    driver.session("session.created")
    assert driver.events() == []
    assert not driver.model.ready
    driver.session("session.updated")
    assert driver.events() == [
        SessionReady("sess_1", "gpt-realtime-2.1", PCMA, L16_24K, 1756324625)
    ]
    assert driver.model.ready
    driver.session("session.updated")
    assert driver.events() == []


def test_a_session_that_is_never_accepted_is_given_up() -> None:
    driver = Driver()
    driver.model.connection_made(driver.now)
    driver.wait(9.9)
    assert driver.events() == []
    driver.wait(0.2)
    (error,) = driver.events()
    assert isinstance(error, ModelError)
    assert (error.code, error.fatal, error.retryable) == ("session_not_ready", True, True)


def test_a_refused_configuration_is_fatal_and_not_worth_a_retry() -> None:
    driver = Driver()
    driver.model.connection_made(driver.now)
    (update,) = driver.sent()
    driver.error("invalid_value", update["event_id"])
    assert driver.events() == [
        ModelError("invalid_value", "about invalid_value", True, update["event_id"], False)
    ]


def test_the_length_limit_is_announced_before_it_comes() -> None:
    driver = Driver(recycle_after_s=3300.0)
    driver.connect()
    driver.events()
    driver.wait(3299.0)
    assert driver.events() == []
    driver.wait(2.0)
    assert driver.events() == [SessionExpiring(3300.0)]
    driver.wait(3300.0)
    assert driver.events() == []
    assert driver.model.next_timer() is None


def test_a_lost_connection_ends_the_response() -> None:
    driver = connected()
    speaking(driver)
    driver.model.connection_lost(driver.now)
    assert driver.events() == [ResponseFinished("resp_1", "failed", "connection_lost")]
    assert not driver.model.ready
    assert driver.model.messages_to_send() == []
    assert driver.model.next_timer() is None


# Audio in


@pytest.mark.parametrize("size", [0, 1, 2, 160, 480, 961])
def test_an_append_is_valid_json_with_the_audio(size: int) -> None:
    audio = bytes(number % 256 for number in range(size))
    message = assert_client_event(OpenAIRealtime.append_message(audio))
    assert message["type"] == "input_audio_buffer.append"
    assert b64decode(message["audio"]) == audio


def test_the_buffer_can_be_committed_and_cleared() -> None:
    driver = connected(turn_detection=None)
    driver.model.commit_input()
    driver.model.clear_input()
    assert driver.sent_types() == ["input_audio_buffer.commit", "input_audio_buffer.clear"]
    driver.model.connection_lost(driver.now)
    with pytest.raises(LocalProtocolError, match="commit_input"):
        driver.model.commit_input()


# Responses


def test_one_response_at_a_time() -> None:
    driver = connected()
    driver.model.create_response("greet")
    driver.model.create_response("second")
    (create,) = driver.sent()
    assert create["response"] == {"instructions": "greet"}
    driver.response_created("resp_1")
    driver.model.create_response("third")
    assert driver.sent() == []
    assert driver.model.active_response_id == "resp_1"
    driver.response_done("resp_1")
    (create,) = driver.sent()
    assert create["response"] == {"instructions": "third"}


def test_a_request_before_the_session_is_ready_waits_for_it() -> None:
    driver = Driver()
    driver.model.create_response("greet")
    assert driver.sent() == []
    (create,) = driver.connect()
    assert create["response"] == {"instructions": "greet"}


def test_a_request_that_waits_can_be_withdrawn() -> None:
    driver = connected()
    driver.response_created()
    driver.model.create_response("again")
    assert driver.model.withdraw_response()
    assert not driver.model.withdraw_response()
    driver.response_done()
    assert driver.sent() == []


def test_a_response_of_the_servers_own_meets_a_bare_request() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.speech_started()
    driver.model.create_response()
    driver.response_done("resp_1", "cancelled")
    assert driver.sent() == []  # the caller speaks
    driver.speech_stopped()
    assert driver.sent() == []  # the server will respond
    driver.response_created("resp_2")
    driver.response_done("resp_2")
    assert driver.sent() == []


def test_a_request_with_instructions_is_met_by_nothing_else() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.speech_started()
    driver.model.create_response("say that the office closes")
    driver.response_done("resp_1", "cancelled")
    driver.speech_stopped()
    driver.response_created("resp_2")
    assert driver.sent() == []
    driver.response_done("resp_2")
    assert driver.sent_types() == ["response.create"]


def test_what_waits_is_sent_when_the_servers_own_response_never_comes() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.speech_started()
    driver.model.create_response()
    driver.response_done("resp_1", "cancelled")
    driver.speech_stopped()
    driver.wait(1.9)
    assert driver.sent() == []
    driver.wait(0.2)
    assert driver.sent_types() == ["response.create"]


def test_a_caller_who_never_stops_does_not_silence_the_model_for_ever() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.speech_started()
    driver.model.create_response()
    driver.response_done("resp_1", "cancelled")
    driver.wait(31.0)
    assert driver.sent_types() == ["response.create"]


def test_without_automatic_responses_the_end_of_speech_releases_at_once() -> None:
    driver = connected(turn_detection={"type": "server_vad", "create_response": False})
    driver.response_created("resp_1")
    driver.speech_started()
    driver.model.create_response()
    driver.response_done("resp_1")
    assert driver.sent() == []
    driver.speech_stopped()
    assert driver.sent_types() == ["response.create"]


def test_a_request_the_server_outran_is_made_again() -> None:
    driver = connected()
    driver.model.create_response("greet")
    (create,) = driver.sent()
    driver.response_created("resp_vad")
    driver.error("conversation_already_has_active_response", create["event_id"])
    assert [type(event) for event in driver.events()] == [ResponseStarted]
    driver.response_done("resp_vad")
    (again,) = driver.sent()
    assert again["response"] == {"instructions": "greet"}
    assert driver.model.stats.requests_refused == 1
    assert driver.model.stats.benign_errors == 1


def test_a_bare_request_the_server_outran_is_met_by_its_response() -> None:
    driver = connected()
    driver.model.create_response()
    (create,) = driver.sent()
    driver.response_created("resp_vad")
    driver.error("conversation_already_has_active_response", create["event_id"])
    driver.response_done("resp_vad")
    assert driver.sent() == []


def test_a_request_is_not_made_for_ever() -> None:
    driver = connected()
    driver.model.create_response("greet")
    made = 0
    while creates := driver.sent():
        made += 1
        driver.error("conversation_already_has_active_response", creates[0]["event_id"])
        driver.wait(3.0)
    assert made == 3


def test_a_request_refused_for_what_it_says_frees_the_way() -> None:
    driver = connected()
    driver.model.create_response("x" * 10)
    (create,) = driver.sent()
    driver.model.create_response("next")
    driver.error("invalid_value", create["event_id"])
    (error,) = driver.events()
    assert isinstance(error, ModelError)
    assert not error.fatal
    (create,) = driver.sent()
    assert create["response"] == {"instructions": "next"}


def test_a_request_without_an_answer_is_given_up() -> None:
    driver = connected()
    driver.model.create_response("lost")
    driver.model.create_response("next")
    driver.sent()
    driver.wait(10.1)
    (create,) = driver.sent()
    assert create["response"] == {"instructions": "next"}
    assert driver.model.stats.requests_unanswered == 1


def test_a_model_that_begins_no_response_is_given_up_and_asked_again_elsewhere() -> None:
    driver = Driver()
    driver.connect()
    driver.model.create_response("greet")
    driver.sent()
    driver.events()
    driver.wait(10.1)
    [error] = driver.events()
    assert isinstance(error, ModelError)
    assert (error.code, error.fatal, error.retryable) == (NO_RESPONSE, True, True)
    assert driver.sent() == []
    driver.model.connection_lost(driver.now)
    asked = [m for m in driver.connect() if m["type"] == "response.create"]
    assert [m["response"] for m in asked] == [{"instructions": "greet"}]


def test_a_response_that_never_speaks_shows_that_the_model_is_gone() -> None:
    driver = Driver(stall_s=30.0)
    driver.connect()
    driver.response_created()
    driver.events()
    driver.wait(30.1)
    finished, error = driver.events()
    assert finished == ResponseFinished("resp_1", "failed", NO_RESPONSE)
    assert isinstance(error, ModelError)
    assert error.fatal


def test_a_response_that_stalls_is_ended() -> None:
    driver = Driver(stall_s=30.0)
    driver.connect()
    speaking(driver)
    driver.wait(29.0)
    driver.audio(SPEECH)
    driver.wait(29.0)
    driver.events()
    assert driver.sent() == []
    driver.wait(1.5)
    assert driver.events() == [ResponseFinished("resp_1", "failed", "stalled")]
    assert "response.cancel" in driver.sent_types()
    driver.audio(SPEECH)
    assert driver.events() == []
    assert driver.model.stats.stalled == 1


def test_out_of_band_responses_run_beside_the_conversation() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.model.create_response("one moment", out_of_band=True)
    (create,) = driver.sent()
    assert create["response"]["conversation"] == "none"
    driver.response_created("resp_2", metadata=create["response"]["metadata"])
    driver.audio(SPEECH * 4, "item_x", "resp_2")
    driver.model.truncate_item("item_x", 10)
    driver.response_done("resp_2")
    kinds = [(type(e).__name__, getattr(e, "out_of_band", None)) for e in driver.events()]
    assert kinds == [
        ("ResponseStarted", False),
        ("ResponseStarted", True),
        ("AudioDelta", None),
        ("ResponseFinished", True),
    ]
    assert driver.model.active_response_id == "resp_1"
    assert driver.sent() == []
    assert driver.model.history == ()


def test_out_of_band_requests_wait_for_the_session_and_are_bounded() -> None:
    driver = Driver()
    for _ in range(8):
        driver.model.create_response(out_of_band=True)
    with pytest.raises(LocalProtocolError, match="out-of-band"):
        driver.model.create_response(out_of_band=True)
    assert [message["type"] for message in driver.connect()] == ["response.create"] * 8


# Cancelling


def test_the_active_response_is_cancelled() -> None:
    driver = connected()
    speaking(driver)
    driver.model.cancel_response("resp_other")
    assert driver.sent() == []
    driver.model.cancel_response("resp_1")
    (cancel,) = driver.sent()
    assert cancel["response_id"] == "resp_1"
    driver.response_done("resp_1", "cancelled")
    driver.model.cancel_response("resp_1")
    driver.model.cancel_response()
    assert driver.sent() == []


def test_a_response_asked_for_is_cancelled_when_it_begins() -> None:
    driver = connected()
    driver.model.create_response()
    driver.sent()
    driver.model.cancel_response()
    assert driver.sent() == []
    driver.response_created("resp_1")
    (cancel,) = driver.sent()
    assert cancel["type"] == "response.cancel"


def test_a_cancel_too_late_is_no_error() -> None:
    driver = connected()
    speaking(driver)
    driver.model.cancel_response("resp_1")
    driver.error("response_cancel_not_active", driver.sent()[0]["event_id"])
    driver.response_done("resp_1")
    assert [type(event) for event in driver.events()] == [ResponseFinished]
    assert driver.model.stats.benign_errors == 1
    assert driver.model.stats.errors == 0


def test_a_cancelled_response_that_never_ends_is_ended() -> None:
    driver = connected()
    speaking(driver)
    driver.model.cancel_response("resp_1")
    driver.wait(4.0)
    driver.audio(SPEECH)  # late audio does not give it more time
    driver.wait(1.5)
    assert isinstance(driver.events()[-1], ResponseFinished)
    assert driver.model.active_response_id == ""


def test_what_comes_of_a_response_given_up_is_forgotten_at_its_true_end() -> None:
    driver = connected()
    speaking(driver)
    driver.model.fence("resp_1")
    driver.model.cancel_response("resp_1")
    driver.model.truncate_item("item_a1", 100)
    driver.wait(6.0)
    assert driver.model.active_response_id == ""
    driver.sent()
    driver.audio(SPEECH, "item_a1")
    driver.audio(SPEECH, "item_a2")
    assert driver.sent() == []
    driver.response_done("resp_1", "cancelled")
    (delete,) = driver.sent()
    assert (delete["type"], delete["item_id"]) == ("conversation.item.delete", "item_a2")
    driver.response_done("resp_1", "cancelled")
    assert driver.sent() == []


# Truncating


def test_an_item_is_truncated_where_the_caller_stopped_hearing() -> None:
    driver = connected()
    speaking(driver)
    driver.model.truncate_item("item_a1", 100)
    (truncate,) = driver.sent()
    assert truncate["item_id"] == "item_a1"
    assert (truncate["content_index"], truncate["audio_end_ms"]) == (0, 100)
    assert driver.model.history[0].heard_text == "one two"


def test_never_beyond_what_was_received() -> None:
    driver = connected()
    speaking(driver)
    driver.model.truncate_item("item_a1", 10_000)
    (truncate,) = driver.sent()
    assert truncate["audio_end_ms"] == 200


def test_nothing_heard_deletes_the_item() -> None:
    driver = connected()
    speaking(driver)
    driver.model.truncate_item("item_a1", 0)
    (delete,) = driver.sent()
    assert (delete["type"], delete["item_id"]) == ("conversation.item.delete", "item_a1")
    assert driver.model.history == ()
    driver.model.delete_item("item_a1")
    assert driver.sent() == []


def test_all_heard_changes_nothing() -> None:
    driver = connected()
    speaking(driver)
    driver.audio_done()
    driver.model.truncate_item("item_a1", 200)
    assert driver.sent() == []
    assert driver.model.history[0].heard_text == "one two three four"


def test_a_second_truncation_may_only_shorten() -> None:
    driver = connected()
    speaking(driver)
    driver.model.truncate_item("item_a1", 100)
    driver.model.truncate_item("item_a1", 150)
    driver.model.truncate_item("item_a1", 50)
    assert [message["audio_end_ms"] for message in driver.sent()] == [100, 50]


def test_an_unknown_item_is_left_alone() -> None:
    driver = connected()
    driver.model.truncate_item("item_nowhere", 100)
    driver.model.delete_item("item_nowhere")
    driver.committed("item_u1")
    driver.model.truncate_item("item_u1", 100)
    assert driver.sent() == []


# Tools


def test_the_model_goes_on_once_after_the_last_output() -> None:
    driver = connected()
    driver.response_created("resp_1")
    calls = [function_call("call_1", "a"), function_call("call_2", "b")]
    driver.response_done("resp_1", output=calls)
    driver.model.send_tool_output("call_2", "two")
    assert driver.sent_types() == ["conversation.item.create"]
    driver.model.send_tool_output("call_1", "one")
    output, create = driver.sent()
    assert output["item"]["call_id"] == "call_1"
    assert output["item"]["output"] == "one"
    assert create["type"] == "response.create"
    assert "response" not in create


def test_outputs_given_before_the_response_ended_wait_for_its_end() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.arguments_done("call_1", "a")
    driver.model.send_tool_output("call_1", "one")
    driver.arguments_done("call_2", "b")
    assert driver.sent_types() == ["conversation.item.create"]
    calls = [function_call("call_1", "a"), function_call("call_2", "b")]
    driver.response_done("resp_1", output=calls)
    assert driver.sent() == []
    driver.model.send_tool_output("call_2", "two")
    assert driver.sent_types() == ["conversation.item.create", "response.create"]


def test_a_tool_may_want_no_answer() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.response_done("resp_1", output=[function_call("call_1", "hangup")])
    driver.model.send_tool_output("call_1", "bye", respond=False)
    assert driver.sent_types() == ["conversation.item.create"]


def test_an_output_is_given_once() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.arguments_done("call_1", "a")
    driver.model.send_tool_output("call_1", "one")
    with pytest.raises(LocalProtocolError, match="call_1"):
        driver.model.send_tool_output("call_1", "again")


def test_outputs_the_servers_response_already_knows_need_no_other() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.response_done("resp_1", output=[function_call("call_1", "a")])
    driver.speech_started()
    driver.model.send_tool_output("call_1", "one")
    (output,) = driver.sent()  # the caller speaks: the model does not
    driver.item_added(output["item"])
    driver.speech_stopped()
    driver.response_created("resp_2")
    driver.response_done("resp_2")
    assert driver.sent() == []


def test_a_response_in_between_answers_for_the_outputs_before_it() -> None:
    driver = connected()
    driver.response_created("resp_1")
    calls = [function_call("call_1", "a"), function_call("call_2", "b")]
    driver.response_done("resp_1", output=calls)
    driver.model.send_tool_output("call_1", "one")
    (output,) = driver.sent()
    driver.item_added(output["item"])
    driver.response_created("resp_2")
    driver.response_done("resp_2")
    driver.model.send_tool_output("call_2", "two", respond=False)
    assert driver.sent_types() == ["conversation.item.create"]


def test_outputs_the_servers_response_can_not_know_get_one() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.response_done("resp_1", output=[function_call("call_1", "a")])
    driver.speech_started()
    driver.speech_stopped()
    driver.model.send_tool_output("call_1", "one")
    (output,) = driver.sent()
    driver.response_created("resp_2")  # begun before the output arrived there
    driver.item_added(output["item"])
    driver.response_done("resp_2")
    assert driver.sent_types() == ["response.create"]


# Text


def test_text_is_added_to_the_conversation() -> None:
    driver = connected()
    driver.model.add_user_text("4711#")
    driver.model.add_system_text("The line is bad.")
    user, system = driver.sent()
    assert user["item"]["role"] == "user"
    assert user["item"]["content"] == [{"type": "input_text", "text": "4711#"}]
    assert system["item"]["role"] == "system"


# Reconnecting


def conversation() -> Driver:
    """A call with something of every kind in it; then the connection is lost."""
    driver = connected()
    driver.committed("item_u1")
    driver.user_said("What time is it?", "item_u1")
    driver.response_created("resp_1")
    driver.response_done("resp_1", output=[function_call("call_1", "clock", '{"zone":"UTC"}')])
    driver.model.send_tool_output("call_1", "noon")
    driver.response_created("resp_2")
    for _ in range(10):
        driver.audio(SPEECH, "item_a1", "resp_2")
    driver.words("It is noon over here", "item_a1", "resp_2")
    driver.model.truncate_item("item_a1", 100)
    driver.response_done("resp_2", "cancelled")
    driver.committed("item_u2", "item_a1")
    driver.sent()
    driver.events()
    driver.model.connection_lost(driver.now)
    return driver


def test_a_new_session_is_given_the_conversation_as_the_caller_heard_it() -> None:
    driver = conversation()
    items = [message["item"] for message in driver.connect()]
    assert [item["type"] for item in items] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]
    assert items[0]["content"] == [{"type": "input_text", "text": "What time is it?"}]
    assert items[1]["arguments"] == '{"zone":"UTC"}'
    assert items[2]["output"] == "noon"
    assert items[3]["content"] == [{"type": "output_text", "text": "It is noon"}]
    assert driver.model.stats.connections == 2


def test_the_servers_echo_of_replayed_items_changes_nothing() -> None:
    driver = conversation()
    replayed = driver.connect()
    before = driver.model.history
    # What could not be given to the new session is forgotten: nothing can refer to it there.
    assert [item.item_id for item in before] == [message["item"]["id"] for message in replayed]
    previous = None
    for message in replayed:
        driver.item_added(message["item"], previous)
        previous = message["item"]["id"]
    assert driver.model.history == before


def test_a_request_that_was_under_way_is_made_anew() -> None:
    driver = connected()
    driver.model.create_response("greet")
    driver.model.connection_lost(driver.now)
    (create,) = driver.connect()
    assert create["response"] == {"instructions": "greet"}


def test_a_tool_that_finishes_while_disconnected_is_answered_afterwards() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.arguments_done("call_1", "a")
    driver.model.connection_lost(driver.now)
    (finished,) = [e for e in driver.events() if isinstance(e, ResponseFinished)]
    assert [call.call_id for call in finished.tool_calls] == ["call_1"]
    driver.model.send_tool_output("call_1", "one")
    assert driver.model.messages_to_send() == []
    sent = driver.connect()
    assert [message["type"] for message in sent] == [
        "conversation.item.create",
        "conversation.item.create",
        "response.create",
    ]
    assert [m["item"]["type"] for m in sent[:2]] == ["function_call", "function_call_output"]


def test_a_tool_that_finishes_after_the_reconnect_is_answered_too() -> None:
    driver = connected()
    driver.response_created("resp_1")
    driver.arguments_done("call_1", "a")
    driver.model.connection_lost(driver.now)
    (call,) = driver.connect()
    assert call["item"]["type"] == "function_call"
    driver.model.send_tool_output("call_1", "one")
    assert driver.sent_types() == ["conversation.item.create", "response.create"]


def test_commands_given_while_disconnected_shape_what_is_replayed() -> None:
    driver = connected()
    speaking(driver)
    driver.model.connection_lost(driver.now)
    driver.model.truncate_item("item_a1", 100)
    driver.model.add_user_text("5")
    driver.model.cancel_response()
    assert driver.model.messages_to_send() == []
    texts = [message["item"]["content"][0]["text"] for message in driver.connect()]
    assert texts == ["one two", "5"]


def test_a_barge_in_on_speech_from_before_the_reconnect_replaces_the_text() -> None:
    driver = connected()
    driver.model.add_user_text("hello")
    speaking(driver)
    driver.model.connection_lost(driver.now)
    driver.connect()
    driver.model.truncate_item("item_a1", 100)
    delete, create = driver.sent()
    assert (delete["type"], delete["item_id"]) == ("conversation.item.delete", "item_a1")
    assert create["previous_item_id"] == driver.model.history[0].item_id
    assert create["item"]["content"] == [{"type": "output_text", "text": "one two"}]
    assert create["item"]["id"] == driver.model.history[1].item_id != "item_a1"


def test_an_empty_replacement_is_left_out() -> None:
    driver = connected()
    speaking(driver)
    driver.model.connection_lost(driver.now)
    driver.connect()
    driver.model.truncate_item("item_a1", 1)
    assert driver.sent_types() == ["conversation.item.delete"]


def test_nothing_of_the_old_connection_reaches_the_new_one() -> None:
    driver = connected()
    driver.model.add_user_text("one")
    driver.model.cancel_response()
    driver.model.connection_lost(driver.now)
    driver.model.connection_made(driver.now)
    assert driver.sent_types() == ["session.update"]


def test_an_error_frees_an_out_of_band_request() -> None:
    driver = connected()
    for _ in range(20):
        driver.model.create_response(out_of_band=True)
        driver.error("invalid_value", driver.sent()[0]["event_id"])


def test_messages_are_compact_utf8() -> None:
    driver = connected()
    driver.model.add_user_text("grüße \ud800")
    (message,) = driver.model.messages_to_send()
    assert b": " not in message
    assert json.loads(message)["item"]["content"][0]["text"] == "grüße \ud800"


def test_bytes_and_text_frames_are_the_same() -> None:
    driver = connected()
    audio = b64encode(SPEECH * 4).decode()
    event = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i"}
    text = json.dumps({**event, "delta": audio})
    driver.model.receive_message(text, driver.now)
    driver.model.receive_message(text.encode(), driver.now)
    driver.model.receive_message(bytearray(text.encode()), driver.now)
    started, *deltas = driver.events()
    assert isinstance(started, ResponseStarted)
    assert [delta.audio for delta in deltas] == [SPEECH * 4] * 3  # type: ignore[union-attr]
