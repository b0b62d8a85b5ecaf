from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from openai.types.live.connect_client_event import ConnectClientEvent
from pydantic import TypeAdapter

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
    SessionClosed,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptFinished,
    UsageReported,
)
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.hosted.live_sideband import live_sideband_of
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel

_CLIENT: TypeAdapter[Any] = TypeAdapter(ConnectClientEvent)


class Band:
    def __init__(self, **config: Any) -> None:
        model = OpenAILiveModel(LiveConfig.from_mapping(config))
        brief = Brief("Be kind.", (FunctionTool(name="weather"),))
        self.dialect = live_sideband_of(model, brief, Ids.seeded(1), "live_1")
        self.now = 10.0

    def attach(self) -> list[dict[str, Any]]:
        self.dialect.connection_made(self.now)
        (ready,) = self.dialect.events_received()
        assert isinstance(ready, SessionReady)
        return self.sent()

    def sent(self) -> list[dict[str, Any]]:
        """Return what was sent, which the vendor's own types take."""
        messages = self.dialect.messages_to_send()
        for message in messages:
            assert not _CLIENT.validate_json(message).model_extra
        return [json.loads(message) for message in messages]

    def say(self, kind: str, **fields: Any) -> list[Any]:
        self.dialect.receive_message(json.dumps({"type": kind, **fields}), self.now)
        return self.dialect.events_received()


def test_it_attaches_to_the_session() -> None:
    band = Band()
    assert (
        band.dialect.url("https://api.openai.com/v1/")
        == "wss://api.openai.com/v1/live/sessions/live_1/attach"
    )
    with pytest.raises(ValueError, match="must be a wss"):
        band.dialect.url("api.openai.com")
    assert band.attach() == []


def test_what_is_to_be_said_known_or_obeyed_is_appended() -> None:
    band = Band()
    band.dialect.create_response("Greet the caller.")
    (greeting,) = band.attach()
    assert greeting["type"] == "session.commentary.append"
    assert greeting["content"] == "Speak to the caller now, as follows. Greet the caller."
    assert greeting["delegation_id"] is None
    band.dialect.add_user_text("The caller pressed 1.")
    band.dialect.add_system_text("Be brief.")
    assert band.dialect.send_digit("5")
    band.dialect.interrupt()
    assert [message["type"] for message in band.sent()] == [
        "session.thinking.append",
        "session.instructions.append",
        "transport.dtmf.send",
    ]


def test_what_is_said_while_nothing_is_attached_waits() -> None:
    band = Band()
    band.attach()
    band.dialect.connection_lost(band.now)
    band.dialect.add_system_text("later")
    assert band.sent() == []
    assert [message["content"] for message in band.attach()] == ["later"]


def test_what_is_said_is_heard_at_that_moment() -> None:
    band = Band()
    band.attach()
    tone = b64encode((b"\x00\x20\x00\xe0" * 120) * 20).decode()
    events = band.say("session.output_audio.delta", delta=tone, start_ms=0, end_ms=200)
    started, playing = events
    assert isinstance(started, ResponseStarted)
    assert playing == PlayoutStarted(started.response_id)
    assert band.dialect.active_response_id == started.response_id
    silence = b64encode(bytes(48_000)).decode()
    events = band.say("session.output_audio.delta", delta=silence, start_ms=200, end_ms=1200)
    finished, ended = [e for e in events if not isinstance(e, TranscriptFinished)][-2:]
    assert isinstance(finished, ResponseFinished)
    assert ended == PlayoutEnded(started.response_id)


def test_words_become_turns_where_there_is_a_gap() -> None:
    band = Band()
    band.attach()
    began, words = band.say("session.input_transcript.delta", delta="Hi", start_ms=100, end_ms=300)
    assert began == SpeechStarted(words.item_id, None)
    later = band.say("session.input_transcript.delta", delta=" there.", start_ms=300, end_ms=500)
    assert [type(event) for event in later] == [TranscriptDelta]
    due = band.dialect.next_timer()
    assert due is not None
    band.dialect.handle_timer(due)
    finished, stopped = band.dialect.events_received()
    assert finished == TranscriptFinished("user", words.item_id, "Hi there.")
    assert stopped == SpeechStopped(words.item_id, None)


def test_neither_what_it_says_nor_its_instructions_can_be_changed() -> None:
    band = Band()
    band.attach()
    band.dialect.interrupt()
    band.dialect.change_session(OpenAILiveModel(LiveConfig()), Brief("Others."))
    assert band.dialect.events_received() == [SessionChanged(accepted=False)]
    assert band.sent() == []


def test_tools_of_a_backend_are_run_here() -> None:
    responses = {"model": "gpt-5.5"}
    band = Band(delegation={"type": "responses", "responses": responses})
    band.attach()
    item = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
    for inner in (
        {"type": "response.output_item.done", "item": item},
        {"type": "response.completed", "response": {}},
    ):
        events = band.say("response.event", delegation_id="d1", event=inner)
    finished = next(e for e in events if isinstance(e, ResponseFinished))
    assert [call.name for call in finished.tool_calls] == ["weather"]
    # The sideband may have been another one in the meantime.
    band.dialect.connection_lost(band.now)
    band.dialect.events_received()
    band.attach()
    band.dialect.send_tool_output("c1", "sunny")
    assert [message["type"] for message in band.sent()] == [
        "response.item.create",
        "response.create",
    ]


def test_keys_usage_and_the_end() -> None:
    band = Band()
    band.attach()
    assert band.say("transport.dtmf.received", event="#") == [DigitReported("#")]
    assert band.say("transport.dtmf.received", event="##") == []
    (usage,) = band.say("session.usage.updated", usage={"seconds": 60})
    assert isinstance(usage, UsageReported)
    assert usage.usage.billed_s == 60
    events = band.say("session.closed", reason="remote_hangup", usage={"seconds": 60})
    assert events[-1] == SessionClosed("remote_hangup")
    assert not [e for e in events if isinstance(e, ModelError)]


def test_errors_are_told_and_most_are_no_end() -> None:
    band = Band()
    band.attach()
    (small,) = band.say("error", error={"type": "invalid_request_error", "message": "No."})
    assert isinstance(small, ModelError)
    assert not small.fatal
    (large,) = band.say("error", error={"code": "invalid_api_key"})
    assert large.fatal
    assert not large.retryable


@pytest.mark.parametrize("message", [b"", b"[]", '{"type":7}', '{"type":"new"}', b"\xff"])
def test_garbage_is_counted(message: bytes | str) -> None:
    band = Band()
    band.attach()
    band.dialect.receive_message(message, band.now)
    for kind in ("info", "session.input_audio.append", "transport.dtmf.sent"):
        band.say(kind)
    assert band.dialect.events_received() == []
    assert band.dialect.stats.malformed + band.dialect.stats.unknown == 1
