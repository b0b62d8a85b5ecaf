"""One turn of the model, performed in time.

Speech comes faster than it lasts. When all of it was sent the turn is generated, and complete
when a client that plays it in real time has played it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from telephony.audio.format import L16_24K
from telephony.base.ids import Ids
from telephony.rehearsal.gemini.said import Conversation, Said, audio_tokens
from telephony.rehearsal.outbox import Wire
from telephony.rehearsal.scenario import Pace, ToolCall
from telephony.rehearsal.script import Cue
from telephony.rehearsal.utterance import Clip, Utterance, Voice

_MIME_TYPE = "audio/pcm;rate=24000"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the turns of one session share. ``blocking`` says of each tool whether it is waited for.

    ``emit`` sends one message.
    """

    emit: Callable[[Wire], None]
    conversation: Conversation
    voice: Voice
    pace: Pace
    ids: Ids
    blocking: dict[str, bool]
    transcribes: bool
    reports_status: bool


class ModelTurn:
    """``due_at`` says when to :meth:`advance` it; None while it waits for tools, and at the end.

    ``waiting`` are the calls, by id, that it waits for; ``made`` are all others.
    """

    def __init__(self, stage: Stage, prompt_tokens: tuple[int, int]) -> None:
        self._stage = stage
        self._prompt_tokens = prompt_tokens
        self._steps: Iterator[float] = iter(())
        self._entry: Said | None = None
        self._utterance: Utterance | None = None
        self._spoken_before_ms = 0.0
        self._words = 0
        self._late: tuple[str, ...] = ()
        self._late_deltas = 0
        self._audio_started_at = 0.0
        self.waiting: dict[str, str] = {}
        self.made: dict[str, str] = {}
        self.over = False
        self.due_at: float | None = None

    def perform(self, cue: Cue, echo: Clip | None, now: float) -> None:
        """Answer as ``cue`` says; more than once when the turn goes on after its tools."""
        first_ms = cue.faults.first_delta_ms
        delay_ms = self._stage.pace.first_delta_ms if first_ms is None else first_ms
        self._late_deltas = cue.faults.late_deltas
        self._steps = self._speak_and_call(cue, echo)
        self.due_at = now + (cue.delay_ms + delay_ms) / 1000

    def advance(self, now: float) -> None:
        """Do everything that is due at ``now``."""
        while self.due_at is not None and self.due_at <= now:
            delay_s = next(self._steps, None)
            self.due_at = None if delay_s is None else self.due_at + delay_s

    def _speak_and_call(self, cue: Cue, echo: Clip | None) -> Iterator[float]:
        stage = self._stage
        utterance = stage.voice.say(cue.say, echo, L16_24K, stage.pace.delta_ms)
        if utterance is not None:
            yield from self._say(utterance)
        calls = [call for call in cue.call if call.name in stage.blocking]
        if calls:
            self._call(calls)
        if self.waiting:
            return
        yield from self._finish()

    def _say(self, utterance: Utterance) -> Iterator[float]:
        stage = self._stage
        self._utterance, self._words = utterance, 0
        entry = self._entry = stage.conversation.add(Said("model", "speech"))
        self._spoken_before_ms = self._remaining_ms(self.due_at or 0.0)
        self._audio_started_at = self.due_at or 0.0
        for index, delta in enumerate(utterance.deltas):
            end_ms = min((index + 1) * utterance.delta_ms, utterance.duration_ms)
            entry.text = utterance.transcript_begun(end_ms)
            entry.audio_ms = end_ms
            self._late = utterance.deltas[index + 1 :]
            stage.emit({"serverContent": self._content(delta, entry.text)})
            if index + 1 < len(utterance.deltas):
                yield utterance.delta_ms / 1000 / stage.pace.speed

    def _content(self, delta: str, transcript: str) -> Wire:
        """Return audio in two parts and the words that go with it."""
        content: Wire = {"modelTurn": {"role": "model", "parts": _parts(delta)}}
        words = transcript[self._words :]
        if words and self._stage.transcribes:
            content["outputTranscription"] = {"text": words}
        self._words = len(transcript)
        return content

    def _call(self, calls: list[ToolCall]) -> None:
        stage = self._stage
        described = []
        for call in calls:
            call_id = f"function-call-{stage.ids.token(8)}"
            waits = stage.blocking[call.name]
            (self.waiting if waits else self.made)[call_id] = call.name
            entry = Said("model", "call", name=call.name, call_id=call_id)
            stage.conversation.add(entry)
            described.append({"id": call_id, "name": call.name, "args": call.arguments})
        stage.emit({"toolCall": {"functionCalls": described}})

    def _finish(self) -> Iterator[float]:
        now = self.due_at or 0.0
        self._stage.emit({"serverContent": {"generationComplete": True}})
        self._late = ()
        yield self._remaining_ms(now) / 1000
        self._end()

    def _remaining_ms(self, now: float) -> float:
        """Return how much of what was spoken a client has still to play."""
        if self._entry is None:
            return 0.0
        spoken_ms = self._spoken_before_ms + self._entry.audio_ms
        return max(0.0, spoken_ms - (now - self._audio_started_at) * 1000)

    def _end(self) -> None:
        content: Wire = {"turnComplete": True}
        if self._stage.reports_status:
            content["interactionStatus"] = "IDLE"
        self.over, self.due_at = True, None
        self._stage.emit({"serverContent": content, "usageMetadata": self._usage()})

    def interrupt(self, cancelled: Collection[str], now: float) -> None:
        """The caller cuts the turn off: keep what was heard, want no more of these calls."""
        for delta in self._late[: self._late_deltas]:
            # On their way when the caller began to speak.
            parts = {"role": "model", "parts": _parts(delta)}
            self._stage.emit({"serverContent": {"modelTurn": parts}})
        if self._entry is not None and self._utterance is not None:
            entry = self._entry
            heard_ms = entry.audio_ms - self._remaining_ms(now)
            if heard_ms < self._utterance.duration_ms - 1:
                entry.cut = True
                entry.audio_ms = max(0.0, heard_ms)
                entry.text = self._utterance.transcript_until(entry.audio_ms)
        self._steps = iter(())
        self._stage.emit({"serverContent": {"interrupted": True}})
        if cancelled:
            self._stage.emit({"toolCallCancellation": {"ids": list(cancelled)}})
        self._end()

    def _usage(self) -> Wire:
        text, audio = self._prompt_tokens
        made = audio_tokens(self._entry.audio_ms) if self._entry is not None else 0
        prompt = [
            {"modality": "TEXT", "tokenCount": text},
            {"modality": "AUDIO", "tokenCount": audio},
        ]
        return {
            "promptTokenCount": text + audio,
            "responseTokenCount": made,
            "totalTokenCount": text + audio + made,
            "promptTokensDetails": prompt,
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": made}],
        }


def _parts(delta: str) -> list[dict[str, Any]]:
    """Return audio in two parts, as one list may hold several."""
    audio = base64.b64decode(delta)
    middle = len(audio) // 4 * 2
    pieces = [piece for piece in (audio[:middle], audio[middle:]) if piece]
    return [
        {"inlineData": {"mimeType": _MIME_TYPE, "data": base64.b64encode(piece).decode("ascii")}}
        for piece in pieces
    ]
