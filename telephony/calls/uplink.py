"""Caller to model: frames become appends, and time has no holes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from telephony.audio.convert import Converter
from telephony.audio.echo import MAX_DELAY_MS
from telephony.audio.format import AudioFormat

AT_ONCE_MS = 1000
"""How much of what was kept a new connection is given in the moment when it is there."""

PER_FRAME_MS = 300
"""How much more with every frame: seconds of 24 kHz at once overflow the buffers of a connection
that has only begun."""

SendAudio = Callable[[bytes], bool]
"""Sends one append to the model; False says that audio was dropped on the way."""


@dataclass(slots=True)
class UplinkStats:
    appends: int = 0
    appends_dropped: int = 0
    held_ms_dropped: int = 0


class Uplink:
    """Joins line frames into appends of ``append_ms`` in the model's format.

    While no model is connected the newest ``hold_ms`` of audio are kept as the line brought them,
    and sent when one is, in its format: what the caller said during a reconnect is heard.
    """

    __slots__ = (
        "_append_ms",
        "_appended_ms",
        "_converter",
        "_frames",
        "_frames_per_append",
        "_held",
        "_line",
        "_model",
        "_ptime_ms",
        "_send",
        "_started_at",
        "catching_up",
        "stats",
    )

    def __init__(
        self,
        line: AudioFormat,
        model: AudioFormat,
        *,
        ptime_ms: int,
        append_ms: int,
        hold_ms: int = 5000,
    ) -> None:
        self._line = line
        self._model = model
        self._ptime_ms = ptime_ms
        self._frames_per_append = max(1, append_ms // ptime_ms)
        self._append_ms = self._frames_per_append * ptime_ms
        self._converter = Converter(line, model)
        self._frames: list[bytes] = []
        self._held: deque[bytes] = deque(maxlen=max(1, hold_ms // self._append_ms))
        self._send: SendAudio | None = None
        self._started_at: float | None = None
        self._appended_ms = 0
        self.catching_up = False
        """True while what was held is sent: it was heard before."""
        self.stats = UplinkStats()

    @property
    def appended_ms(self) -> int:
        """How much audio the connected model was given, on its own timeline."""
        return self._appended_ms

    @property
    def dropped_ms(self) -> int:
        """How much of what the caller said never reached a model."""
        return self.stats.appends_dropped * self._append_ms + self.stats.held_ms_dropped

    def connect(self, model: AudioFormat, send: SendAudio, now: float) -> None:
        """Send to a new model session, what was held first; its timeline starts at 0."""
        if model != self._model:
            self._model = model
            self._converter = Converter(self._line, model)
        self._send = send
        self._appended_ms = 0
        kept_ms = len(self._held) * self._append_ms + len(self._frames) * self._ptime_ms
        self._started_at = now - kept_ms / 1000
        self._catch_up(AT_ONCE_MS)

    @property
    def behind(self) -> bool:
        """True while a model is still being given what was kept for it."""
        return self._send is not None and bool(self._held)

    def _catch_up(self, most_ms: int) -> None:
        self.catching_up = True
        for _ in range(max(1, most_ms // self._append_ms)):
            if not self._held:
                break
            self._deliver(self._held.popleft())
        self.catching_up = False

    def mute_echo(self, last_sent_at: float, now: float) -> None:
        """Put silence in the place of what was held while the caller heard us, and of its echo.

        ``last_sent_at`` is when they heard us last.
        """
        until = last_sent_at + MAX_DELAY_MS / 1000
        held = self._held
        frames_ms = len(self._frames) * self._ptime_ms
        begins_at = now - (frames_ms + len(held) * self._append_ms) / 1000
        for index, audio in enumerate(held):
            if begins_at + index * self._append_ms / 1000 >= until:
                return
            held[index] = self._line.silence(len(audio))

    def disconnect(self) -> None:
        self._send = None

    def time_of(self, model_ms: float) -> float | None:
        """Return when the caller's audio at ``model_ms`` of the model's timeline was heard."""
        if self._started_at is None:
            return None
        return self._started_at + model_ms / 1000

    def hear(self, frame: bytes, now: float) -> None:
        """Take one ptime of line audio."""
        if self._held and self._send is not None:
            self._catch_up(PER_FRAME_MS)
        frames = self._frames
        frames.append(frame)
        if len(frames) < self._frames_per_append:
            return
        audio = b"".join(frames)
        frames.clear()
        if self._send is not None and not self._held:
            # Again each time: frames follow the caller's clock, which is not ours.
            self._started_at = now - (self._appended_ms + self._append_ms) / 1000
            self._deliver(audio)
            return
        if len(self._held) == self._held.maxlen:
            self.stats.held_ms_dropped += self._append_ms
        self._held.append(audio)

    def _deliver(self, audio: bytes) -> None:
        send = self._send
        if send is None:
            return
        self.stats.appends += 1
        if send(self._converter.convert(audio)):
            self._appended_ms += self._append_ms
            return
        # The model's timeline has no place for what never reached it: what follows is later there.
        self.stats.appends_dropped += 1
        if self._started_at is not None:
            self._started_at += self._append_ms / 1000
