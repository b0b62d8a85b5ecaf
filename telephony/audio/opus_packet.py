"""What an Opus packet says of itself before it is decoded (RFC 6716 section 3)."""

from __future__ import annotations

CLOCK_RATE_HZ = 48000
"""Of RTP timestamps, whatever rate is coded (RFC 7587 section 4.1)."""

_MAX_SAMPLES = CLOCK_RATE_HZ * 120 // 1000  # requirement R5
_DTX_BYTES = 2

_SILK_SAMPLES = (480, 960, 1920, 2880)
_HYBRID_SAMPLES = (480, 960)
_CELT_SAMPLES = (120, 240, 480, 960)


def _frame_samples(config: int) -> int:
    """Return the duration of one frame of a configuration (table 2)."""
    if config < 12:
        return _SILK_SAMPLES[config & 3]
    if config < 16:
        return _HYBRID_SAMPLES[config & 1]
    return _CELT_SAMPLES[config & 3]


_FRAME_SAMPLES = tuple(_frame_samples(toc >> 3) for toc in range(256))
_FRAME_COUNT = (1, 2, 2)


def packet_samples(packet: bytes) -> int:
    """Return how long a packet lasts, in samples of 48 kHz; 0 for what is not one."""
    if not packet:
        return 0
    toc = packet[0]
    code = toc & 3
    if code != 3:
        return _FRAME_SAMPLES[toc] * _FRAME_COUNT[code]
    if len(packet) < 2:
        return 0
    samples = _FRAME_SAMPLES[toc] * (packet[1] & 0x3F)
    return samples if samples <= _MAX_SAMPLES else 0


def is_dtx(packet: bytes) -> bool:
    """Tell whether a packet says that the sender falls silent (RFC 7587 section 3.1.3)."""
    return len(packet) <= _DTX_BYTES
