"""Drives a ModelSession with a clock of its own, and checks every event it sends."""

from __future__ import annotations

import base64
import json
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.rehearsal.ears import Ears
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_session import ModelSession, measured
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, parse_scenario, shipped_scenario
from telephony.rehearsal.utterance import Voice, resampled

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
FORMATS = {"audio/pcm": L16_24K, "audio/pcmu": PCMU, "audio/pcma": PCMA}
VOICE = Voice(shipped_prompts())
EARS = Ears.for_caller(shipped_prompts())


def scenario(turns: str, **fields: Any) -> Scenario:
    """Return a scenario of the given YAML list of turns."""
    text = f"name: test\nturns:\n{turns}"
    return parse_scenario(text, "test.yaml").model_copy(update=fields)


def in_format(pcm16_8k: bytes, target: AudioFormat) -> bytes:
    converter = Converter(L16_8K, target)
    return converter.convert(pcm16_8k) + converter.flush()


def phrase(name: str, target: AudioFormat, before_ms: int = 400, after_ms: int = 900) -> bytes:
    """Return a prompt with silence around it."""
    silence = bytes(L16_8K.frame_bytes(before_ms)), bytes(L16_8K.frame_bytes(after_ms))
    return in_format(silence[0] + resampled(shipped_prompts()[name], L16_8K) + silence[1], target)


class Driver:
    """A client without a socket; ``now`` moves only in :meth:`advance`."""

    def __init__(
        self,
        played: Scenario | None = None,
        *,
        faults: ConnectionFaults | None = None,
        audio: str = "audio/pcmu",
        update: dict[str, Any] | None = None,
        ears: bool = True,
    ) -> None:
        self.now = 1000.0
        self.events: list[dict[str, Any]] = []
        self.garbage: list[str] = []
        self._ears = ears
        self.format = FORMATS[audio]
        self.session = ModelSession(
            played or shipped_scenario("default"),
            VOICE,
            Ids.seeded(7),
            "gpt-realtime-2.1",
            1_700_000_000,
            self.now,
            faults,
        )
        self._drain()
        io = {"format": {"type": audio}}
        self.send(
            "session.update", session={"type": "realtime", "audio": {"input": io, "output": io}}
        )
        if update:
            self.send("session.update", session={"type": "realtime", **update})

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a client event; return what it caused at once."""
        return self.send_raw(json.dumps({"type": kind, **fields}))

    def send_raw(self, message: str | bytes) -> list[dict[str, Any]]:
        start = len(self.events)
        self.session.receive_message(message, self.now)
        self._drain()
        return self.events[start:]

    def append(self, audio: bytes) -> list[dict[str, Any]]:
        text = base64.b64encode(audio).decode()
        return self.send("input_audio_buffer.append", audio=text)

    def stream(self, audio: bytes, chunk_ms: int = 60) -> list[dict[str, Any]]:
        """Send audio in real time, as far as the session can tell."""
        start = len(self.events)
        size = self.format.frame_bytes(chunk_ms)
        for at in range(0, len(audio), size):
            self.append(audio[at : at + size])
            self.advance(chunk_ms / 1000)
        return self.events[start:]

    def say(self, name: str, before_ms: int = 400, after_ms: int = 900) -> list[dict[str, Any]]:
        return self.stream(phrase(name, self.format, before_ms, after_ms))

    def advance(self, seconds: float) -> list[dict[str, Any]]:
        """Let time pass, stopping at every timer of the session."""
        start = len(self.events)
        end = self.now + seconds
        while True:
            due = self.session.next_timer()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.session.handle_timer(self.now)
            self._drain()
        self.now = end
        return self.events[start:]

    def _drain(self) -> None:
        for message in self.session.messages_to_send():
            try:
                event = json.loads(message)
            except ValueError:
                self.garbage.append(message)
                continue
            SERVER_EVENT.validate_python(event)
            self.events.append(event)
        for work in self.session.recognitions_to_do() if self._ears else ():
            text = EARS.recognise(work.pcm16).text or measured(work.speech_ms)
            self.session.transcript_ready(work.item_id, text, self.now)
            self._drain()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def last(self, kind: str) -> dict[str, Any]:
        return self.of(kind)[-1]

    def kinds(self, events: list[dict[str, Any]] | None = None) -> list[str]:
        """Return the types, runs of deltas as one."""
        out: list[str] = []
        for event in self.events if events is None else events:
            kind = event["type"]
            if kind.endswith(".delta") and kind in out[-2:]:
                continue
            out.append(kind)
        return out

    def greet(self) -> dict[str, Any]:
        """Ask for the greeting and let it come whole; return its response.done."""
        self.send("response.create")
        self.advance(5.0)
        return self.last("response.done")

    @property
    def conversation(self) -> Any:
        return self.session.conversation
