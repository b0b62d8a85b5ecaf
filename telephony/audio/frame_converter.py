"""Frame for frame from one audio format to another."""

from __future__ import annotations

from telephony.audio import g711
from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat


class FrameConverter:
    """Gives one frame of ``target`` for each frame of ``source``, both of ``frame_ms``.

    At different rates the stream is late by ``delay_ms``, what the resampler holds back: the
    first frame begins with as much silence.
    """

    __slots__ = ("_converter", "_frame_bytes", "_ready", "delay_ms", "source", "target")

    def __init__(self, source: AudioFormat, target: AudioFormat, frame_ms: int) -> None:
        self.source = source
        self.target = target
        self._converter = Converter(source, target)
        self._frame_bytes = target.frame_bytes(frame_ms)
        late_samples = -int(-self._converter.delay_ms * target.sample_rate_hz // 1000)
        self.delay_ms = late_samples * 1000 / target.sample_rate_hz
        self._ready = target.silence(late_samples * target.bytes_per_sample)

    def convert(self, frame: bytes) -> bytes:
        ready = self._ready + self._converter.convert(frame)
        self._ready = ready[self._frame_bytes :]
        return ready[: self._frame_bytes]


class Face:
    """Shows PCM frames of any rate, one after another, as frames of one ``format``.

    Frames of its own rate are encoded and not delayed.
    """

    __slots__ = ("_converter", "_frame_ms", "format")

    def __init__(self, audio_format: AudioFormat, frame_ms: int) -> None:
        self.format = audio_format
        self._frame_ms = frame_ms
        self._converter: FrameConverter | None = None

    def show(self, pcm16: bytes, sample_rate_hz: int) -> bytes:
        shown = self.format
        if sample_rate_hz == shown.sample_rate_hz:
            return g711.encode(shown, pcm16)
        converter = self._converter
        if converter is None or converter.source.sample_rate_hz != sample_rate_hz:
            source = AudioFormat("l16", sample_rate_hz)
            self._converter = converter = FrameConverter(source, shown, self._frame_ms)
        return converter.convert(pcm16)
