"""What the language model and the voice report, on its way to the reply that it belongs to."""

from __future__ import annotations

from telephony.base.speech import SpeechFailure
from telephony.realtime.cascade.answering import Answering
from telephony.realtime.cascade.claude_stream import (
    MessageEnded,
    StreamFact,
    TextWritten,
    ToolWanted,
)
from telephony.realtime.cascade.messages import (
    GenerationFailed,
    ModelDelta,
    SpeechAligned,
    SpeechAudio,
    SpeechFinished,
    SynthesizerFailed,
)
from telephony.realtime.cascade.reply import Reply
from telephony.realtime.cascade.state import CascadeState
from telephony.realtime.events import ModelError

_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "refusal": "content_filter",
    "model_context_window_exceeded": "model_context_window_exceeded",
}


class ModelReports:
    """Late parts, of replies that are over, are counted and dropped."""

    def __init__(self, state: CascadeState, answering: Answering) -> None:
        self._state = state
        self._answering = answering

    # The language model

    def delta_received(self, delta: ModelDelta, now: float) -> None:
        answering = self._answering
        reply = answering.reply_of(delta.generation_id)
        if reply is None:
            self._state.stats.late_parts += 1
            return
        answering.generations.progressed(now)
        if not isinstance(delta.event, dict):
            self._state.stats.malformed += 1
            return
        fact = reply.stream.receive(delta.event)
        if reply.stream.unknown:
            for kind in reply.stream.unknown:
                self._state.stats.count_unknown(kind)
            reply.stream.unknown.clear()
        if fact is not None:
            self._written(reply, fact, now)

    def _written(self, reply: Reply, fact: StreamFact, now: float) -> None:
        answering = self._answering
        if isinstance(fact, TextWritten):
            for piece in reply.chunker.push(fact.text):
                answering.speak(reply, piece)
        elif isinstance(fact, ToolWanted):
            reply.tools.append(fact)
        elif isinstance(fact, MessageEnded):
            reason = _INCOMPLETE.get(fact.stop_reason, "")
            if reason:
                reply.status, reply.reason = "incomplete", reason
            answering.end_writing(reply)
        else:
            failure = GenerationFailed(reply.generation_id, 200, fact.code, fact.message)
            self.generation_failed(failure, now)

    def generation_failed(self, failure: GenerationFailed, now: float) -> None:
        self._answering.generation_failed(failure, now)

    # The voice

    def _speaker_of(self, utterance_id: str) -> Reply | None:
        for reply in (self._answering.active, self._answering.held):
            if reply is not None and reply.spoken.item_id == utterance_id:
                return reply
        self._state.stats.late_parts += 1
        return None

    def audio_received(self, report: SpeechAudio, now: float) -> None:
        reply = self._speaker_of(report.utterance_id)
        if reply is None:
            return
        odd = len(report.audio) % self._state.output_format.bytes_per_sample
        if odd:
            self._state.stats.bad_audio += 1
        elif report.audio:
            self._answering.voice.audio_received(reply, report.audio, now)

    def speech_aligned(self, report: SpeechAligned, now: float) -> None:
        reply = self._speaker_of(report.utterance_id)
        if reply is not None:
            reply.spoken.add_marks(report.marks)

    def speech_finished(self, report: SpeechFinished, now: float) -> None:
        reply = self._speaker_of(report.utterance_id)
        if reply is not None and reply.written:
            self._answering.spoken(reply)

    def synthesizer_failed(self, report: SynthesizerFailed, now: float) -> None:
        """Without a voice the connection is of no use; an utterance alone is only lost."""
        failure = report.failure
        self._state.stats.errors += 1
        self._state.events.append(as_error("tts", failure))
        if failure.fatal:
            return
        active, held = self._answering.active, self._answering.held
        if active is not None and active.spoken.item_id == report.utterance_id:
            self._answering.cancel("failed", failure.code)
        elif held is not None and held.spoken.item_id == report.utterance_id:
            self._answering.drop_speculation()


def as_error(service: str, failure: SpeechFailure) -> ModelError:
    return ModelError(
        failure.code, f"{service}: {failure.message}", failure.fatal, retryable=failure.retryable
    )
