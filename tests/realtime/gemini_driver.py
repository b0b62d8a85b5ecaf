"""A Gemini server end for the core's tests, held to the types of Google's own SDK.

What the core sends must be a client message of the SDK without a field the SDK doesn't know; what
the driver says must be a server message of the SDK.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from google.genai import types

from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ModelEvent
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_live import GeminiLive

TOOL = FunctionTool(name="book", description="Books.", parameters={"type": "object"})
RATE = "audio/pcm;rate=24000"
SECOND = bytes(48_000)


def assert_client_message(message: bytes) -> dict[str, Any]:
    """Return the message, after checking every field of it against the SDK."""
    parsed: dict[str, Any] = json.loads(message)
    assert len(parsed) == 1
    checked = json.loads(message)
    if "setup" in checked:
        # The SDK has no type for a whole setup: this part of it goes by another.
        realtime_input = checked["setup"].pop("realtimeInputConfig")
        types.RealtimeInputConfig.model_validate(realtime_input)
    types.LiveClientMessage.model_validate(checked)
    return parsed


class Driver:
    """Talks to one :class:`GeminiLive`; ``now`` goes on only when a test says so."""

    def __init__(
        self,
        config: GeminiConfig | None = None,
        brief: Brief | None = None,
        **options: float,
    ) -> None:
        brief = brief or Brief("Be brief.", (TOOL,))
        self.model = GeminiLive(config or GeminiConfig(), brief, Ids.seeded(1), **options)
        self.now = 100.0

    def connect(self) -> dict[str, Any]:
        """Open a session; returns the setup that was sent."""
        self.model.connection_made(self.now)
        (message,) = self.sent()
        self.say(setupComplete={"sessionId": "s1"})
        return message["setup"]

    def lose(self) -> None:
        self.model.connection_lost(self.now)

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

    def sent(self) -> list[dict[str, Any]]:
        return [assert_client_message(message) for message in self.model.messages_to_send()]

    def events(self) -> list[ModelEvent]:
        return self.model.events_received()

    def of(self, kind: type | tuple[type, ...]) -> list[Any]:
        return [event for event in self.events() if isinstance(event, kind)]

    # What the server says

    def say(self, **message: Any) -> None:
        types.LiveServerMessage.model_validate(message)
        self.raw(message)

    def raw(self, message: object) -> None:
        """Say something the SDK need not know, in a binary frame."""
        self.model.receive_message(json.dumps(message).encode(), self.now)

    def content(self, usage: dict[str, Any] | None = None, **content: Any) -> None:
        if usage is None:
            self.say(serverContent=content)
        else:
            self.say(serverContent=content, usageMetadata=usage)

    def audio(self, *pieces: bytes, mime_type: str = RATE) -> None:
        self.content(modelTurn={"role": "model", "parts": [part(a, mime_type) for a in pieces]})

    def words(self, text: str, **fields: Any) -> None:
        self.content(outputTranscription={"text": text, **fields})

    def caller_words(self, text: str, **fields: Any) -> None:
        self.content(inputTranscription={"text": text, **fields})

    def call(self, *calls: tuple[str, str]) -> None:
        described = [{"id": i, "name": name, "args": {"for_whom": "Ann"}} for i, name in calls]
        self.say(toolCall={"functionCalls": described})

    def handle(self, handle: str = "h1", resumable: bool = True) -> None:
        self.say(sessionResumptionUpdate={"newHandle": handle, "resumable": resumable})

    def answer(self, text: str = "Hello there.", audio: bytes = SECOND) -> None:
        """Give a whole turn."""
        self.audio(audio)
        self.words(text)
        self.content(generationComplete=True)
        self.content(turnComplete=True)


def part(audio: bytes, mime_type: str = RATE) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime_type, "data": b64encode(audio).decode()}}


def text_turn(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def asked(text: str) -> dict[str, Any]:
    """Return the message that asks for an answer to ``text``."""
    return {"clientContent": {"turns": [text_turn(text)], "turnComplete": True}}
