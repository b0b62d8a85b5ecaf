from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    DigitReported,
    ModelError,
    PlayoutEnded,
    PlayoutStarted,
    ResponseFinished,
    ResponseStarted,
    SessionChanged,
    SessionReady,
    TranscriptFinished,
)
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.hosted.sideband import LEFT_OPEN_S, OpenAISideband, sideband_of
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from tests.realtime.driver import assert_client_event


class Band:
    """A sideband with a server at its other end."""

    def __init__(self) -> None:
        model = OpenAIRealtimeModel(SessionConfig(model="gpt-realtime-2.1"))
        brief = Brief("Be kind.", (FunctionTool(name="weather"),))
        self.dialect = sideband_of(model, brief, Ids.seeded(1), "rtc_1")
        self.now = 10.0

    def sent(self) -> list[dict[str, Any]]:
        return [assert_client_event(message) for message in self.dialect.messages_to_send()]

    def say(self, kind: str, **fields: Any) -> list[Any]:
        self.dialect.receive_message(json.dumps({"type": kind, **fields}), self.now)
        return self.dialect.events_received()

    def attach(self) -> list[dict[str, Any]]:
        self.dialect.connection_made(self.now)
        (update,) = self.sent()
        assert update["session"] == {"type": "realtime", "instructions": "Be kind."}
        assert isinstance(self.say("session.created", session={"id": "sess_1"})[0], SessionReady)
        assert self.say("session.updated", session={"id": "sess_1"}) == []
        return self.sent()

    def response(self, response_id: str = "resp_1", **fields: Any) -> list[Any]:
        events = self.say("response.created", response={"id": response_id})
        response = {"id": response_id, "status": "completed", "output": [], **fields}
        return events + self.say("response.done", response=response)


def call_item(call_id: str = "call_1") -> dict[str, Any]:
    return {
        "id": f"item_{call_id}",
        "type": "function_call",
        "call_id": call_id,
        "name": "weather",
        "arguments": "{}",
    }


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?call_id=rtc_1"),
        ("wss://api.openai.com/v1/realtime/", "wss://api.openai.com/v1/realtime?call_id=rtc_1"),
        ("http://127.0.0.1:9/v1?model=x", "ws://127.0.0.1:9/v1/realtime?call_id=rtc_1"),
        (
            "https://x.openai.azure.com/openai/v1",
            "wss://x.openai.azure.com/openai/v1/realtime?call_id=rtc_1",
        ),
    ],
)
def test_the_url_names_the_call_and_no_model(base: str, url: str) -> None:
    assert Band().dialect.url(base) == url


def test_an_id_is_escaped_in_the_url() -> None:
    dialect = OpenAISideband(SessionConfig(), Ids.seeded(1), "a&b=c")
    assert dialect.url("wss://h/v1").endswith("?call_id=a%26b%3Dc")
    with pytest.raises(ValueError, match="must be a wss"):
        dialect.url("ftp://h")


def test_a_model_of_another_kind_has_no_sideband() -> None:
    class Other:
        api = "gemini_live"

    with pytest.raises(LocalProtocolError, match="gemini_live has no sideband"):
        sideband_of(Other(), Brief(), Ids.seeded(1), "rtc_1")  # type: ignore[arg-type]


def test_either_sign_makes_it_ready() -> None:
    band = Band()
    band.dialect.connection_made(band.now)
    band.sent()
    assert isinstance(band.say("session.updated", session={})[0], SessionReady)


def test_the_greeting_waits_until_it_is_attached() -> None:
    band = Band()
    band.dialect.create_response("Greet.")
    (create,) = band.attach()
    assert create["response"] == {"instructions": "Greet."}


