"""The model's speech: an endless stream in, responses with one item each out.

The API knows no response. One begins here with the first sound and ends after a pause; the pauses
inside it are left out beyond a few hundred milliseconds, as they pass by themselves in real time.
"""

from __future__ import annotations

from telephony.audio.format import AudioFormat
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    ItemDeleted,
    ItemTruncated,
    ResponseFinished,
    ResponseStarted,
    ResponseStatus,
)
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_heard import SpokenItem
from telephony.realtime.openai_live_session import LiveSession
from telephony.realtime.openai_live_talkspurts import KEPT_SILENCE_MS, TalkspurtGate

TURN_GAP_MS = 800
"""A pause of this length ends a turn, of the model and in the transcripts alike."""

_MISSING_S = 0.3
"""Audio that comes later than this after the one before: the server sent no silence meanwhile."""

_MAX_SPOKEN = 16


class LiveSpeech:
    """Cuts the stream into responses; ``response_id`` is the one that goes on, or empty.

    While :attr:`muted` nothing is heard until the model pauses.
    """

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._gate = self._gate_for(session.audio_format)
        self._bytes_per_ms = 1.0
        self._carry = b""
        self._current: SpokenItem | None = None
        self._spoken: dict[str, SpokenItem] = {}
        self._reserved_id = ""
        self._last_at: float | None = None
        self.response_id = ""
        self.muted = False
        self._cut: SpokenItem | None = None
        self.timeline_ms = 0.0
        """How much the model has sent in this session, silence included."""
        self.begun_at_ms = 0.0
        """Where on the timeline the last response began."""
        self.begin(session.audio_format)

    def begin(self, audio_format: AudioFormat) -> None:
        """A session begins, or turns out to have this format."""
        self._gate = self._gate_for(audio_format)
        self._bytes_per_ms = audio_format.bytes_per_second / 1000
        self._carry = b""
        self._last_at = None
        self._cut = None
        self._reserved_id = ""
        self.muted = False
        self.timeline_ms = 0.0

    @property
    def was_cut_off(self) -> bool:
        """Whether the last thing said was fenced."""
        return self._cut is not None

    def _gate_for(self, audio_format: AudioFormat) -> TalkspurtGate:
        return TalkspurtGate(audio_format, self._session.config.silence_dbfs)

    # The stream

    def receive(self, audio: bytes, now: float) -> None:
        """Take audio of any length, in the session's format."""
        self._note_gap(now)
        if self._carry or len(audio) % 2:
            audio = self._whole_samples(audio)
        for piece in self._gate.split(audio):
            self._receive_piece(piece)

    def _note_gap(self, now: float) -> None:
        last_at, self._last_at = self._last_at, now
        if last_at is not None and now - last_at > _MISSING_S:
            self._time_passed((now - last_at) * 1000)

    def _time_passed(self, duration_ms: float) -> None:
        self.timeline_ms += duration_ms
        if self._current is not None:
            self._current.time_passed(duration_ms)

    def _whole_samples(self, audio: bytes) -> bytes:
        """Keep half a sample for later."""
        if self._session.audio_format.bytes_per_sample == 1:
            return audio
        audio = self._carry + audio
        whole = len(audio) & ~1
        self._carry = audio[whole:]
        return audio[:whole]

    def _receive_piece(self, piece: bytes) -> None:
        gate = self._gate
        sound = gate.feed(piece)
        self._time_passed(len(piece) / self._bytes_per_ms)
        if self.muted:
            if gate.silence_ms >= KEPT_SILENCE_MS:
                self.muted = False
            elif sound:
                self._session.stats.fenced_deltas += 1
        elif sound:
            self._pass_on(sound)
        elif self.response_id and gate.silence_ms >= TURN_GAP_MS:
            self.finish("completed")

    def _pass_on(self, sound: bytes) -> None:
        duration_ms = len(sound) / self._bytes_per_ms
        current = self._current
        if current is None:
            current = self._begin_response(duration_ms)
        current.audio_received(duration_ms)
        self._session.stats.audio_bytes += len(sound)
        delta = AudioDelta(self.response_id, current.item.item_id, 0, sound)
        self._session.events.append(delta)

    def _begin_response(self, duration_ms: float) -> SpokenItem:
        session = self._session
        self.response_id = session.token("resp")
        self.begun_at_ms = self.timeline_ms - duration_ms
        self._cut = None
        item_id, self._reserved_id = self._reserved_id or session.token("item"), ""
        spoken = self._spoken_item(item_id)
        spoken.item.response_id = self.response_id
        self._current = spoken
        session.stats.responses += 1
        session.events.append(ResponseStarted(self.response_id))
        return spoken

    def _spoken_item(self, item_id: str) -> SpokenItem:
        spoken = self._spoken.get(item_id)
        if spoken is None:
            item = self._session.history.place(HistoryItem(item_id, "message", "assistant"))
            spoken = self._spoken[item_id] = SpokenItem(item)
            if len(self._spoken) > _MAX_SPOKEN:
                del self._spoken[next(iter(self._spoken))]
        return spoken

    def finish(self, status: ResponseStatus, reason: str = "") -> None:
        """End the response that goes on, if one does."""
        response_id, self.response_id = self.response_id, ""
        current, self._current = self._current, None
        if not response_id:
            return
        events = self._session.events
        if current is not None:
            current.complete = status == "completed"
            events.append(AudioFinished(response_id, current.item.item_id))
        events.append(ResponseFinished(response_id, status, reason))

    # Time without audio

    def silent_at(self) -> float | None:
        """Return when the pause is long enough, should no more audio come."""
        if self._last_at is None or not (self.response_id or self.muted):
            return None
        return self._last_at + max(0.0, TURN_GAP_MS - self._gate.silence_ms) / 1000

    def handle_timer(self, now: float) -> None:
        due = self.silent_at()
        if due is not None and now >= due:
            self.muted = False
            self.finish("completed")

    # What the caller hears of it

    def fence(self, response_id: str) -> str:
        """Let nothing more of this response be heard: the model is muted until it pauses.

        Returns the item that ends here, or "" when the response is none that goes on.
        """
        current = self._current
        if not response_id or response_id != self.response_id or current is None:
            return ""
        self.muted = current.fenced = True
        self._cut = current
        self.finish("cancelled", "client_cancelled")
        return current.item.item_id

    def truncate(self, item_id: str, audio_end_ms: int) -> None:
        """Keep in the history what was heard of an item."""
        item = self._session.history.get(item_id)
        if item is None or item.role != "assistant":
            return
        spoken = self._spoken.get(item_id)
        received_ms = int(item.generated_ms if spoken is None else spoken.received_ms)
        # What an earlier session said was complete when it was handed over.
        complete = spoken is None or spoken.complete
        end_ms = item.cut_at(audio_end_ms, received_ms, complete)
        if end_ms == 0:
            self.delete(item_id)
        elif end_ms is not None:
            if spoken is None:
                item.heard_ms = end_ms
            else:
                spoken.cut(end_ms)
            self._session.stats.truncated += 1
            self._session.events.append(ItemTruncated(item_id, end_ms, item.heard_text))

    def delete(self, item_id: str) -> None:
        if self._session.history.remove(item_id) is not None:
            self._session.stats.deleted += 1
            self._session.events.append(ItemDeleted(item_id))

    # Words

    def item_for_words(self, known_id: str, *, fresh: bool = False) -> str:
        """Return the item that words belong to: the one that is spoken or was cut off just now.

        ``known_id`` is that of the words just before, unless these are ``fresh``: words that come
        ahead of their sound get the id that the sound will have.
        """
        if self._current is not None:
            return self._current.item.item_id
        if self._cut is not None and not fresh:
            return self._cut.item.item_id
        if not known_id or fresh:
            self._reserved_id = self._reserved_id or self._session.token("item")
            return self._reserved_id
        return known_id

    def word(self, item_id: str, text: str, start_ms: float | None, end_ms: float | None) -> bool:
        """Put words into the history; returns False for those of an item that was cut off."""
        spoken = self._spoken_item(item_id)
        spoken.word(text, start_ms, end_ms)
        return not spoken.fenced
