"""A piece of music that goes round without a seam."""

from __future__ import annotations

import numpy as np

FADE_MS = 500


def seamless(pcm16: bytes, sample_rate_hz: int, fade_ms: int = FADE_MS) -> tuple[bytes, bytes]:
    """Return ``(beginning, loop)``, 16-bit mono PCM: play the first once, the other on and on.

    The end of the piece fades out while its beginning fades in over it, at equal power: each
    passage of the loop ends where the next one goes on. A piece shorter than four fades gets a
    shorter one.
    """
    samples = np.frombuffer(pcm16, dtype="<i2")
    fade = min(sample_rate_hz * fade_ms // 1000, len(samples) // 4)
    if fade == 0:
        return b"", pcm16
    angle = (np.arange(fade) + 0.5) / fade * (np.pi / 2)
    blend = samples[-fade:] * np.cos(angle) + samples[:fade] * np.sin(angle)
    blended = np.clip(np.rint(blend), -32768, 32767).astype("<i2")
    loop = np.concatenate([samples[fade:-fade], blended])
    return samples[:fade].tobytes(), loop.tobytes()
