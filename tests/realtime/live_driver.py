"""A server end for the Live core's tests, held to the types of OpenAI's own SDK.

What the core sends must be a client event of the SDK without a field the SDK doesn't know; what
the driver says must be a server event of the SDK.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import numpy as np
from openai.types.live.client_event import ClientEvent
from openai.types.live.server_event import ServerEvent
from pydantic import TypeAdapter

from telephony.audio.format import PCMU, AudioFormat
from telephony.audio.g711 import encode
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ModelEvent
from telephony.realtime.openai_live import OpenAILive
from telephony.realtime.openai_live_config import LiveConfig, wire_format
from tests.realtime.driver import _assert_known

_CLIENT: TypeAdapter[Any] = TypeAdapter(ClientEvent)
_SERVER: TypeAdapter[Any] = TypeAdapter(ServerEvent)


def assert_client_event(message: bytes) -> dict[str, Any]:
    """Return the message, after checking every field of it against the SDK."""
    event = _CLIENT.validate_json(message)
    _assert_known(event, type(event).__name__)
    parsed: dict[str, Any] = json.loads(message)
    assert event.type == parsed["type"]
    if parsed["type"].endswith(("instructions.append", "thinking.append", "commentary.append")):
        assert "delegation_id" in parsed
    return parsed


def sound(duration_ms: int, audio_format: AudioFormat = PCMU, level: float = 0.2) -> bytes:
    """Return a tone, well above what counts as silence."""
    rate = audio_format.sample_rate_hz
    at = np.arange(rate * duration_ms // 1000) / rate
    pcm16 = (np.sin(2 * np.pi * 300 * at) * level * 32767).astype("<i2").tobytes()
    return encode(audio_format, pcm16)


def silence(duration_ms: int, audio_format: AudioFormat = PCMU) -> bytes:
    return audio_format.silence(audio_format.frame_bytes(duration_ms))


class LiveDriver:
    """Talks to one :class:`OpenAILive`; ``now`` goes on only when a test says so."""

    def __init__(
        self,
        config: LiveConfig | None = None,
        audio_format: AudioFormat = PCMU,
        brief: Brief | None = None,
        **options: Any,
    ) -> None:
        self.model = OpenAILive(
            config or LiveConfig(), Ids.seeded(1), audio_format, brief or Brief(), **options
        )
        self.now = 100.0
        self.position_ms = 0
        self._format = audio_format
        self._events = 0

    # The connection

    def connect(self, **session: Any) -> list[dict[str, Any]]:
        """Open a session that accepts all we asked for; returns what was sent after that."""
        self.begin()
        self.started(**session)
        return self.sent()

    def begin(self) -> dict[str, Any]:
        """Open a connection; returns the session asked for, which nothing may follow yet."""
        self.model.connection_made(self.now)
        self.position_ms = 0
        (start,) = self.sent()
        assert start["type"] == "session.start"
        session: dict[str, Any] = start["session"]
        return session

    def started(self, **session: Any) -> None:
        self.say("session.started", session=self.described(**session))

    def described(self, **session: Any) -> dict[str, Any]:
        return {
            "id": "live_1",
            "model": "gpt-live-1.1",
            "status": "active",
            "expires_at": 1756324625,
            "audio": {"format": wire_format(self._format)},
            **session,
        }

    def lose(self) -> None:
        self.model.connection_lost(self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass; timers run when they are due."""
        end = self.now + seconds
        for _ in range(1000):
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

    def told(self) -> list[tuple[str, str, str | None]]:
        """Return the kind, the text and the delegation of each append sent since."""
        return [
            (m["type"].split(".")[1], m["content"], m["delegation_id"])
            for m in self.sent()
            if m["type"].endswith("append")
        ]

    def events(self) -> list[ModelEvent]:
        return self.model.events_received()

    def of(self, *kinds: type) -> list[Any]:
        """Return the events of these kinds, and forget all others."""
        return [event for event in self.events() if isinstance(event, kinds)]

    # What the server says

    def say(self, kind: str, **fields: Any) -> None:
        self._events += 1
        event = {"type": kind, "event_id": f"event_s{self._events}", **fields}
        _SERVER.validate_python(event)
        self.raw(event)

    def raw(self, event: object) -> None:
        """Say something the SDK need not know."""
        self.model.receive_message(json.dumps(event), self.now)

    def delta(self, audio: bytes) -> None:
        """Send one delta of any length at once."""
        self.say("session.output_audio.delta", delta=b64encode(audio).decode())

    def play(self, audio: bytes, step_ms: int = 20) -> None:
        """Send audio at the pace of a clock, in deltas of ``step_ms``."""
        size = self._format.frame_bytes(step_ms)
        for at in range(0, len(audio), size):
            self.wait(step_ms / 1000)
            self.position_ms += step_ms
            self.delta(audio[at : at + size])

    def speak(self, duration_ms: int) -> None:
        self.play(sound(duration_ms, self._format))

    def pause(self, duration_ms: int) -> None:
        self.play(silence(duration_ms, self._format))

    def words(self, text: str, start_ms: int, end_ms: int, who: str = "output") -> None:
        """Send a fragment of a transcript; ``who`` is output (the model) or input."""
        kind = f"session.{who}_transcript.delta"
        self.say(kind, delta=text, start_ms=start_ms, end_ms=end_ms)

    def delegate(self, delegation_id: str = "del_1", target: str = "client") -> None:
        delegation = {"id": delegation_id, "type": "delegation", "target": target}
        self.say("session.delegation.created", offset_ms=100, delegation=delegation)

    def backend(self, kind: str, delegation_id: str = "del_1", **event: Any) -> None:
        """Send an event of the Responses backend."""
        inner = {"type": kind, "sequence_number": 1, **event}
        self.say("response.event", delegation_id=delegation_id, event=inner)

    def backend_call(self, call_id: str, name: str, arguments: str = "{}") -> None:
        item = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id}
        item |= {"name": name, "arguments": arguments, "status": "completed"}
        self.backend("response.output_item.done", output_index=0, item=item)

    def backend_done(self, kind: str = "response.completed", **response: Any) -> None:
        self.backend(kind, response={"id": "resp_b", "object": "response", **response})

    def error(self, code: str, event_id: str | None = None, **details: Any) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": f"about {code}"}
        self.say("error", error={**error, "client_event_id": event_id, "param": None, **details})
