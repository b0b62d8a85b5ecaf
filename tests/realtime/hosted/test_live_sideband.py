from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.live.connect_client_event import ConnectClientEvent
from pydantic import TypeAdapter

from telephony.base.ids import Ids
from telephony.realtime.events import (
    DigitReported,
    ModelError,
    SessionClosed,
    SessionReady,
    TranscriptDelta,
    TranscriptFinished,
    UsageReported,
)
from telephony.realtime.hosted.live_sideband import LiveSideband

_CLIENT: TypeAdapter[Any] = TypeAdapter(ConnectClientEvent)


class Band:
    def __init__(self) -> None:
        self.dialect = LiveSideband(Ids.seeded(1), "live_1")
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
    band.dialect.create_response()
    band.dialect.add_user_text("The caller pressed 1.")
    band.dialect.add_system_text("Be brief.")
    band.dialect.send_digit("5")
    band.dialect.interrupt()
    band.dialect.send_tool_output("x", "y")
    band.dialect.answer_approval("x", True)
    assert [message["type"] for message in band.sent()] == [
        "session.commentary.append",
        "session.thinking.append",
        "session.instructions.append",
        "transport.dtmf.send",
    ]


def test_a_long_text_goes_in_pieces() -> None:
    band = Band()
    band.attach()
    band.dialect.add_system_text("x" * 4000)
    assert [len(message["content"]) for message in band.sent()] == [1600, 1600, 800]


def test_what_is_said_while_nothing_is_attached_waits() -> None:
    band = Band()
    band.attach()
    band.dialect.connection_lost(band.now)
    band.dialect.add_system_text("later")
    assert band.sent() == []
    assert [message["content"] for message in band.attach()] == ["later"]


def test_words_become_turns_where_there_is_a_gap() -> None:
    band = Band()
    band.attach()
    events = band.say("session.output_transcript.delta", delta="Hello ", start_ms=0, end_ms=200)
    events += band.say("session.input_transcript.delta", delta="Hi", start_ms=100, end_ms=300)
    band.now += 0.5
    events += band.say("session.output_transcript.delta", delta="there.", start_ms=200, end_ms=400)
    assert [(e.role, e.text) for e in events if isinstance(e, TranscriptDelta)] == [
        ("assistant", "Hello "),
        ("user", "Hi"),
        ("assistant", "there."),
    ]
    assert band.dialect.next_timer() == pytest.approx(10.8)
    band.dialect.handle_timer(10.8)
    (caller,) = band.dialect.events_received()
    assert (caller.role, caller.text) == ("user", "Hi")
    band.dialect.handle_timer(11.3)
    (model,) = band.dialect.events_received()
    assert isinstance(model, TranscriptFinished)
    assert model.text == "Hello there."
    assert band.dialect.next_timer() is None


def test_keys_usage_and_the_end() -> None:
    band = Band()
    band.attach()
    assert band.say("transport.dtmf.received", event="#") == [DigitReported("#")]
    assert band.say("transport.dtmf.received", event="##") == []
    (usage,) = band.say("session.usage.updated", usage={"seconds": 60})
    assert isinstance(usage, UsageReported)
    assert usage.usage.billed_s == 60
    band.say("session.input_transcript.delta", delta="Bye")
    words, closed = band.say("session.closed", reason="remote_hangup", usage={"seconds": 60})
    assert isinstance(words, TranscriptFinished)
    assert closed == SessionClosed("remote_hangup")


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
    for kind in ("info", "session.started", "session.output_audio.delta", "response.event"):
        band.say(kind)
    assert band.dialect.events_received() == []
    assert band.dialect.stats.malformed + band.dialect.stats.unknown == 1
