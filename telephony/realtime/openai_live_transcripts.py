"""Groups fragments of transcripts into turns: the API never says that one is over."""

from __future__ import annotations

from telephony.realtime.events import ModelEvent, Role, TranscriptDelta, TranscriptFinished
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_session import LiveSession
from telephony.realtime.openai_live_speech import TURN_GAP_MS, LiveSpeech
from telephony.realtime.wire import JsonObject, number_of, text_of

_GAP_S = TURN_GAP_MS / 1000


class _Turn:
    __slots__ = ("end_ms", "item_id", "last_at", "role", "text")

    def __init__(self, role: Role, item_id: str) -> None:
        self.role = role
        self.item_id = item_id
        self.text = ""
        self.end_ms = 0.0
        self.last_at = 0.0

    def finished(self) -> TranscriptFinished:
        return TranscriptFinished(self.role, self.item_id, self.text.strip())


class LiveTranscripts:
    """One open turn a side; a gap on the timeline or in time closes it."""

    def __init__(self, session: LiveSession, speech: LiveSpeech) -> None:
        self._session = session
        self._speech = speech
        self._heard: _Turn | None = None
        self._said: _Turn | None = None
        self._said_until_ms = 0.0

    @property
    def _events(self) -> list[ModelEvent]:
        return self._session.events

    def input_delta(self, event: JsonObject, now: float) -> None:
        """Take words of the caller."""
        text, start_ms = text_of(event, "delta"), number_of(event, "start_ms")
        if not text:
            return
        turn = self._heard
        if turn is None or _is_new(turn, start_ms, now):
            self._close_heard()
            turn = self._heard = _Turn("user", self._session.token("item"))
            self._place_caller(turn.item_id, start_ms)
        item = self._session.history.get(turn.item_id)
        if item is not None:
            item.append_text(text)
        self._take(turn, text, event, now)

    def _place_caller(self, item_id: str, start_ms: float | None) -> None:
        """Put the caller's turn into the history, before an answer that came to be known first."""
        history, speech = self._session.history, self._speech
        answer_id = speech.item_for_words("-") if speech.response_id else ""
        previous = None
        known = history.get(answer_id) is not None
        if known and start_ms is not None and start_ms < speech.begun_at_ms:
            previous = history.previous_of(answer_id)
        history.place(HistoryItem(item_id, "message", "user"), previous)

    def output_delta(self, event: JsonObject, now: float) -> None:
        """Take words of the model."""
        text = text_of(event, "delta")
        start_ms, end_ms = number_of(event, "start_ms"), number_of(event, "end_ms")
        if not text:
            return
        turn = self._said
        if turn is not None and _is_new(turn, start_ms, now):
            self._close_said()
            turn = None
        fresh = start_ms is not None and start_ms >= self._said_until_ms + TURN_GAP_MS
        self._said_until_ms = max(self._said_until_ms, end_ms or 0.0)
        known_id = turn.item_id if turn is not None else ""
        item_id = self._speech.item_for_words(known_id, fresh=fresh)
        if turn is None or turn.item_id != item_id:
            self._close_said()
            turn = _Turn("assistant", item_id)
        if self._speech.word(item_id, text, start_ms, end_ms):
            self._said = turn
            self._take(turn, text, event, now)
        else:
            # Nobody heard it: what the turn came to is in the history.
            self._said = None

    def _take(self, turn: _Turn, text: str, event: JsonObject, now: float) -> None:
        turn.text += text
        turn.last_at = now
        end_ms = number_of(event, "end_ms")
        if end_ms is not None:
            turn.end_ms = max(turn.end_ms, end_ms)
        self._events.append(TranscriptDelta(turn.role, turn.item_id, text))

    def cut_off(self, item_id: str) -> None:
        """The caller did not hear this item to its end: it has no whole transcript."""
        if self._said is not None and self._said.item_id == item_id:
            self._said = None

    def next_timer(self) -> float | None:
        due = [turn.last_at + _GAP_S for turn in (self._heard, self._said) if turn is not None]
        return min(due, default=None)

    def handle_timer(self, now: float) -> None:
        if self._heard is not None and now >= self._heard.last_at + _GAP_S:
            self._close_heard()
        if self._said is not None and now >= self._said.last_at + _GAP_S:
            self._close_said()

    def close(self) -> None:
        """The session is over: what is open is whole, and another timeline follows."""
        self._close_heard()
        self._close_said()
        self._said_until_ms = 0.0

    def _close_heard(self) -> None:
        turn, self._heard = self._heard, None
        if turn is not None:
            self._events.append(turn.finished())

    def _close_said(self) -> None:
        turn, self._said = self._said, None
        if turn is not None:
            self._events.append(turn.finished())


def _is_new(turn: _Turn, start_ms: float | None, now: float) -> bool:
    if start_ms is not None and turn.end_ms and start_ms >= turn.end_ms + TURN_GAP_MS:
        return True
    return now >= turn.last_at + _GAP_S
