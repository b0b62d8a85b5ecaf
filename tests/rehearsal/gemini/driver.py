"""Our dialect and the rehearsal session, end to end without a socket or a clock."""

from __future__ import annotations

import json
from typing import Any

from google.genai import types

from telephony.audio.format import L16_16K
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_live import GeminiLive
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.gemini.grants import Handles
from telephony.rehearsal.gemini.model_session import GeminiSession, Place
from telephony.rehearsal.model_session import measured
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario
from tests.rehearsal.driver import EARS, VOICE, phrase, scenario

PROMPTS = shipped_prompts()
BOOK = FunctionTool(name="book", parameters={"type": "object", "properties": {"seats": {}}})
FAST = {"delta_ms": 100, "speed": 20.0, "first_delta_ms": 20}


def played(turns: str, **fields: Any) -> Scenario:
    base = scenario(turns, **fields)
    return base.model_copy(update={"pace": base.pace.model_copy(update=FAST)})


class Pair:
    """Both ends of a conversation; time goes on only in :meth:`run`."""

    def __init__(
        self,
        turns: str,
        config: GeminiConfig | None = None,
        *,
        place: Place | None = None,
        faults: ConnectionFaults | None = None,
        **fields: Any,
    ) -> None:
        self.now = 100.0
        self.ids = Ids.seeded(3)
        self.scenario = played(turns, **fields)
        self.handles = Handles(self.ids)
        self.place = place or Place()
        self.events: list[Any] = []
        self.messages: list[dict[str, Any]] = []
        self.garbage = 0
        brief = Brief("Be brief.", (BOOK,))
        self.client = GeminiLive(config or GeminiConfig(), brief, Ids.seeded(4))
        self.connect(faults)

    def connect(self, faults: ConnectionFaults | None = None) -> None:
        self.server = GeminiSession(
            self.scenario, VOICE, self.ids, self.handles, self.place, self.now, faults
        )
        self.client.connection_made(self.now)
        self.exchange()

    def reconnect(self) -> None:
        self.server.connection_lost()
        self.client.connection_lost(self.now)
        self.events += self.client.events_received()
        self.connect()

    def exchange(self) -> None:
        busy = True
        while busy:
            busy = False
            for message in self.client.messages_to_send():
                self.server.receive_message(message, self.now)
                busy = True
            for work in self.server.recognitions_to_do():
                text = EARS.recognise(work.pcm16).text or measured(work.speech_ms)
                self.server.transcript_ready(work.item_id, text, self.now)
            for text in self.server.messages_to_send():
                self._check(text)
                self.client.receive_message(text.encode(), self.now)
                busy = True
            self.events += self.client.events_received()

    def _check(self, text: str) -> None:
        """Hold what the server says to the types of the SDK."""
        try:
            message = json.loads(text)
        except ValueError:
            self.garbage += 1
            return
        types.LiveServerMessage.model_validate(message)
        self.messages.append(message)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.01
            for side in (self.client, self.server):
                due = side.next_timer()
                if due is not None and due <= self.now:
                    side.handle_timer(self.now)
            self.exchange()

    def hear(self, pcm16: bytes) -> None:
        """Append audio of the caller in real time."""
        size = L16_16K.frame_bytes(60)
        for at in range(0, len(pcm16), size):
            message = self.client.append_message(pcm16[at : at + size])
            self.server.receive_message(message, self.now)
            self.exchange()
            self.run(0.06)

    def say(self, name: str) -> None:
        self.hear(phrase(name, L16_16K))

    def ask(self, instructions: str | None = None) -> None:
        self.client.create_response(instructions)
        self.exchange()

    def of(self, kind: type | tuple[type, ...]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def said(self) -> list[tuple[str, str]]:
        """Return what the server believes was spoken and written."""
        entries = self.server.conversation
        return [(e.role, e.text) for e in entries if e.kind in ("speech", "text")]
