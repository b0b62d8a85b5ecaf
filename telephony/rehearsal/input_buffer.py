"""The input audio buffer: one timeline of everything appended, and who speaks on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.audio.vad import VadConfig, VoiceActivityDetector
from telephony.rehearsal.settings import TurnDetection

_FRAME_MS = 20
_FRAME_BYTES = L16_8K.frame_bytes(_FRAME_MS)
_START_WINDOW_MS = 120

_MAX_KEPT_MS = 120_000.0
"""Older audio that was never committed is forgotten."""

_EXPRESSIVE_RANGE_DB = 20.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A committed piece of the timeline."""

    audio: bytes
    audio_format: AudioFormat
    start_ms: float
    end_ms: float
    speech_ms: float
    """Without the padding and the silence around it, where that is known."""

    @property
    def duration_ms(self) -> float:
        return self.end_ms - self.start_ms

    def pcm16(self, target: AudioFormat) -> bytes:
        """Return the audio as 16-bit PCM at the rate of ``target``."""
        converter = Converter(self.audio_format, target)
        return converter.convert(self.audio) + converter.flush()


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    start_ms: float


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    segment: Segment


def _vad_config(detection: TurnDetection) -> VadConfig:
    # The API's threshold is a probability; ours are levels. 0.5 means the detector's defaults.
    offset = detection.threshold - 0.5
    return VadConfig(
        frame_ms=_FRAME_MS,
        aggressiveness=min(3, int(detection.threshold * 4)),
        start_window_ms=_START_WINDOW_MS,
        stop_ms=max(_FRAME_MS, detection.silence_duration_ms),
        min_level_dbfs=-45.0 + _EXPRESSIVE_RANGE_DB * offset,
        above_noise_db=8.0 + 8.0 * offset,
    )


class InputBuffer:
    """Takes audio as it is appended and tells when speech began and ended.

    Positions are milliseconds of audio since the first append of the session, whatever the
    format was meanwhile. Without ``detection`` the audio just gathers until it is committed.
    """

    def __init__(self, audio_format: AudioFormat, detection: TurnDetection | None) -> None:
        self._format = audio_format
        self._detection = detection
        self._kept = bytearray()
        self._kept_from_ms = 0.0
        self._base_ms = 0.0
        self._bytes_since_base = 0
        self._speech_from_ms: float | None = None
        self._start_detector()

    def _start_detector(self) -> None:
        """Detect from here on as if nothing had been said."""
        self._vad: VoiceActivityDetector | None = None
        if self._detection is not None:
            self._vad = VoiceActivityDetector(_vad_config(self._detection), 8000)
        self._converter = Converter(self._format, L16_8K)
        self._unframed = b""
        self._framed_ms = self.received_ms
        self._speech_from_ms = None

    @property
    def received_ms(self) -> float:
        return self._base_ms + self._format.duration_ms(self._bytes_since_base)

    @property
    def kept_ms(self) -> float:
        return self.received_ms - self._kept_from_ms

    @property
    def speaking(self) -> bool:
        return self._speech_from_ms is not None

    def configure(self, audio_format: AudioFormat, detection: TurnDetection | None) -> None:
        """Take over a changed format (what is buffered is dropped) or turn detection."""
        if audio_format == self._format and detection == self._detection:
            return
        if audio_format != self._format:
            self._base_ms, self._bytes_since_base = self.received_ms, 0
            self._format = audio_format
            self._drop_kept()
        self._detection = detection
        self._start_detector()

    def append(self, audio: bytes) -> Iterable[SpeechBegan | SpeechEnded]:
        """Add ``audio``; return what began or ended in it, which usually is nothing."""
        self._kept += audio
        self._bytes_since_base += len(audio)
        if self._vad is None:
            self._trim(_MAX_KEPT_MS)
            return ()
        facts = self._detect(self._vad, audio)
        if self._speech_from_ms is None:
            assert self._detection is not None
            self._trim(self._detection.prefix_padding_ms + _START_WINDOW_MS + 2 * _FRAME_MS)
        else:
            self._trim(_MAX_KEPT_MS)
        return facts

    def _detect(
        self, vad: VoiceActivityDetector, audio: bytes
    ) -> Iterable[SpeechBegan | SpeechEnded]:
        pcm16 = self._unframed + self._converter.convert(audio)
        facts: list[SpeechBegan | SpeechEnded] | None = None
        end = len(pcm16) - len(pcm16) % _FRAME_BYTES
        for at in range(0, end, _FRAME_BYTES):
            change = vad.process(pcm16[at : at + _FRAME_BYTES])
            self._framed_ms += _FRAME_MS
            if change is not None:
                facts = facts or []
                facts.append(self._speech_began(vad) if change else self._speech_ended(vad))
        self._unframed = pcm16[end:]
        return facts or ()

    def _speech_began(self, vad: VoiceActivityDetector) -> SpeechBegan:
        assert self._detection is not None
        start_ms = self._framed_ms - vad.speech_ms - self._detection.prefix_padding_ms
        self._speech_from_ms = max(start_ms, self._kept_from_ms)
        return SpeechBegan(self._speech_from_ms)

    def _speech_ended(self, vad: VoiceActivityDetector) -> SpeechEnded:
        assert self._speech_from_ms is not None
        self._forget_until(self._speech_from_ms)
        size = self._bytes(self._framed_ms - self._kept_from_ms)
        audio = bytes(self._kept[:size])
        segment = Segment(audio, self._format, self._speech_from_ms, self._framed_ms, vad.speech_ms)
        self._forget_until(self._framed_ms)
        self._speech_from_ms = None
        return SpeechEnded(segment)

    def commit(self) -> Segment:
        """Take everything that is buffered."""
        start_ms, end_ms = self._kept_from_ms, self.received_ms
        segment = Segment(bytes(self._kept), self._format, start_ms, end_ms, end_ms - start_ms)
        self._drop_kept()
        if self.speaking:
            self._speech_from_ms = self._kept_from_ms
        return segment

    def clear(self) -> None:
        self._drop_kept()
        self._start_detector()

    def _drop_kept(self) -> None:
        self._kept.clear()
        self._kept_from_ms = self.received_ms

    def _trim(self, keep_ms: float) -> None:
        # A second of slack: bytes are moved rarely, not at every append.
        if self.kept_ms > keep_ms + 1000.0:
            self._forget_until(self.received_ms - keep_ms)

    def _forget_until(self, position_ms: float) -> None:
        size = self._bytes(position_ms - self._kept_from_ms)
        del self._kept[:size]
        self._kept_from_ms += self._format.duration_ms(size)

    def _bytes(self, duration_ms: float) -> int:
        samples = round(max(0.0, duration_ms) * self._format.sample_rate_hz / 1000)
        return min(len(self._kept), samples * self._format.bytes_per_sample)
