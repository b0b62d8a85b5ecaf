"""Audio formats of the phone line (G.711) and of speech models (16-bit linear PCM).

An :class:`AudioFormat` is what frames look like inside; a :data:`Codec` is what RTP carries. They
are one for G.711, which goes through untouched; the frames of any other codec are ``l16``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Encoding = Literal["pcmu", "pcma", "l16"]
Codec = Literal["pcmu", "pcma", "g722", "opus"]

_SILENCE = {"pcmu": b"\xff", "pcma": b"\xd5", "l16": b"\x00"}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One mono sample format. ``l16`` is signed 16-bit in little-endian order."""

    encoding: Encoding
    sample_rate_hz: int

    @property
    def bytes_per_sample(self) -> int:
        return 2 if self.encoding == "l16" else 1

    @property
    def bytes_per_second(self) -> int:
        return self.sample_rate_hz * self.bytes_per_sample

    def frame_bytes(self, duration_ms: int) -> int:
        """Return the size of ``duration_ms``, cut to whole samples."""
        return self.sample_rate_hz * duration_ms // 1000 * self.bytes_per_sample

    def duration_ms(self, size_bytes: int) -> float:
        return size_bytes * 1000 / self.bytes_per_second

    def silence(self, size_bytes: int) -> bytes:
        """Return ``size_bytes`` of the code word for the zero level."""
        return _SILENCE[self.encoding] * size_bytes


PCMU = AudioFormat("pcmu", 8000)
PCMA = AudioFormat("pcma", 8000)
L16_8K = AudioFormat("l16", 8000)
L16_16K = AudioFormat("l16", 16000)
L16_24K = AudioFormat("l16", 24000)
