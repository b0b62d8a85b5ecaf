"""From any :class:`AudioFormat` to any other, as a stream."""

from __future__ import annotations

from collections.abc import Callable

from telephony.audio import g711
from telephony.audio.format import AudioFormat
from telephony.audio.resample import StreamResampler

_TRANSCODE: dict[tuple[str, str], Callable[[bytes], bytes]] = {
    ("pcmu", "pcma"): g711.pcmu_to_pcma,
    ("pcma", "pcmu"): g711.pcma_to_pcmu,
    ("pcmu", "l16"): g711.pcmu_to_l16,
    ("pcma", "l16"): g711.pcma_to_l16,
    ("l16", "pcmu"): g711.l16_to_pcmu,
    ("l16", "pcma"): g711.l16_to_pcma,
}


class Converter:
    """Converts a stream of ``source`` audio to ``target``; equal formats pass untouched.

    At equal rates nothing is held back and nothing is owed to :meth:`flush`. At different rates
    the lengths are those of :class:`StreamResampler`: from one flush to the next the output has
    exactly ``round(samples_in * target rate / source rate)`` samples.

    A 16-bit stream may be cut inside a sample: the odd byte waits for its other half, and is
    forgotten by :meth:`flush`.
    """

    __slots__ = ("_odd_byte", "_resampler", "_transcode", "delay_ms", "source", "target")

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        self.source = source
        self.target = target
        self._resampler: StreamResampler | None = None
        if source.sample_rate_hz != target.sample_rate_hz:
            self._resampler = StreamResampler(source.sample_rate_hz, target.sample_rate_hz)
        self._transcode = _TRANSCODE.get((source.encoding, target.encoding))
        self._odd_byte = b""
        self.delay_ms = self._resampler.delay_ms if self._resampler else 0.0
        """Most audio that is held back until more arrives or :meth:`flush` is called."""

    @property
    def is_identity(self) -> bool:
        return self.source == self.target

    def convert(self, audio: bytes) -> bytes:
        if self.source == self.target:
            return audio
        if self.source.encoding == "l16":
            audio = self._whole_samples(audio)
        if self._resampler is None:
            assert self._transcode is not None
            return self._transcode(audio)
        pcm16 = self._resampler.process(g711.decode(self.source, audio))
        return g711.encode(self.target, pcm16)

    def flush(self) -> bytes:
        """Return the tail of the stream and begin a new one."""
        self._odd_byte = b""
        if self._resampler is None:
            return b""
        return g711.encode(self.target, self._resampler.flush())

    def _whole_samples(self, audio: bytes) -> bytes:
        if self._odd_byte:
            audio = self._odd_byte + audio
            self._odd_byte = b""
        if len(audio) & 1:
            self._odd_byte = audio[-1:]
            audio = audio[:-1]
        return audio
