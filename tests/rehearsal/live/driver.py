"""Drives a LiveSession with a clock of its own, and checks every event against OpenAI's SDK."""

from __future__ import annotations

import base64
import json
from typing import Any

from openai.types.live.server_event import ServerEvent
from pydantic import TypeAdapter

from telephony.audio.format import PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.openai_live_config import wire_format
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.live.session import LiveSession
from telephony.rehearsal.model_session import measured
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from tests.rehearsal.driver import EARS, VOICE, phrase

_SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(ServerEvent)


class LiveDriver:
    """A client without a socket; ``now`` moves only in :meth:`advance`."""

    def __init__(
        self,
        played: Scenario | None = None,
        *,
        faults: ConnectionFaults | None = None,
        audio_format: AudioFormat = PCMU,
        started: bool = True,
        **fields: Any,
    ) -> None:
        self.now = 1000.0
        self.events: list[dict[str, Any]] = []
        self.garbage: list[str] = []
        self.audio = bytearray()
        self.format = audio_format
        self.session = LiveSession(
            played or shipped_scenario("default"),
            VOICE,
            Ids.seeded(1),
            1_700_000_000,
            self.now,
            faults,
        )
        if started:
            self.start(**fields)

    def start(self, **fields: Any) -> None:
        session = {"model": "gpt-live-1.1", "audio": {"format": wire_format(self.format)}}
        self.send("session.start", session=session | fields)

    def send(self, kind: str, **fields: Any) -> None:
        self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, message: str | bytes) -> None:
        self.session.receive_message(message, self.now)
        self._take()

    def append(self, kind: str, content: str, delegation_id: str | None = None) -> None:
        self.send(f"session.{kind}.append", content=content, delegation_id=delegation_id)

    def speak(self, name: str) -> None:
        """Say a phrase of the caller's, in real time."""
        audio = phrase(name, self.format)
        size = self.format.frame_bytes(40)
        for at in range(0, len(audio), size):
            piece = base64.b64encode(audio[at : at + size]).decode()
            self.send("session.input_audio.append", audio=piece)
            self.advance(40)

    def advance(self, duration_ms: float) -> None:
        end = self.now + duration_ms / 1000
        while (due := self.session.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.session.handle_timer(self.now)
            self._take()
        self.now = end

    def _take(self) -> None:
        for work in self.session.recognitions_to_do():
            text = EARS.recognise(work.pcm16).text or measured(work.speech_ms)
            self.session.transcript_ready(work.item_id, text, self.now)
        for message in self.session.messages_to_send():
            try:
                event = json.loads(message)
            except ValueError:
                self.garbage.append(message)
                continue
            parsed = _SERVER_EVENT.validate_python(event)
            assert parsed.type == event["type"]
            if event["type"] == "session.output_audio.delta":
                self.audio += base64.b64decode(event["delta"])
            else:
                self.events.append(event)

    # What came

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def last(self, kind: str) -> dict[str, Any]:
        return self.of(kind)[-1]

    def words(self, who: str = "output") -> str:
        return "".join(event["delta"] for event in self.of(f"session.{who}_transcript.delta"))

    @property
    def error_codes(self) -> list[str]:
        return [event["error"]["code"] for event in self.of("error")]