def test_what_only_a_call_of_the_server_has() -> None:
    band = Band()
    band.attach()
    assert band.say("input_audio_buffer.dtmf_event_received", event="5", received_at=1) == [
        DigitReported("5")
    ]
    assert band.say("input_audio_buffer.dtmf_event_received", event="a") == [DigitReported("A")]
    assert band.say("output_audio_buffer.started", response_id="r") == [PlayoutStarted("r")]
    assert band.say("output_audio_buffer.stopped", response_id="r") == [PlayoutEnded("r")]
    assert band.say("output_audio_buffer.cleared", response_id="r") == [
        PlayoutEnded("r", cleared=True)
    ]
    for wrong in ("55", "", None, "x", {"a": 1}):
        assert band.say("input_audio_buffer.dtmf_event_received", event=wrong) == []
    assert band.dialect.stats.malformed == 5


def test_audio_that_comes_all_the_same_is_not_ours_to_play() -> None:
    band = Band()
    band.attach()
    band.say("response.created", response={"id": "resp_1"})
    delta = {"response_id": "resp_1", "item_id": "i", "content_index": 0, "delta": "AAAA"}
    assert band.say("response.output_audio.delta", **delta) == []
    assert not band.dialect.stats.unknown


def test_tools_are_called_and_answered() -> None:
    band = Band()
    band.attach()
    events = band.response(output=[call_item()])
    finished = next(e for e in events if isinstance(e, ResponseFinished))
    assert [call.name for call in finished.tool_calls] == ["weather"]
    band.dialect.send_tool_output("call_1", "sunny")
    output, create = band.sent()
    assert output["item"]["output"] == "sunny"
    assert create["type"] == "response.create"


def test_a_tool_that_took_longer_than_the_connection_lasted_is_answered_on_the_next() -> None:
    band = Band()
    band.attach()
    band.response(output=[call_item()])
    band.dialect.connection_lost(band.now)
    band.attach()
    band.dialect.send_tool_output("call_1", "sunny")
    output, create = band.sent()
    assert (output["item"]["type"], output["item"]["call_id"]) == ("function_call_output", "call_1")
    assert create["type"] == "response.create"


def test_a_new_connection_is_not_told_what_the_server_knows() -> None:
    band = Band()
    band.attach()
    item = {"id": "i1", "type": "message", "role": "user", "content": []}
    band.say("conversation.item.added", item=item)
    band.say(
        "conversation.item.input_audio_transcription.completed", item_id="i1", transcript="Hello."
    )
    band.dialect.connection_lost(band.now)
    assert band.attach() == []


def test_what_the_lost_connection_may_have_swallowed_is_sent_again() -> None:
    band = Band()
    band.attach()
    band.dialect.add_user_text("confirmed")
    (confirmed,) = band.sent()
    band.say("conversation.item.added", item=confirmed["item"])
    band.dialect.add_user_text("swallowed")
    (swallowed,) = band.sent()
    band.dialect.connection_lost(band.now)
    band.dialect.add_user_text("said meanwhile")
    assert band.sent() == []
    again = band.attach()
    assert [message["item"]["content"][0]["text"] for message in again] == [
        "swallowed",
        "said meanwhile",
    ]
    assert again[0]["item"]["id"] == swallowed["item"]["id"]
    # Nor a third time, once the server has them.
    for message in again:
        band.say("conversation.item.added", item=message["item"])
    band.dialect.connection_lost(band.now)
    assert band.attach() == []


def test_a_response_goes_on_while_no_sideband_is_there() -> None:
    band = Band()
    band.attach()
    band.say("response.created", response={"id": "resp_1"})
    band.dialect.connection_lost(band.now)
    assert band.dialect.events_received() == []
    band.attach()
    done = {"id": "resp_1", "status": "completed", "output": [call_item()]}
    events = band.say("response.done", response=done)
    assert [type(e) for e in events if not isinstance(e, ResponseStarted)][-1] is ResponseFinished
    assert events[-1].tool_calls[0].call_id == "call_1"


def test_a_key_can_stop_what_is_played() -> None:
    band = Band()
    band.attach()
    band.dialect.interrupt()
    assert [message["type"] for message in band.sent()] == ["output_audio_buffer.clear"]
    band.say("response.created", response={"id": "resp_1"})
    band.dialect.interrupt()
    assert [message["type"] for message in band.sent()] == [
        "response.cancel",
        "output_audio_buffer.clear",
    ]
    band.dialect.connection_lost(band.now)
    band.dialect.interrupt()
    assert band.sent() == []


