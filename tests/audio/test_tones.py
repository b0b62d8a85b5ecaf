from __future__ import annotations

import numpy as np
import pytest

from telephony.audio import tones
from telephony.audio.level import dbfs


def strongest_hz(pcm16: bytes, count: int, rate_hz: int = 8000) -> list[int]:
    samples = np.frombuffer(pcm16, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), rate_hz))
    found = []
    for _ in range(count):
        peak = int(spectrum.argmax())
        found.append(peak)
        spectrum[max(0, peak - 40) : peak + 40] = 0
    return sorted(found)


@pytest.mark.parametrize("digit", list("0123456789*#ABCD"))
def test_every_digit_has_its_pair(digit: str) -> None:
    found = strongest_hz(tones.dtmf(digit, 200), 2)
    expected = sorted(tones.DTMF_FREQUENCIES_HZ[digit])
    assert all(abs(a - b) <= 4 for a, b in zip(found, expected, strict=True))


def test_the_corners_of_the_keypad() -> None:
    assert tones.DTMF_FREQUENCIES_HZ["1"] == (697, 1209)
    assert tones.DTMF_FREQUENCIES_HZ["D"] == (941, 1633)
    assert tones.DTMF_FREQUENCIES_HZ["0"] == (941, 1336)
    assert tones.dtmf("a") == tones.dtmf("A")


def test_no_other_digit_exists() -> None:
    for digit in ("E", "", "12"):
        with pytest.raises(ValueError, match="not a DTMF digit"):
            tones.dtmf(digit)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
def test_length_level_and_frequency(rate_hz: int) -> None:
    audio = tones.tone((1000.0,), 1000, level_dbfs=-20.0, sample_rate_hz=rate_hz)
    assert len(audio) == 2 * rate_hz
    assert dbfs(audio) == pytest.approx(-20, abs=0.1)
    assert strongest_hz(audio, 1, rate_hz) == [1000]


def test_tones_begin_and_end_without_a_click() -> None:
    samples = np.frombuffer(tones.beep(), "<i2").astype(int)
    assert abs(samples[0]) < 50
    assert abs(samples[-1]) < 50


def test_cadences() -> None:
    assert len(tones.ringback()) == 2 * 8000 * 6
    assert strongest_hz(tones.ringback()[:32000], 2) == [440, 480]
    assert len(tones.busy()) == 2 * 8000
    assert tones.busy()[8000:] == tones.silence(500)


def test_the_shortest_tones_are_possible() -> None:
    assert tones.tone((1000.0,), 0) == b""
    assert len(tones.tone((1000.0,), 1)) == 16


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("country", tones.COUNTRIES)
@pytest.mark.parametrize("name", ["ringback", "busy", "congestion"])
def test_every_country_has_its_tones_at_every_rate(
    country: tones.Country, name: tones.Progress, rate_hz: int
) -> None:
    cadence = tones.CADENCES[country][name]
    period = cadence.period(rate_hz)
    assert len(period) == 2 * rate_hz * cadence.period_ms // 1000
    on_ms, off_ms = cadence.on_off_ms[:2]
    on = 2 * rate_hz * on_ms // 1000
    assert dbfs(period[on : on + 2 * rate_hz * off_ms // 1000]) < -90
    # A spectrum with lines of 1 Hz, from the first second at most.
    found = strongest_hz((period[:on] + bytes(2 * rate_hz))[: 2 * rate_hz], 1, rate_hz)
    assert any(abs(found[0] - f) <= 4 for f in cadence.frequencies_hz)


def test_the_tones_of_germany_and_of_the_uk() -> None:
    assert len(tones.ringback(8000, "de")) == 2 * 8000 * 5
    assert len(tones.busy(8000, "uk")) == 2 * 8 * 750
    assert tones.CADENCES["uk"]["congestion"].on_off_ms == (400, 350, 225, 525)
