from __future__ import annotations

import numpy as np
import pytest

from telephony.calls.flac_frames import BLOCK_SAMPLES, FlacFrames

SYNC = b"\xff\xf8"


def noise(samples: int) -> bytes:
    return np.random.default_rng(3).integers(-9000, 9000, 2 * samples).astype("<i2").tobytes()


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_nothing_but_frames_comes_out(rate_hz: int) -> None:
    frames = FlacFrames(rate_hz)
    assert frames.encode(noise(BLOCK_SAMPLES - 1)) == b""
    assert frames.samples == 0
    first = frames.encode(noise(2 * BLOCK_SAMPLES))
    assert first.startswith(SYNC)
    assert frames.samples in (2 * BLOCK_SAMPLES, BLOCK_SAMPLES)
    last = frames.finish()
    assert last.startswith(SYNC)
    assert frames.samples == 3 * BLOCK_SAMPLES - 1


def test_a_call_without_a_sample_has_no_frame() -> None:
    frames = FlacFrames(8000)
    assert frames.encode(b"") == frames.finish() == b""
    assert frames.samples == 0
