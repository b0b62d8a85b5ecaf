"""One response, from ``response.created`` to ``response.done``, performed in time.

The order of events is that of the API: created, rate limits, then for each output item its
``added`` events, its deltas, its ``done`` events, and ``response.done`` with the usage at last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.rehearsal.conversation import Conversation, Item, Part
from telephony.rehearsal.faults import ErrorFault
from telephony.rehearsal.outbox import Outbox, Wire
from telephony.rehearsal.remote_tools import RemoteTools, needs_approval
from telephony.rehearsal.scenario import Pace, RemoteCall, ToolCall
from telephony.rehearsal.script import Cue
from telephony.rehearsal.settings import ResponseSettings
from telephony.rehearsal.usage import Usage
from telephony.rehearsal.utterance import Clip, Utterance, Voice

Status = Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]

_RATE_LIMITS = [
    {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 0.06},
    {"name": "tokens", "limit": 50000, "remaining": 49950, "reset_seconds": 0.06},
]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the responses of one session share."""

    outbox: Outbox
    conversation: Conversation
    voice: Voice
    pace: Pace
    ids: Ids
    remote: RemoteTools
    wrong_format: AudioFormat | None = None


class ResponseRun:
    """Emits its events when their time has come: ``due_at`` says when to ``advance`` it.

    ``due_at`` is None while the cue is awaited and when nothing is left to do.
    """

    def __init__(self, stage: Stage, settings: ResponseSettings, input_usage: Usage) -> None:
        self._stage = stage
        self._settings = settings
        self._usage = input_usage
        self._steps: Iterator[float] = iter(())
        self._items: list[Item] = []
        self._open: Item | None = None
        self._late: tuple[str, ...] = ()
        self._cue = Cue()
        self._sent_words = 0
        self.id = f"resp_{stage.ids.token(10)}"
        self.status: Status = "in_progress"
        self._details: Wire | None = None
        self.due_at: float | None = None
        self.audio_started_at: float | None = None
        self.audio_ms = 0.0

    @property
    def in_conversation(self) -> bool:
        return self._settings.in_conversation

    @property
    def is_active(self) -> bool:
        return self.status == "in_progress"

    @property
    def items(self) -> list[Item]:
        return self._items

    def begin(self) -> None:
        outbox = self._stage.outbox
        outbox.emit("response.created", response=self._to_wire())
        outbox.emit("rate_limits.updated", rate_limits=_RATE_LIMITS)

    def perform(self, cue: Cue, echo: Clip | None, now: float) -> None:
        """Begin to answer as ``cue`` says; ``echo`` is what the caller said last."""
        faults = cue.faults
        self._cue = cue
        self._stage.outbox.duplicating = faults.duplicate_events
        for _ in range(faults.garbage_frames):
            self._stage.outbox.write_raw('{"type":"response.output_audio.delta","delta":')
        first_ms = faults.first_delta_ms
        delay_ms = cue.delay_ms + (
            self._stage.pace.first_delta_ms if first_ms is None else first_ms
        )
        self._steps = self._fail(faults.error) if faults.error else self._speak_and_call(cue, echo)
        self.due_at = now + delay_ms / 1000

    def advance(self, now: float) -> None:
        """Do everything that is due at ``now``."""
        while self.due_at is not None and self.due_at <= now:
            delay_s = next(self._steps, None)
            self.due_at = None if delay_s is None else self.due_at + delay_s

    def cancel(self, reason: Literal["turn_detected", "client_cancelled"], now: float) -> None:
        """Stop here: close what is open, say that the response was cancelled."""
        if self._open is not None:
            self._close(self._open, "incomplete")
        self._finish("cancelled", {"type": "cancelled", "reason": reason})
        self._late = self._late[: self._cue.faults.late_deltas]
        self._steps = self._late_deltas()
        self.due_at = now if self._late else None

    def _speak_and_call(self, cue: Cue, echo: Clip | None) -> Iterator[float]:
        stage, settings = self._stage, self._settings
        audio_format = stage.wrong_format or settings.output_format
        utterance = stage.voice.say(cue.say, echo, audio_format, stage.pace.delta_ms)
        if utterance is not None:
            spoken = settings.modality == "audio"
            yield from self._say(utterance) if spoken else self._write(utterance.transcript)
        for call in self._allowed(cue.call) if self.is_active else ():
            yield from self._call(call)
        for remote in cue.remote if self.is_active else ():
            yield from self._call_remote(remote)
        if self.is_active:
            self._finish("completed", {"type": "completed"})

    def _say(self, utterance: Utterance) -> Iterator[float]:
        pace = self._stage.pace
        part = Part("output_audio", utterance=utterance, audio_format=utterance.audio_format)
        item = self._open_message(part)
        self.audio_started_at = self.due_at
        for index, delta in enumerate(utterance.deltas):
            end_ms = min((index + 1) * utterance.delta_ms, utterance.duration_ms)
            # The model writes ahead of its voice.
            self._send_words(item, part, utterance.transcript_begun(end_ms))
            self._emit("response.output_audio.delta", item, content_index=0, delta=delta)
            self.audio_ms += end_ms - index * utterance.delta_ms
            self._late = utterance.deltas[index + 1 :]
            if not part.truncated:
                part.audio_ms = end_ms
            if self._is_over_limit():
                self._close(item, "incomplete")
                details = {"type": "incomplete", "reason": "max_output_tokens"}
                return self._finish("incomplete", details)
            if index + 1 < len(utterance.deltas):
                yield utterance.delta_ms / 1000 / pace.speed
        self._close(item, "completed")
        return None

    def _send_words(self, item: Item, part: Part, transcript: str) -> None:
        delta = transcript[self._sent_words :]
        if not delta:
            return
        self._sent_words = len(transcript)
        self._emit("response.output_audio_transcript.delta", item, content_index=0, delta=delta)
        if not part.truncated:
            part.text = transcript

    def _is_over_limit(self) -> bool:
        limit = self._settings.max_output_tokens
        return isinstance(limit, int) and self.audio_ms / 50 > limit

    def _write(self, text: str) -> Iterator[float]:
        part = Part("output_text")
        item = self._open_message(part)
        for word in text.split():
            delta = f" {word}" if part.text else word
            part.text += delta
            self._emit("response.output_text.delta", item, content_index=0, delta=delta)
            yield 0.005
        self._close(item, "completed")

    def _call(self, call: ToolCall) -> Iterator[float]:
        ids = self._stage.ids
        item = Item(f"item_{ids.token(10)}", "function_call", status="in_progress")
        item.name, item.call_id = call.name, f"call_{ids.token(8)}"
        self._add(item)
        text = json.dumps(call.arguments)
        for at in range(0, len(text), 16):
            delta = text[at : at + 16]
            item.arguments += delta
            kind = "response.function_call_arguments.delta"
            self._emit(kind, item, call_id=item.call_id, delta=delta)
            yield 0.005
        self._close(item, "completed")

    def _call_remote(self, call: RemoteCall) -> Iterator[float]:
        remote = self._stage.remote
        tool = remote.offered(call, self._settings.tools)
        if tool is None:
            return
        if needs_approval(tool, call.name):
            item = remote.request(call)
            self._add(item)
            self._close(item, "completed")
            return
        item = remote.call(call)
        self._add(item)
        arguments = item.extra["arguments"]
        self._emit("response.mcp_call_arguments.delta", item, delta=arguments)
        self._emit("response.mcp_call_arguments.done", item, arguments=arguments)
        yield from remote.perform(item, call, self._emit_unnamed)
        self._close(item, "completed")

    def _emit_unnamed(self, kind: str, item: Item) -> None:
        """Emit an event that does not name its response."""
        self._stage.outbox.emit(kind, item_id=item.id, output_index=len(self._items) - 1)

    def _allowed(self, calls: tuple[ToolCall, ...]) -> Iterator[ToolCall]:
        """Return the calls this response may make; a tool that must be called always is."""
        choice = self._settings.tool_choice
        offered = [tool["name"] for tool in self._settings.tools if tool["type"] == "function"]
        if choice == "none":
            return
        forced = choice["name"] if isinstance(choice, dict) and "name" in choice else None
        wanted = [call for call in calls if call.name in offered and forced in (None, call.name)]
        if not wanted and (forced in offered or (choice == "required" and offered)):
            wanted = [ToolCall(name=forced or offered[0])]
        yield from wanted if self._settings.parallel_tool_calls else wanted[:1]

    def _fail(self, error: ErrorFault) -> Iterator[float]:
        wire = {"type": error.type, "code": error.code, "message": error.message}
        self._stage.outbox.emit("error", error=wire | {"param": None, "event_id": None})
        self._finish("failed", {"type": "failed", "error": wire})
        yield from ()

    def _late_deltas(self) -> Iterator[float]:
        item = self._items[-1]
        for delta in self._late:
            self._emit("response.output_audio.delta", item, content_index=0, delta=delta)
            yield self._stage.pace.delta_ms / 1000 / self._stage.pace.speed

    def _open_message(self, part: Part) -> Item:
        item = Item(f"item_{self._stage.ids.token(10)}", role="assistant", status="in_progress")
        self._add(item)
        item.content.append(part)
        wire = {"type": "text", "text": ""}
        if part.kind == "output_audio":
            wire = {"type": "audio", "transcript": ""}
        self._emit("response.content_part.added", item, content_index=0, part=wire)
        return item

    def _add(self, item: Item) -> None:
        self._items.append(item)
        self._open = item
        self._emit_item("response.output_item.added", item)
        if self.in_conversation:
            previous = self._stage.conversation.add(item)
            self._stage.outbox.emit(
                "conversation.item.added", previous_item_id=previous, item=item.to_wire()
            )

    def _close(self, item: Item, status: Literal["completed", "incomplete"]) -> None:
        self._open = None
        item.status = status
        if item.kind == "function_call":
            kind = "response.function_call_arguments.done"
            call = {"name": item.name, "arguments": item.arguments}
            self._emit(kind, item, call_id=item.call_id, **call)
        elif item.kind == "message":
            self._close_part(item, item.content[0])
        if self.in_conversation:
            previous = self._stage.conversation.previous_id(item)
            self._stage.outbox.emit(
                "conversation.item.done", previous_item_id=previous, item=item.to_wire()
            )
        self._emit_item("response.output_item.done", item)

    def _close_part(self, item: Item, part: Part) -> None:
        if part.kind == "output_text":
            self._emit("response.output_text.done", item, content_index=0, text=part.text)
            wire = {"type": "text", "text": part.text}
        else:
            self._emit("response.output_audio.done", item, content_index=0)
            kind = "response.output_audio_transcript.done"
            self._emit(kind, item, content_index=0, transcript=part.text)
            wire = {"type": "audio", "transcript": part.text}
        self._emit("response.content_part.done", item, content_index=0, part=wire)

    def _finish(self, status: Status, details: Wire) -> None:
        self.status = status
        self._details = details
        self._usage.count_output(self._items, self.audio_ms)
        self._stage.outbox.emit("response.done", response=self._to_wire())
        self._stage.outbox.duplicating = False

    def _emit(self, kind: str, item: Item, **fields: Any) -> None:
        self._stage.outbox.emit(
            kind,
            response_id=self.id,
            item_id=item.id,
            output_index=len(self._items) - 1,
            **fields,
        )

    def _emit_item(self, kind: str, item: Item) -> None:
        index = len(self._items) - 1
        wire = item.to_wire()
        self._stage.outbox.emit(kind, response_id=self.id, output_index=index, item=wire)

    def _to_wire(self) -> Wire:
        settings = self._settings
        conversation = self._stage.conversation.id if self.in_conversation else None
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._details,
            "output": [item.to_wire() for item in self._items],
            "conversation_id": conversation,
            "output_modalities": [settings.modality],
            "max_output_tokens": settings.max_output_tokens,
            "audio": {"output": {"format": settings.wire_format, "voice": settings.voice}},
            "usage": None if self.is_active else self._usage.to_wire(),
            "metadata": settings.metadata,
        }