def test_what_the_caller_heard_of_a_cancelled_response_is_the_servers_business() -> None:
    band = Band()
    band.attach()
    band.say("response.created", response={"id": "resp_1"})
    added = {"id": "i1", "type": "message", "role": "assistant", "content": []}
    band.say("conversation.item.added", item=added)
    events = band.say(
        "response.output_audio_transcript.done",
        response_id="resp_1",
        item_id="i1",
        transcript="Yes",
    )
    assert TranscriptFinished("assistant", "i1", "Yes") in events
    band.dialect.fence("resp_1")
    band.say("response.done", response={"id": "resp_1", "status": "cancelled", "output": []})
    assert band.sent() == []


def test_nobody_is_told_that_the_session_could_be_taken_anew() -> None:
    band = Band()
    band.attach()
    band.dialect.handle_timer(band.now + 56 * 60)
    assert band.dialect.events_received() == []


def test_an_error_before_it_is_attached_is_fatal() -> None:
    band = Band()
    band.dialect.connection_made(band.now)
    error = {"type": "invalid_request_error", "code": "session_expired", "message": "Over."}
    (failure,) = band.say("error", error=error)
    assert isinstance(failure, ModelError)
    assert failure.fatal


@pytest.mark.parametrize("message", [b"", b"[]", "7", '{"type": []}', b"\xff", '{"type": "new"}'])
def test_garbage_is_counted(message: bytes | str) -> None:
    band = Band()
    band.attach()
    band.dialect.receive_message(message, band.now)
    assert band.dialect.events_received() == []


OTHER = OpenAIRealtimeModel(SessionConfig(model="gpt-realtime-2.1", voice="cedar", speed=1.2))
BILLING = Brief("You do bills.", (FunctionTool(name="bill"),))


def changed(band: Band) -> list[Any]:
    return [e for e in band.dialect.events_received() if isinstance(e, SessionChanged)]


def test_another_agent_gets_the_session_all_but_its_voice() -> None:
    band = Band()
    band.attach()
    band.dialect.change_session(OTHER, BILLING)
    (update,) = band.sent()
    session = update["session"]
    assert session["instructions"] == "You do bills."
    assert [tool["name"] for tool in session["tools"]] == ["bill"]
    assert session["audio"]["output"] == {"speed": 1.2}
    assert "format" not in session["audio"]["input"]
    assert "model" not in session
    assert changed(band) == []
    assert band.say("session.updated", session={}) == [SessionChanged(accepted=True)]
    # Once is enough.
    assert band.say("session.updated", session={}) == []


def test_a_change_is_confirmed_by_its_own_answer() -> None:
    band = Band()
    band.dialect.connection_made(band.now)
    band.say("session.created", session={})
    band.dialect.change_session(OTHER, BILLING)
    # This one confirms that the sideband is attached.
    assert band.say("session.updated", session={}) == []
    assert band.say("session.updated", session={}) == [SessionChanged(accepted=True)]


def test_a_change_that_is_refused_leaves_all_as_it_was() -> None:
    band = Band()
    band.attach()
    band.dialect.change_session(OTHER, BILLING)
    (update,) = band.sent()
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "no"}
    assert changed(band) == []
    other = band.say("error", error={**error, "event_id": "event_else"})
    assert not any(isinstance(event, SessionChanged) for event in other)
    complaint, answer = band.say("error", error={**error, "event_id": update["event_id"]})
    assert isinstance(complaint, ModelError)
    assert not complaint.fatal
    assert answer == SessionChanged(accepted=False)
    band.dialect.connection_lost(band.now)
    band.dialect.connection_made(band.now)
    (update,) = band.sent()
    assert update["session"] == {"type": "realtime", "instructions": "Be kind."}


