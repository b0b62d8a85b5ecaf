"""The shell's side of a cascade for the core's tests: every request is checked as the API would."""

from __future__ import annotations

from typing import Any, TypeVar

from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.base.ids import Ids
from telephony.base.speech import SpeechMark, Transcript, TurnHint
from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.cascade import Cascade
from telephony.realtime.cascade.config import API_VERSION, CascadeConfig
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ModelEvent
from telephony.realtime.function_tool import FunctionTool
from telephony.rehearsal.anthropic.request_checks import Refusal, read_request
from telephony.rehearsal.prompt_library import shipped_prompts

Command = TypeVar("Command")
Event = TypeVar("Event")

TOOL = FunctionTool(name="look_up", description="Looks up an order.")
FRAME_MS = 20


def config(**session: Any) -> CascadeConfig:
    return CascadeConfig.from_mapping({"stt": {"type": "x"}, "tts": {"type": "x"}} | session)


def spoken(name: str = "caller_yes") -> bytes:
    return l16_to_pcmu(shipped_prompts()[name].pcm16)


class Driver:
    """Holds a core in PCMU both ways, and its time."""

    def __init__(self, brief: Brief | None = None, connect: bool = True, **session: Any) -> None:
        self.core = Cascade(
            config(**session), brief or Brief("Be brief.", (TOOL,)), Ids.seeded(1), PCMU, PCMU
        )
        self.now = 100.0
        self.commands: list[Any] = []
        self.events: list[ModelEvent] = []
        if connect:
            self.core.connection_made(self.now)
            self.drain()

    def drain(self) -> None:
        self.commands += self.core.messages_to_send()
        events = self.core.events_received()
        self.events += events
        for command in self.commands:
            if isinstance(command, say.Generate):
                read = read_request(command.body, API_VERSION)
                assert not isinstance(read, Refusal), read

    def tell(self, report: Any) -> None:
        self.core.receive_message(report, self.now)
        self.drain()

    def wait(self, seconds: float) -> None:
        """Let time pass, timers included."""
        end = self.now + seconds
        for _ in range(100):
            due = self.core.next_timer()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.core.handle_timer(self.now)
            self.drain()
        else:
            raise AssertionError("the timers never come to rest")
        self.now = end

    # The caller

    def hear(self, pcmu: bytes) -> None:
        size = PCMU.frame_bytes(FRAME_MS)
        for at in range(0, len(pcmu) - size + 1, size):
            message = self.core.append_message(pcmu[at : at + size])
            self.now += FRAME_MS / 1000
            if message.news:
                self.tell(say.AudioHeard())

    def silence(self, ms: int) -> None:
        self.hear(PCMU.silence(PCMU.frame_bytes(ms)))

    def speak(self, name: str = "caller_yes", ms: int | None = None) -> None:
        """Let the caller speak a prompt, or its first so many ms."""
        pcmu = spoken(name)
        self.hear(pcmu if ms is None else pcmu[: PCMU.frame_bytes(ms)])

    def transcript(self, text: str, final: bool = False, hint: TurnHint | None = None) -> None:
        self.tell(say.TranscriptReceived(Transcript(text, final, hint)))

    def turn(self, text: str) -> None:
        """Let the caller say ``text``, by a transcriber that only speaks when it is asked."""
        self.speak()
        self.silence(1000)
        assert self.take(say.FinishTurn)
        self.transcript(text, final=True)
        self.tell(say.TurnFlushed())

    # The language model

    def generation(self) -> say.Generate:
        """Return the last request that was made."""
        return self.all(say.Generate)[-1]

    def body(self) -> dict[str, Any]:
        return self.generation().body

    def last_words(self) -> str:
        """Return the text of the last message of the last request."""
        return "\n".join(b.get("text", "") for b in self.body()["messages"][-1]["content"])

    def delta(self, event: dict[str, Any], generation_id: str | None = None) -> None:
        self.tell(say.ModelDelta(generation_id or self.generation().generation_id, event))

    def write(self, *texts: str) -> None:
        usage = {"input_tokens": 10, "output_tokens": 1}
        self.delta({"type": "message_start", "message": {"usage": usage}})
        for text in texts:
            self.more(text)

    def more(self, text: str) -> None:
        delta = {"type": "text_delta", "text": text}
        self.delta({"type": "content_block_delta", "index": 0, "delta": delta})

    def call(self, call_id: str, name: str = "look_up", arguments: str = "{}") -> None:
        block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        self.delta({"type": "content_block_start", "index": 1, "content_block": block})
        delta = {"type": "input_json_delta", "partial_json": arguments}
        self.delta({"type": "content_block_delta", "index": 1, "delta": delta})
        self.delta({"type": "content_block_stop", "index": 1})

    def end(self, stop_reason: str = "end_turn") -> None:
        usage = {"output_tokens": 7}
        delta = {"stop_reason": stop_reason}
        self.delta({"type": "message_delta", "delta": delta, "usage": usage})
        self.delta({"type": "message_stop"})

    def fail(self, status: int, code: str, retry_after_s: float | None = None) -> None:
        generation_id = self.generation().generation_id
        self.tell(say.GenerationFailed(generation_id, status, code, "no", retry_after_s))

    # The voice

    def utterance(self) -> str:
        return self.all(say.Speak)[-1].utterance_id

    def text(self, utterance_id: str | None = None) -> str:
        """Return all that the voice was given of an utterance."""
        wanted = utterance_id or self.utterance()
        return "".join(c.text for c in self.all(say.Speak) if c.utterance_id == wanted)

    def audio(self, ms: int, utterance_id: str | None = None) -> None:
        audio = b"\x10" * PCMU.frame_bytes(ms)
        self.tell(say.SpeechAudio(utterance_id or self.utterance(), audio))

    def mark(self, characters: int, audio_ms: float) -> None:
        self.tell(say.SpeechAligned(self.utterance(), (SpeechMark(characters, audio_ms),)))

    def spoken(self, utterance_id: str | None = None) -> None:
        self.tell(say.SpeechFinished(utterance_id or self.utterance()))

    def say_all(self, text: str, ms: int = 1000) -> str:
        """Let the bot say ``text`` from request to last audio; returns the item."""
        self.write(text)
        self.end()
        item_id = self.utterance()
        self.audio(ms)
        self.mark(len(text), ms)
        self.spoken()
        return item_id

    # What came of it

    def all(self, kind: type[Command]) -> list[Command]:
        return [command for command in self.commands if isinstance(command, kind)]

    def take(self, kind: type[Command]) -> list[Command]:
        found = self.all(kind)
        self.commands = [command for command in self.commands if not isinstance(command, kind)]
        return found

    def seen(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[Event]) -> Event:
        return self.seen(kind)[-1]
