"""Streaming sample-rate conversion that holds back 2.6 ms instead of 75.

Between the rates of a call (8, 16, 24, 48 kHz) a polyphase FIR filter does the work; every other
ratio, such as that of a 44.1 kHz WAV file, goes through soxr. Measured with 20 ms a call:

======== ================== ================== =========== ========== =======================
         8 to 24 kHz        24 to 8 kHz        at 3.4 kHz  images     aliases of 4.1 / 4.2 kHz
======== ================== ================== =========== ========== =======================
soxr QQ  0.2 ms   5.9 us     0.0 ms   4.9 us    -3.0 dB     -10 dB      0 /    0 dB
soxr LQ 40.0 ms   5.5 us    40.0 ms   5.2 us    -7.8 dB     -92 dB   < -92 / < -92 dB
soxr MQ 75.3 ms   5.5 us    75.2 ms   5.4 us     0.0 dB     -92 dB   < -92 / < -92 dB
soxr HQ 73.2 ms   5.7 us    73.1 ms   5.4 us     0.0 dB     -91 dB   < -92 / < -92 dB
soxr vr 30.0 ms  12.5 us    25.0 ms  20.2 us     0.0 dB     -92 dB   < -92 / < -92 dB
this FIR 2.6 ms   6.7 us     2.6 ms   7.2 us     0.0 dB     -80 dB    -35 /  -72 dB
======== ================== ================== =========== ========== =======================

soxr filters in blocks of an FFT, so everything but QQ (which does not filter at all when it
decimates) withholds 25 ms or more, and all of it is added to the time the caller waits. Its
int16 streams are dithered as well: digital silence becomes noise and the result depends on how
the input was cut. The FIR stays 30 dB and more below the quantising noise of G.711, and its
edges, flat to 3.4 kHz and closed at 4.2 kHz, are inside the masks of ITU-T G.712.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt
import soxr

from telephony.base.errors import LocalProtocolError

_Samples = npt.NDArray[np.float64]

_MAX_FACTOR = 6
"""Largest term of a reduced ratio that gets an FIR: 8 to 48 kHz is 6/1."""

_PASS_EDGE = 0.425
_STOP_EDGE = 0.525
"""Of the lower rate: 3400 and 4200 Hz at 8 kHz."""

_STOP_ATTENUATION_DB = 68.0

_COEFFICIENT_SCALE = float(1 << 20)
"""Coefficients are multiples of 2^-20 and samples integers, so sums in double precision are
exact: no order of summation, hence no chunk size and no CPU, can change a bit of the output."""

_SOXR_DELAY_MS = 160.0


_BLOCKS_PER_ROW = 8
"""Blocks that one row of the matrix product computes: the fastest of 1 to 32."""


@lru_cache(maxsize=32)
def _polyphase(up: int, down: int) -> tuple[_Samples, int, int]:
    """Return (matrix, history, lookahead) of the ``up / down`` filter.

    Input ``down * block - history`` to ``down * block + lookahead`` decides the ``up`` output
    samples of that block, aligned with the input in time. The matrix computes
    ``_BLOCKS_PER_ROW`` consecutive blocks from one row of input.
    """
    transition = (_STOP_EDGE - _PASS_EDGE) / max(up, down)
    half = int(np.ceil((_STOP_ATTENUATION_DB - 7.95) / (14.36 * transition) / 2))
    cutoff = (_STOP_EDGE + _PASS_EDGE) / 2 / max(up, down)
    beta = 0.1102 * (_STOP_ATTENUATION_DB - 8.7)
    taps = np.sinc(2 * cutoff * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, beta)
    history = half // up
    lookahead = ((up - 1) * down + half) // up
    width = history + 1 + lookahead
    block = np.zeros((width, up))
    for phase in range(up):
        for row in range(width):
            tap = phase * down - (row - history) * up
            if -half <= tap <= half:
                block[row, phase] = taps[half + tap]
    # Each phase passes a constant signal at the same gain: no tone at the input rate.
    block = np.rint(block / block.sum(axis=0) * _COEFFICIENT_SCALE) / _COEFFICIENT_SCALE
    matrix = np.zeros(((_BLOCKS_PER_ROW - 1) * down + width, _BLOCKS_PER_ROW * up))
    for index in range(_BLOCKS_PER_ROW):
        rows = slice(index * down, index * down + width)
        matrix[rows, index * up : (index + 1) * up] = block
    matrix.setflags(write=False)
    return matrix, history, lookahead


class _FirStream:
    __slots__ = (
        "_buffer",
        "_down",
        "_fill",
        "_history",
        "_lookahead",
        "_matrix",
        "_samples_in",
        "_samples_out",
        "_up",
    )

    def __init__(self, up: int, down: int) -> None:
        self._up = up
        self._down = down
        self._matrix, self._history, self._lookahead = _polyphase(up, down)
        self._buffer: _Samples = np.zeros(4096)
        self._reset()

    def _reset(self) -> None:
        self._buffer[: self._history] = 0.0
        self._fill = self._history
        self._samples_in = 0
        self._samples_out = 0

    @property
    def lookahead_samples(self) -> int:
        return self._lookahead + self._down - 1

    def process(self, samples: npt.NDArray[np.int16]) -> bytes:
        self._samples_in += len(samples)
        return self._filter(samples)

    def flush(self) -> bytes:
        exact = (2 * self._samples_in * self._up + self._down) // (2 * self._down)
        missing = exact - self._samples_out
        tail = self._filter(np.zeros(self._lookahead + self._down, dtype=np.int16))
        self._reset()
        return tail[: missing * 2]

    def _filter(self, samples: npt.NDArray[np.int16]) -> bytes:
        fill = self._fill
        end = fill + len(samples)
        row_stride = _BLOCKS_PER_ROW * self._down
        row_width = len(self._matrix)
        if end + row_stride > len(self._buffer):
            grown = np.zeros(2 * end + row_stride)
            grown[:fill] = self._buffer[:fill]
            self._buffer = grown
        buffer = self._buffer
        buffer[fill:end] = samples
        blocks = max(0, (end - self._history - 1 - self._lookahead) // self._down + 1)
        row_count = -(-blocks // _BLOCKS_PER_ROW)
        # The last row may reach beyond the data: what it computes there is cut off below.
        rows: _Samples = np.ndarray(
            (row_count, row_width), np.float64, buffer, 0, (8 * row_stride, 8)
        )
        output = (rows @ self._matrix).ravel()[: blocks * self._up]
        consumed = blocks * self._down
        buffer[: end - consumed] = buffer[consumed:end]
        self._fill = end - consumed
        self._samples_out += len(output)
        return _rounded(output)


class _SoxrStream:
    __slots__ = ("_from_hz", "_samples_in", "_samples_out", "_stream", "_to_hz")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
        self._samples_in = 0
        self._samples_out = 0

    def process(self, samples: npt.NDArray[np.int16]) -> bytes:
        self._samples_in += len(samples)
        output = self._stream.resample_chunk(samples.astype(np.float32))
        self._samples_out += len(output)
        return _rounded(output)

    def flush(self) -> bytes:
        exact = (2 * self._samples_in * self._to_hz + self._from_hz) // (2 * self._from_hz)
        missing = exact - self._samples_out
        tail = self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)[:missing]
        self._stream.clear()
        self._samples_in = self._samples_out = 0
        return _rounded(tail) + bytes(2 * (missing - len(tail)))


def _rounded(samples: npt.NDArray[np.floating]) -> bytes:
    """Return ``samples``, which are overwritten, as 16-bit PCM."""
    np.rint(samples, out=samples)
    np.minimum(samples, 32767.0, out=samples)
    np.maximum(samples, -32768.0, out=samples)
    return samples.astype("<i2").tobytes()


class StreamResampler:
    """Converts 16-bit mono PCM from ``from_hz`` to ``to_hz`` with its state kept between calls.

    The output does not depend on how the input was cut. From one :meth:`flush` to the next
    exactly ``round(samples_in * to_hz / from_hz)`` samples come out (a half is rounded up), and
    output sample ``n`` belongs to the time of input sample ``n * from_hz / to_hz``.
    """

    __slots__ = ("_stream", "delay_ms", "from_hz", "to_hz")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise LocalProtocolError(f"cannot resample from {from_hz} Hz to {to_hz} Hz")
        self.from_hz = from_hz
        self.to_hz = to_hz
        self.delay_ms: float
        """Most audio that is held back until more arrives or :meth:`flush` is called."""
        divisor = gcd(from_hz, to_hz)
        up, down = to_hz // divisor, from_hz // divisor
        self._stream: _FirStream | _SoxrStream | None
        if from_hz == to_hz:
            self._stream = None
            self.delay_ms = 0.0
        elif max(up, down) <= _MAX_FACTOR:
            self._stream = _FirStream(up, down)
            self.delay_ms = self._stream.lookahead_samples * 1000 / from_hz
        else:
            self._stream = _SoxrStream(from_hz, to_hz)
            self.delay_ms = _SOXR_DELAY_MS

    def process(self, pcm16: bytes) -> bytes:
        """Return what can be known so far; raise ValueError for half a sample."""
        if self._stream is None:
            return pcm16
        return self._stream.process(np.frombuffer(pcm16, dtype="<i2"))

    def flush(self) -> bytes:
        """Return the rest of the stream and begin a new one."""
        return b"" if self._stream is None else self._stream.flush()
