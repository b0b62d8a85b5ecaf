from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.level import MIN_DBFS, dbfs, rms


def test_silence_and_nothing_are_the_minimum() -> None:
    assert dbfs(bytes(320)) == MIN_DBFS
    assert dbfs(b"") == MIN_DBFS
    assert rms(b"") == 0


def test_full_scale_square_wave_is_zero() -> None:
    assert dbfs(np.full(160, -32768, "<i2").tobytes()) == 0.0


@pytest.mark.parametrize("amplitude_db", [-3.0, -20.0, -40.0])
def test_a_sine_is_3_db_below_its_peak(amplitude_db: float) -> None:
    peak = 32767 * 10 ** (amplitude_db / 20)
    sine = np.rint(peak * np.sin(2 * np.pi * np.arange(800) / 80)).astype("<i2").tobytes()
    assert dbfs(sine) == pytest.approx(amplitude_db - 3.01, abs=0.1)
    assert rms(sine) == pytest.approx(peak / 2**0.5, abs=1)


def test_one_unit_is_near_the_minimum() -> None:
    assert dbfs(np.full(160, 1, "<i2").tobytes()) == pytest.approx(-90.3, abs=0.1)
