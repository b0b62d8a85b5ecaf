"""A server end for the core's tests, held to the types of OpenAI's own SDK.

What the core sends must be a client event of the SDK without a field the SDK doesn't know; what
the driver says must be a server event of the SDK.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from telephony.audio.format import PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.events import ModelEvent
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig

_CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
_SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
_FORMATS = {"pcmu": {"type": "audio/pcmu"}, "pcma": {"type": "audio/pcma"}}


def assert_client_event(message: bytes) -> dict[str, Any]:
    """Return the message, after checking every field of it against the SDK."""
    event = _CLIENT.validate_json(message)
    _assert_known(event, type(event).__name__)
    parsed: dict[str, Any] = json.loads(message)
    assert event.type == parsed["type"]
    return parsed


def _assert_known(value: Any, place: str) -> None:
    if isinstance(value, BaseModel):
        assert not value.model_extra, f"{place}: unknown {value.model_extra}"
        for name in type(value).model_fields:
            _assert_known(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _assert_known(item, f"{place}[{index}]")


def wire_format(audio_format: AudioFormat) -> dict[str, Any]:
    return _FORMATS.get(
        audio_format.encoding, {"type": "audio/pcm", "rate": audio_format.sample_rate_hz}
    )


class Driver:
    """Talks to one :class:`OpenAIRealtime`; ``now`` goes on only when a test says so."""

    def __init__(
        self,
        config: SessionConfig | None = None,
        input_format: AudioFormat = PCMU,
        output_format: AudioFormat = PCMU,
        **options: Any,
    ) -> None:
        self.model = OpenAIRealtime(
            config or SessionConfig(), Ids.seeded(1), input_format, output_format, **options
        )
        self.now = 100.0
        self._events = 0
        self._formats = (input_format, output_format)

    # The connection

    def connect(self) -> list[dict[str, Any]]:
        """Open a session that accepts all we asked for; returns what was sent after that."""
        self.model.connection_made(self.now)
        (update,) = self.sent()
        assert update["type"] == "session.update"
        self.session("session.created")
        self.session("session.updated")
        return self.sent()

    def session(
        self,
        kind: str,
        input_format: AudioFormat | None = None,
        output_format: AudioFormat | None = None,
    ) -> None:
        heard = wire_format(input_format or self._formats[0])
        spoken = wire_format(output_format or self._formats[1])
        self.say(
            kind,
            session={
                "type": "realtime",
                "object": "realtime.session",
                "id": "sess_1",
                "model": "gpt-realtime-2.1",
                "expires_at": 1756324625,
                "audio": {"input": {"format": heard}, "output": {"format": spoken}},
            },
        )

    def wait(self, seconds: float) -> None:
        """Let time pass; timers run when they are due."""
        end = self.now + seconds
        for _ in range(100):
            due = self.model.next_timer()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.model.handle_timer(self.now)
        else:
            raise AssertionError("a timer is due for ever")
        self.now = end

    # What it gave

    def sent(self) -> list[dict[str, Any]]:
        return [assert_client_event(message) for message in self.model.messages_to_send()]

    def sent_types(self) -> list[str]:
        return [message["type"] for message in self.sent()]

    def events(self) -> list[ModelEvent]:
        return self.model.events_received()

    # What the server says

    def say(self, kind: str, **fields: Any) -> None:
        self._events += 1
        event = {"type": kind, "event_id": f"event_s{self._events}", **fields}
        _SERVER.validate_python(event)
        self.raw(event)

    def raw(self, event: object) -> None:
        """Say something the SDK need not know."""
        self.model.receive_message(json.dumps(event), self.now)

    def error(
        self, code: str, event_id: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        details = {"type": kind, "code": code, "message": f"about {code}", "event_id": event_id}
        self.say("error", error={**details, "param": None})

    def response_created(self, response_id: str = "resp_1", **fields: Any) -> None:
        response = {"id": response_id, "object": "realtime.response", "status": "in_progress"}
        self.say("response.created", response={**response, "output": [], **fields})

    def response_done(
        self, response_id: str = "resp_1", status: str = "completed", **fields: Any
    ) -> None:
        response = {"id": response_id, "object": "realtime.response", "status": status}
        self.say("response.done", response={**response, "output": [], **fields})

    def audio(self, audio: bytes, item_id: str = "item_a1", response_id: str = "resp_1") -> None:
        self.say(
            "response.output_audio.delta",
            **_part(item_id, response_id),
            delta=b64encode(audio).decode(),
        )

    def audio_done(self, item_id: str = "item_a1", response_id: str = "resp_1") -> None:
        self.say("response.output_audio.done", **_part(item_id, response_id))

    def words(self, text: str, item_id: str = "item_a1", response_id: str = "resp_1") -> None:
        kind = "response.output_audio_transcript.delta"
        self.say(kind, **_part(item_id, response_id), delta=text)

    def words_done(self, text: str, item_id: str = "item_a1", response_id: str = "resp_1") -> None:
        kind = "response.output_audio_transcript.done"
        self.say(kind, **_part(item_id, response_id), transcript=text)

    def speech_started(self, item_id: str = "item_u1") -> None:
        self.say("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=100)

    def speech_stopped(self, item_id: str = "item_u1") -> None:
        self.say("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=900)

    def committed(self, item_id: str = "item_u1", previous: str | None = None) -> None:
        self.say("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)

    def user_said(self, text: str, item_id: str = "item_u1") -> None:
        self.say(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage={"type": "duration", "seconds": 1.0},
        )

    def item_added(self, item: dict[str, Any], previous: str | None = None) -> None:
        self.say("conversation.item.added", item=item, previous_item_id=previous)

    def arguments_done(
        self, call_id: str, name: str, arguments: str = "{}", response_id: str = "resp_1"
    ) -> None:
        self.say(
            "response.function_call_arguments.done",
            response_id=response_id,
            item_id=f"item_{call_id}",
            output_index=0,
            call_id=call_id,
            name=name,
            arguments=arguments,
        )


def _part(item_id: str, response_id: str) -> dict[str, Any]:
    return {
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
    }


def function_call(call_id: str, name: str, arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    """Return a function call as ``response.done`` lists it."""
    return {
        "id": f"item_{call_id}",
        "object": "realtime.item",
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        **fields,
    }