def test_a_change_that_a_lost_sideband_swallowed_is_asked_for_again() -> None:
    band = Band()
    band.attach()
    band.dialect.change_session(OTHER, BILLING)
    band.sent()
    band.dialect.connection_lost(band.now)
    band.dialect.connection_made(band.now)
    (update,) = band.sent()
    assert update["session"]["instructions"] == "You do bills."
    assert "tools" in update["session"]
    band.say("session.created", session={})
    assert band.say("session.updated", session={}) == [SessionChanged(accepted=True)]


def test_a_model_of_another_kind_is_no_change() -> None:
    class Other:
        api = "gemini_live"

    band = Band()
    band.attach()
    band.dialect.change_session(Other(), Brief())  # type: ignore[arg-type]
    assert changed(band) == [SessionChanged(accepted=False)]
    assert band.sent() == []


def test_what_was_begun_unseen_is_cut_off_before_anything_else() -> None:
    band = Band()
    band.dialect.cut_off_unseen = True
    assert band.attach() == []
    band.dialect.connection_lost(band.now)
    band.dialect.create_response("Go on.")
    cancel, clear, create = band.attach()
    assert (cancel["type"], clear["type"]) == ("response.cancel", "output_audio_buffer.clear")
    assert "response_id" not in cancel
    assert create["type"] == "response.create"
    error = {"type": "invalid_request_error", "code": "response_cancel_not_active"}
    assert band.say("error", error=error) == []
    # Who watches nothing cuts off nothing.
    band.dialect.cut_off_unseen = False
    band.dialect.connection_lost(band.now)
    kinds = [message["type"] for message in band.attach()]
    assert "output_audio_buffer.clear" not in kinds


def left_open(band: Band) -> None:
    """Lose a sideband in the midst of a response that has called a tool."""
    band.attach()
    band.say("response.created", response={"id": "resp_1"})
    item = {"response_id": "resp_1", "output_index": 0, "item": call_item()}
    band.say("response.output_item.done", **item)
    band.dialect.connection_lost(band.now)
    assert band.dialect.events_received() == []


def test_a_response_goes_on_over_the_next_sideband() -> None:
    band = Band()
    left_open(band)
    band.attach()
    done = {"id": "resp_1", "status": "completed", "output": [call_item()]}
    (finished,) = band.say("response.done", response=done)
    assert isinstance(finished, ResponseFinished)
    assert [call.name for call in finished.tool_calls] == ["weather"]
    band.now += LEFT_OPEN_S + 1
    band.dialect.handle_timer(band.now)
    assert band.dialect.events_received() == []


def test_the_end_of_a_response_that_was_missed_is_told_in_the_end() -> None:
    band = Band()
    left_open(band)
    band.attach()
    band.now += LEFT_OPEN_S
    assert band.dialect.next_timer() == band.now
    band.dialect.handle_timer(band.now)
    (finished,) = band.dialect.events_received()
    assert isinstance(finished, ResponseFinished)
    assert (finished.status, finished.reason) == ("failed", "connection_lost")
    assert [call.name for call in finished.tool_calls] == ["weather"]
    assert band.dialect.next_timer() is None


def test_a_response_that_shows_a_sign_of_itself_is_waited_for() -> None:
    band = Band()
    left_open(band)
    band.attach()
    words = {"response_id": "resp_1", "item_id": "item_1", "delta": "It is"}
    events = band.say("response.output_audio_transcript.delta", **words)
    assert not any(isinstance(event, ResponseStarted) for event in events)
    band.now += LEFT_OPEN_S + 1
    band.dialect.handle_timer(band.now)
    assert band.dialect.events_received() == []
    assert band.dialect.active_response_id == "resp_1"


def test_a_session_that_was_held_is_told_that_it_may_answer() -> None:
    model = OpenAIRealtimeModel(SessionConfig(model="gpt-realtime-2.1"))
    band = Band()
    band.dialect = sideband_of(model, Brief("Be kind."), Ids.seeded(1), "rtc_1", held=True)
    band.dialect.connection_made(band.now)
    (update,) = band.sent()
    assert update["session"]["audio"]["input"]["turn_detection"]["create_response"] is True
    band.say("session.created", session={})
    assert band.say("session.updated", session={}) == [SessionChanged(accepted=True)]
