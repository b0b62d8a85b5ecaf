"""Our client and our server without a socket: what each says reaches the other at once."""

from __future__ import annotations

import json
from typing import Any

from telephony.app.model_apis import MODEL_APIS
from telephony.audio.format import L16_24K, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_session import ModelSession, measured
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from telephony.rehearsal.server_variant import SERVER_VARIANTS
from tests.rehearsal.driver import EARS, VOICE, phrase


class Pair:
    """A client and a server that exchange their messages at once."""

    def __init__(
        self,
        audio: AudioFormat = PCMU,
        played: Scenario | None = None,
        faults: ConnectionFaults | None = None,
        api: str = "openai_realtime",
        brief: Brief | None = None,
        **config: Any,
    ) -> None:
        self.now = 50.0
        self.api = api
        self.scenario = played or shipped_scenario("default")
        model = MODEL_APIS[api].read(config)
        wish: ModelFormat = "pcm16" if audio == L16_24K else "auto"
        line = PCMU if audio == L16_24K else audio
        brief = brief or Brief(config.get("instructions", ""))
        self.client = model.new_dialect(brief, line, wish, Ids.seeded(1))
        self.sent: list[dict[str, Any]] = []
        self.events: list[Any] = []
        self.connections = 0
        self.connect(faults)

    def connect(self, faults: ConnectionFaults | None = None) -> None:
        self.connections += 1
        ids = Ids.seeded(100 + self.connections)
        self.server = ModelSession(
            self.scenario,
            VOICE,
            ids,
            "gpt-realtime-2.1",
            1,
            self.now,
            faults,
            SERVER_VARIANTS[self.api].dialect(),
        )
        self.client.connection_made(self.now)
        self.exchange()

    def exchange(self) -> None:
        busy = True
        while busy:
            busy = False
            for message in self.client.messages_to_send():
                self.sent.append(json.loads(message))
                self.server.receive_message(message, self.now)
                busy = True
            for work in self.server.recognitions_to_do():
                text = EARS.recognise(work.pcm16).text or measured(work.speech_ms)
                self.server.transcript_ready(work.item_id, text, self.now)
            for message in self.server.messages_to_send():
                self.client.receive_message(message, self.now)
                busy = True
            self.events += self.client.events_received()

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.01
            for side in (self.client, self.server):
                due = side.next_timer()
                if due is not None and due <= self.now:
                    side.handle_timer(self.now)
            self.exchange()

    def say(self, name: str) -> None:
        audio = self.client.input_format
        data = phrase(name, audio)
        size = audio.frame_bytes(60)
        for at in range(0, len(data), size):
            self.server.receive_message(self.client.append_message(data[at : at + size]), self.now)
            self.exchange()
            self.run(0.06)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def sent_of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == kind]
