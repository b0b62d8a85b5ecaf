"""A sink that hears the caller without the echo of what it says, without noise, and loud enough."""

from __future__ import annotations

from telephony.audio.format import AudioFormat
from telephony.audio.processing import AudioProcessor, ProcessingConfig
from telephony.base.interfaces import MediaSink


class ProcessedSink:
    """Stands between a leg's media and the sink it talks to.

    It comes after the jitter buffer and concealment: the canceller needs a caller whose time has
    no holes and no jumps.
    """

    __slots__ = ("_processor", "_sink")

    def __init__(self, sink: MediaSink, processor: AudioProcessor) -> None:
        self._sink = sink
        self._processor = processor

    def hear(self, frame: bytes, now: float) -> None:
        self._sink.hear(self._processor.process(frame), now)

    def speak(self, now: float) -> bytes | None:
        frame = self._sink.speak(now)
        if frame is not None:
            self._processor.sent(frame)
        return frame


def processed(
    sink: MediaSink, config: ProcessingConfig, line: AudioFormat, ptime_ms: int
) -> MediaSink:
    """Return ``sink`` itself where nothing is to be done to the caller's audio."""
    if not config.active:
        return sink
    return ProcessedSink(sink, AudioProcessor(config, line, ptime_ms))
