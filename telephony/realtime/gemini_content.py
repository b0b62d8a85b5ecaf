"""Reads ``serverContent``: the model's speech, its end, and the words of both sides."""

from __future__ import annotations

from collections.abc import Callable

from telephony.audio.format import AudioFormat
from telephony.realtime.events import AudioDelta, ModelInterrupted, TranscriptDelta
from telephony.realtime.gemini_reading import read_end
from telephony.realtime.gemini_session import LATE_WORDS_S, GeminiSession
from telephony.realtime.gemini_wire import decode_bytes, rate_of
from telephony.realtime.responses import CREATED_TIMEOUT_S
from telephony.realtime.wire import JsonObject, object_of, objects_of, text_of

OWN_ANSWER_S = 3.0
"""How long after words of the caller the model's own answer to them is waited for."""

CUT_TURN_LIMIT_S = 2.0
"""How long the end of a turn that the caller cut off is waited for."""


class ContentReader:
    """Turns the fields of one message, any of which may be set, into events.

    Words come in an order of their own: those of the caller may follow the first of the model's.
    """

    def __init__(self, session: GeminiSession) -> None:
        self._session = session

    def receive(self, content: JsonObject, now: float) -> None:
        """Read one message's content; never raises, whatever it holds."""
        for key, reader in _READERS:
            if key in content:
                reader(self, content, now)

    # The caller

    def _input_transcription(self, content: JsonObject, now: float) -> None:
        session = self._session
        described = object_of(content, "inputTranscription")
        piece = text_of(described, "text")
        if piece:
            self._caller_spoke(now)
            item = session.heard
            if item is None:
                item = session.heard = session.new_item("message")
                session.history.place(item, self._place_of_words(now))
            item.append_text(piece)
            session.events.append(TranscriptDelta("user", item.item_id, piece))
        if described.get("finished") is True:
            session.close_caller_item()

    def _place_of_words(self, now: float) -> str | None:
        """Return the item that the caller's words follow, though the answer may have begun."""
        session = self._session
        answer = session.spoken
        if answer is None or not session.answer_began_within(LATE_WORDS_S, now):
            return None
        return session.history.previous_of(answer.item_id)

    def _caller_spoke(self, now: float) -> None:
        """What we asked for comes later: the model listens first, and then answers unasked."""
        session = self._session
        if not session.gate.active_id and session.config.turn_detection is not None:
            session.gate.hold_timer.start_at(OWN_ANSWER_S, now)
        if session.gate.awaiting_timer.running:
            session.gate.awaiting_timer.start_at(CREATED_TIMEOUT_S, now)
        if session.caller_timer.running:
            session.caller_timer.start_at(LATE_WORDS_S, now)

    def _interim_transcription(self, content: JsonObject, now: float) -> None:
        """Words that will be replaced show no more than that the caller speaks."""
        self._caller_spoke(now)

    # The model

    def _model_turn(self, content: JsonObject, now: float) -> None:
        for part in objects_of(object_of(content, "modelTurn"), "parts"):
            blob = object_of(part, "inlineData")
            if blob:
                self._audio(blob, now)
            elif part.get("thought") is True:
                self._progress(now)
            elif text := text_of(part, "text"):
                self._words(text, now)

    def _progress(self, now: float) -> bool:
        """Let a response begin or go on; returns whether this is still welcome."""
        session = self._session
        if session.stale:
            session.stats.late_parts += 1
            return False
        session.begin_response(now)
        session.gate.progressed(now)
        return True

    def _audio(self, blob: JsonObject, now: float) -> None:
        session = self._session
        session.stats.audio_deltas += 1
        rate_hz = rate_of(text_of(blob, "mimeType"))
        audio = decode_bytes(blob, "data")
        if rate_hz is None or not 8000 <= rate_hz <= 48000 or audio is None:
            session.stats.bad_audio += 1
            return
        if not self._progress(now):
            return
        session.stats.audio_bytes += len(audio)
        if rate_hz != session.audio.format.sample_rate_hz:
            session.audio.expect(AudioFormat("l16", rate_hz))
            session.report_format()
        item = session.spoken_item(now)
        if session.gate.is_fenced(item.response_id):
            session.stats.fenced_deltas += 1
            session.audio.count(item.item_id, len(audio))
        else:
            delta = AudioDelta(item.response_id, item.item_id, 0, audio)
            session.events.extend(session.audio.receive(delta))
        item.generated_ms = session.audio.received_ms(item.item_id)

    def _output_transcription(self, content: JsonObject, now: float) -> None:
        if text := text_of(object_of(content, "outputTranscription"), "text"):
            self._words(text, now)

    def _words(self, text: str, now: float) -> None:
        """Take words of the model. They begin no response that has just ended, but may be late."""
        session = self._session
        if not session.gate.active_id and session.ended_within(LATE_WORDS_S, now):
            session.stats.late_parts += 1
            return
        if not self._progress(now):
            return
        item = session.spoken_item(now)
        item.append_text(text)
        if not session.gate.is_fenced(item.response_id) and item.heard_ms is None:
            session.events.append(TranscriptDelta("assistant", item.item_id, text))

    # Ends

    def _generation_complete(self, content: JsonObject, now: float) -> None:
        if content["generationComplete"] is True:
            self._session.generation_complete(now)

    def _interrupted(self, content: JsonObject, now: float) -> None:
        """The server cut the model off; it may say so twice, late, and of nothing at all."""
        session = self._session
        if content["interrupted"] is not True:
            return
        session.turn_open = False
        if session.stale:
            # That turn is over for us already: a request of ours cut it off.
            session.stale = False
            session.closing = True
            return
        if session.last_response_id:
            session.events.append(ModelInterrupted(session.last_response_id))
        if session.gate.active_id:
            session.cut = True
            session.gate.stall_timer.stop()
            session.turn_timer.start_at(CUT_TURN_LIMIT_S, now)
        else:
            session.closing = True
            session.gate.gave_up()

    def _turn_complete(self, content: JsonObject, now: float) -> None:
        session = self._session
        if content["turnComplete"] is not True:
            return
        if text_of(content, "interactionStatus").upper() == "IN_PROGRESS":
            return
        status, reason = read_end(content)
        ended_before = session.stale or session.closing
        session.stale = session.closing = False
        session.ended_at = now
        if session.cut:
            session.finish_response("cancelled", "turn_detected")
        elif session.gate.active_id:
            session.finish_response(status, reason)
        elif session.gate.busy and not ended_before:
            # The model has nothing to say to what we asked.
            session.begin_response(now)
            session.finish_response(status, reason)
        else:
            session.end_turn()


_R = ContentReader

# In the order in which the fields of one message are to be read: its content, then its ends.
_READERS: tuple[tuple[str, Callable[[ContentReader, JsonObject, float], None]], ...] = (
    ("inputTranscription", _R._input_transcription),
    ("interimInputTranscription", _R._interim_transcription),
    ("modelTurn", _R._model_turn),
    ("outputTranscription", _R._output_transcription),
    ("generationComplete", _R._generation_complete),
    ("interrupted", _R._interrupted),
    ("turnComplete", _R._turn_complete),
)
