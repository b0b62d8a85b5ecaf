"""What a caller hears who waits: a loop in the format of the line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MusicLoop:
    """Line audio: ``beginning`` is played once, ``loop`` on and on after it."""

    beginning: bytes
    loop: bytes


class HoldMusic:
    """Gives one frame per ptime, for as long as somebody waits. Each waiting starts anew."""

    __slots__ = ("_at", "_audio", "_frame_bytes", "_loop")

    def __init__(self, music: MusicLoop, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        # At least a frame, so that one wrap is enough for each.
        self._loop = music.loop * (1 + frame_bytes // max(1, len(music.loop)))
        self._audio = music.beginning or self._loop
        self._at = 0

    def next_frame(self) -> bytes:
        end = self._at + self._frame_bytes
        frame = self._audio[self._at : end]
        missing = self._frame_bytes - len(frame)
        if missing:
            self._audio, self._at = self._loop, missing
            return frame + self._loop[:missing]
        self._at = end
        return frame
