"""A port at PJSIP's conference bridge: its clock brings the caller's frames and takes ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pjsua2 as pj

from telephony.stacks.pjsip.frame_bytes import FrameWriter, read_any, read_plain
from telephony.stacks.pjsip.frame_queues import FrameQueues, FrameQueueStats
from telephony.stacks.pjsip.guarded import guarded

_AUDIO = int(pj.PJMEDIA_FRAME_TYPE_AUDIO)
_NONE = int(pj.PJMEDIA_FRAME_TYPE_NONE)


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """PCM16 with one channel. ``plain``: see :mod:`telephony.stacks.pjsip.frame_bytes`."""

    rate_hz: int = 8000
    ptime_ms: int = 20
    plain: bool = True

    @property
    def frame_bytes(self) -> int:
        return self.rate_hz * self.ptime_ms // 1000 * 2


class FramePort(pj.AudioMediaPort):  # type: ignore[misc]
    """Both callbacks run in PJSIP's clock thread once a ptime, and only copy.

    ``wake`` is called after each frame received; that is the tick of the call.
    """

    def __init__(
        self, name: str, frame: FrameFormat, stats: FrameQueueStats, wake: Callable[[], None]
    ) -> None:
        super().__init__()
        self.queues = FrameQueues(stats)
        self._wake = wake
        self._read = read_plain if frame.plain else read_any
        self._writer = FrameWriter(frame.frame_bytes, frame.plain)
        made = pj.MediaFormatAudio()
        made.init(pj.PJMEDIA_FORMAT_PCM, frame.rate_hz, 1, frame.ptime_ms * 1000, 16)
        made.type = pj.PJMEDIA_TYPE_AUDIO
        self.createPort(name, made)

    @guarded
    def onFrameReceived(self, frame: Any) -> None:  # noqa: N802
        queues = self.queues
        if queues.in_use:
            heard = frame.type == _AUDIO and frame.size
            queues.push_received(self._read(frame.buf) if heard else None)
            self._wake()

    @guarded
    def onFrameRequested(self, frame: Any) -> None:  # noqa: N802
        queues = self.queues
        pcm16 = queues.pop_prepared() if queues.in_use else None
        if pcm16 is None:
            frame.type = _NONE
            frame.size = 0
            return
        frame.type = _AUDIO
        frame.buf = self._writer.vector(pcm16)
        frame.size = len(pcm16)


class FramePorts:
    """Ports are used again and again: PJSIP's clock may still be in one that was just freed."""

    def __init__(
        self, frame: FrameFormat, stats: FrameQueueStats, wake: Callable[[], None]
    ) -> None:
        self._frame = frame
        self._stats = stats
        self._wake = wake
        self._made: list[FramePort] = []
        self._free: list[FramePort] = []

    def acquire(self) -> FramePort:
        """Return a port for a new call; in a thread of PJSIP's or the one that calls it."""
        try:
            port = self._free.pop()
        except IndexError:
            name = f"leg-{len(self._made)}"
            port = FramePort(name, self._frame, self._stats, self._wake)
            self._made.append(port)
        port.queues.open()
        return port

    def release(self, port: FramePort) -> None:
        """Take back the port of a call that is over, in any thread."""
        port.queues.close()
        self._free.append(port)

    def destroy(self) -> None:
        """Let go of every port; PJSIP's clock must stand still."""
        self._free.clear()
        self._made.clear()
