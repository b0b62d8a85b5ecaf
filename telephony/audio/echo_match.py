"""Where a piece of what was heard fits into what was sent.

The measure is the peak of the normalised cross-correlation, after a pre-emphasis that keeps the
pitch of one voice from passing for that of another. On recorded speech, for a window of 200 ms
that is full of it:

=========================  ======  ======  ======
peak of the correlation     1 %    median   99 %
=========================  ======  ======  ======
echo of a hybrid            0.67     0.80    0.90
echo of a room (300 ms)     0.24     0.40    0.72
a caller's own voice        0.06     0.17    0.45
=========================  ======  ======  ======

Over all delays up to 500 ms at 8 kHz it costs 0.25 ms, around a delay that is known 0.1 ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_QUIET_RMS = 30.0
"""Quieter than this a window is noise of the coding, which is the same on both ways."""


def emphasised(pcm16: bytes, thin: int = 1) -> Samples:
    """Return 16-bit PCM with its treble raised by 6 dB per octave, one sample shorter.

    ``thin`` samples become one before: a voice is known by what is below 4 kHz.
    """
    samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float32)
    if thin > 1:
        samples = samples.reshape(-1, thin).mean(axis=1)
    return np.diff(samples)


@dataclass(frozen=True, slots=True)
class EchoMatch:
    """Where a window of what was heard fits best into what was sent."""

    likeness: float
    """Peak of the normalised cross-correlation, 0 to 1."""
    delay_samples: int
    loss_db: float
    """Energy of what was sent there over that of the window."""

    @classmethod
    def anywhere(cls, heard: Samples, sent: Samples) -> EchoMatch:
        """Look at every delay; both end now, and ``sent`` is the longer one."""
        # A length that is quick to transform. Products wrap around only where ``heard`` would
        # reach beyond ``sent``: none of those is looked at.
        step = 1 << (len(sent).bit_length() - 4)
        length = -(-len(sent) // step) * step
        spectrum = np.fft.rfft(sent, length) * np.conj(np.fft.rfft(heard, length))
        products = np.fft.irfft(spectrum, length)[: len(sent) - len(heard) + 1]
        return cls._best(heard, sent, products, 0)

    @classmethod
    def near(cls, heard: Samples, sent: Samples, delay: int, reach: int) -> EchoMatch:
        """Look at the delays of ``delay - reach`` to ``delay + reach`` samples."""
        nearest = max(0, delay - reach)
        piece = sent[max(0, len(sent) - len(heard) - delay - reach) : len(sent) - nearest]
        return cls._best(heard, piece, np.correlate(piece, heard, "valid"), nearest)

    @classmethod
    def _best(
        cls, heard: Samples, sent: Samples, products: npt.NDArray[np.floating[Any]], nearest: int
    ) -> EchoMatch:
        power = np.concatenate(([0.0], np.cumsum(sent.astype(np.float64) ** 2)))
        energies = power[len(heard) :] - power[: -len(heard)]
        energies = np.maximum(energies, len(heard) * _QUIET_RMS**2)
        heard_energy = max(float(np.dot(heard, heard)), 1.0)
        likeness = np.abs(products) / np.sqrt(energies)
        at = int(np.argmax(likeness))
        loss_db = 10 * math.log10(energies[at] / heard_energy)
        delay = nearest + len(products) - 1 - at
        return cls(float(likeness[at]) / math.sqrt(heard_energy), delay, loss_db)
