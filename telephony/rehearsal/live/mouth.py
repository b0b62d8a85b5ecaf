"""What the model sends: one stream in real time, speech or silence, with its words beside it."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from telephony.audio.convert import Converter
from telephony.audio.format import L16_24K, AudioFormat
from telephony.rehearsal.outbox import Outbox
from telephony.rehearsal.utterance import Utterance

FRAME_MS = 40
WORDS_MS = 200
"""Words come in fragments of so much of the timeline."""

PAUSE_MS = 400
"""Between what was cut off, should that go on a while, and what follows."""

_MAX_BEHIND_MS = 2000


@dataclass(slots=True)
class Said:
    """An utterance that was begun. ``audio_ms`` of it were sent; all unless it was ``cut``."""

    utterance: Utterance
    audio_ms: float = 0.0
    cut: bool = False

    @property
    def text(self) -> str:
        return self.utterance.transcript_until(self.audio_ms)


@dataclass(slots=True)
class _Due:
    """An utterance that is about to begin, or goes on."""

    utterance: Utterance
    begins_at: float
    said: Said | None = None
    words_ms: float = 0.0
    sent_letters: int = 0
    frames_left: int | None = None


@dataclass(slots=True)
class _Fixture:
    audio: bytes
    event_id: str | None
    offset_bytes: int = 0


class Mouth:
    """Sends a frame each ``FRAME_MS`` from its start on, whatever there is to say.

    ``on_begun`` is told of each utterance with its first frame.
    """

    def __init__(
        self,
        outbox: Outbox,
        audio_format: AudioFormat,
        now: float,
        on_begun: Callable[[Said], None] = lambda said: None,
    ) -> None:
        self._on_begun = on_begun
        self._outbox = outbox
        self._format = audio_format
        self._frame_bytes = audio_format.frame_bytes(FRAME_MS)
        self._silence = audio_format.silence(self._frame_bytes)
        self._started_at = now
        self._frames = 0
        self._queue: deque[_Due] = deque()
        self._fixture: _Fixture | None = None
        self._quiet_until = now
        self.said: list[Said] = []
        self.frames_sent = 0

    @property
    def position_ms(self) -> int:
        """Where the timeline of the session is."""
        return self._frames * FRAME_MS

    @property
    def speaking(self) -> bool:
        return bool(self._queue)

    @property
    def plays_fixture(self) -> bool:
        return self._fixture is not None

    def say(self, utterance: Utterance, begins_at: float) -> None:
        """Say this after whatever is being said, but no sooner than ``begins_at``."""
        self._queue.append(_Due(utterance, begins_at))

    def stop(self, after_frames: int = 0) -> None:
        """The caller speaks: fall silent, at once or after a few more frames."""
        current = self._queue[0] if self._queue else None
        self._queue.clear()
        if current is None or current.said is None:
            return
        current.said.cut = True
        if after_frames:
            current.frames_left = after_frames
            self._queue.append(current)

    def play(self, pcm16: bytes, event_id: str | None) -> None:
        """Play PCM16 at 24 kHz in place of speech."""
        self.stop()
        converter = Converter(L16_24K, self._format)
        self._fixture = _Fixture(converter.convert(pcm16) + converter.flush(), event_id)

    def next_timer(self) -> float:
        return self._started_at + (self._frames + 1) * FRAME_MS / 1000

    def handle_timer(self, now: float) -> None:
        """Send the frames that are due; of a long stall only the last of them."""
        due = int((now - self._started_at) * 1000 / FRAME_MS + 1e-6)
        self._frames = max(self._frames, due - _MAX_BEHIND_MS // FRAME_MS)
        while self._frames < due:
            self._frames += 1
            self._send(self._next_frame(now))

    def _send(self, frame: bytes) -> None:
        self.frames_sent += 1
        delta = base64.b64encode(frame).decode("ascii")
        self._outbox.write_raw(f'{{"type":"session.output_audio.delta","delta":"{delta}"}}')

    def _next_frame(self, now: float) -> bytes:
        if self._fixture is not None:
            return self._fixture_frame(self._fixture)
        current = self._queue[0] if self._queue else None
        if current is None or now < max(current.begins_at, self._quiet_until):
            return self._silence
        return self._speech_frame(current, now)

    def _fixture_frame(self, fixture: _Fixture) -> bytes:
        frame = fixture.audio[fixture.offset_bytes :][: self._frame_bytes]
        fixture.offset_bytes += self._frame_bytes
        if fixture.offset_bytes >= len(fixture.audio):
            self._fixture = None
            fields = {} if fixture.event_id is None else {"client_event_id": fixture.event_id}
            self._outbox.emit("session.output_audio.fixture.played", **fields)
        return self._filled(frame)

    def _speech_frame(self, current: _Due, now: float) -> bytes:
        said = current.said
        if said is None:
            said = current.said = Said(current.utterance)
            self.said.append(said)
            self._on_begun(said)
        offset_bytes = self._format.frame_bytes(round(said.audio_ms))
        frame = current.utterance.audio[offset_bytes : offset_bytes + self._frame_bytes]
        said.audio_ms = min(said.audio_ms + FRAME_MS, current.utterance.duration_ms)
        over = offset_bytes + self._frame_bytes >= len(current.utterance.audio)
        if over or said.audio_ms - current.words_ms >= WORDS_MS:
            self._send_words(current, said)
        if current.frames_left is not None:
            current.frames_left -= 1
            over = over or current.frames_left <= 0
        if over:
            self._queue.popleft()
            if said.cut:
                self._quiet_until = now + PAUSE_MS / 1000
        return self._filled(frame)

    def _send_words(self, current: _Due, said: Said) -> None:
        begun = current.utterance.transcript_begun(said.audio_ms)
        if said.audio_ms >= current.utterance.duration_ms:
            begun = current.utterance.transcript
        delta, length_ms = begun[current.sent_letters :], said.audio_ms - current.words_ms
        if delta and not current.sent_letters and said is not self.said[0]:
            delta = f" {delta}"
        current.sent_letters, current.words_ms = len(begun), said.audio_ms
        if delta:
            self._outbox.emit(
                "session.output_transcript.delta",
                delta=delta,
                start_ms=round(self.position_ms - length_ms),
                end_ms=self.position_ms,
            )

    def _filled(self, frame: bytes) -> bytes:
        return frame + self._silence[len(frame) :]
