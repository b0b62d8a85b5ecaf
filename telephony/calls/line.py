"""The line: what a leg's media talks to, whoever speaks on it at the moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import MediaSink
from telephony.rtp.playout import Playout


class FrameRecorder(Protocol):
    """Takes both directions of one ptime; None is silence."""

    def push(self, caller_frame: bytes | None, bot_frame: bytes | None) -> None: ...


class FrameSource(Protocol):
    """Has a frame for every ptime."""

    def next_frame(self) -> bytes: ...


class Line:
    """Passes frames between the media and a partner, lets prompts speak first, feeds a recorder.

    The partner is a bridge while a model is connected; without one the caller hears prompts or
    silence, and what the caller says goes to the recording only. Where all are silent, a filler
    such as hold music can be heard.

    What raises here ends the call through ``on_error``; the partner is off the line then.
    """

    __slots__ = (
        "_filler",
        "_heard",
        "_on_error",
        "_on_played",
        "_partner",
        "_prompt_count",
        "_prompts",
        "_recorder",
        "format",
        "ptime_ms",
    )

    def __init__(
        self,
        line: AudioFormat,
        ptime_ms: int,
        recorder: FrameRecorder | None = None,
        *,
        on_error: Callable[[Exception], None],
    ) -> None:
        self.format = line
        self.ptime_ms = ptime_ms
        self._prompts = Playout(
            bytes_per_ms=line.bytes_per_second // 1000,
            ptime_ms=ptime_ms,
            silence_byte=line.silence(1)[0],
        )
        self._prompt_count = 0
        self._on_played: dict[str, Callable[[], None]] = {}
        self._partner: MediaSink | None = None
        self._recorder = recorder
        self._filler: FrameSource | None = None
        self._on_error = on_error
        self._heard: bytes | None = None

    def record_with(self, recorder: FrameRecorder | None) -> None:
        """Feed ``recorder`` from now on, or nobody."""
        self._recorder = recorder
        self._heard = None

    def fill_with(self, filler: FrameSource | None) -> None:
        """Let the caller hear ``filler`` wherever neither a prompt nor the partner speaks."""
        self._filler = filler

    @property
    def filled(self) -> bool:
        return self._filler is not None

    @property
    def partner(self) -> MediaSink | None:
        """Who has the line at the moment."""
        return self._partner

    def connect(self, partner: MediaSink | None) -> None:
        """Give the line to ``partner``, or take it away from the present one."""
        self._partner = partner

    def play(self, audio: bytes, on_played: Callable[[], None]) -> None:
        """Play line audio before anything of the partner; ``on_played`` follows its last frame."""
        self._prompt_count += 1
        name = f"prompt-{self._prompt_count}"
        self._prompts.write(name, audio)
        self._prompts.finish_item(name)
        self._prompts.mark(name)
        self._on_played[name] = on_played

    def hear(self, frame: bytes, now: float) -> None:
        partner = self._partner
        try:
            if self._recorder is not None:
                self._record_heard(frame)
            if partner is not None:
                partner.hear(frame, now)
        except Exception as error:
            self._fail(error)

    def speak(self, now: float) -> bytes | None:
        frame: bytes | None = None
        try:
            if self._on_played:
                frame = self._next_of_prompts()
            if frame is None and self._partner is not None:
                frame = self._partner.speak(now)
            if frame is None and self._filler is not None:
                frame = self._filler.next_frame()
            if self._recorder is not None:
                self._recorder.push(self._heard, frame)
                self._heard = None
        except Exception as error:
            self._fail(error)
        return frame

    def _record_heard(self, frame: bytes) -> None:
        """Keep the frame for the next :meth:`speak`.

        Media that made up for a stall, or may not send now, gives several in a row.
        """
        assert self._recorder is not None
        if self._heard is not None:
            self._recorder.push(self._heard, None)
        self._heard = frame

    def _next_of_prompts(self) -> bytes | None:
        frame = self._prompts.next_frame()
        self._prompts.items_finished()
        for name in self._prompts.marks_reached():
            self._on_played.pop(name)()
        return frame

    def _fail(self, error: Exception) -> None:
        self._partner = self._recorder = self._filler = None
        self._on_error(error)
