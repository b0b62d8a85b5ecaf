"""The ringing tone, for a caller who waits while somebody is called."""

from __future__ import annotations

from functools import lru_cache

from telephony.audio.format import AudioFormat
from telephony.audio.g711 import encode
from telephony.audio.tones import Country, ringback


class Ringback:
    """A partner for a line that speaks the tone, over and over, and hears nothing."""

    __slots__ = ("_at", "_frame_bytes", "_tone")

    def __init__(self, line: AudioFormat, ptime_ms: int, country: Country = "us") -> None:
        self._tone = _tone(line, country)
        self._frame_bytes = line.frame_bytes(ptime_ms)
        self._at = 0

    def hear(self, frame: bytes, now: float) -> None:
        """What is said while it rings is for nobody."""

    def speak(self, now: float) -> bytes:
        end = self._at + self._frame_bytes
        if end > len(self._tone):
            self._at, end = 0, self._frame_bytes
        frame = self._tone[self._at : end]
        self._at = end
        return frame


@lru_cache(maxsize=8)
def _tone(line: AudioFormat, country: Country) -> bytes:
    return encode(line, ringback(line.sample_rate_hz, country))
