"""The limits of ITU-T Q.24, speech, noise, and what G.711 makes of tones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio import g711, tones
from telephony.audio.format import PCMA, PCMU, AudioFormat
from telephony.audio.tones import DTMF_FREQUENCIES_HZ
from telephony.audio.wav import read_wav
from telephony.base.errors import LocalProtocolError
from telephony.dtmf.inband import InbandDetector
from tests.support.peers import SOUNDS_PACKAGES, missing, sound_files

KEYS = "".join(DTMF_FREQUENCIES_HZ)
Samples = npt.NDArray[np.float64]


def key(
    digit: str,
    duration_ms: float = 60,
    *,
    low_dbfs: float = -16.0,
    high_dbfs: float = -16.0,
    low_off: float = 0.0,
    high_off: float = 0.0,
    phase: float = 0.3,
    rate_hz: int = 8000,
) -> Samples:
    """Return the two tones of a key, each with its level and its share of detuning."""
    time_s = np.arange(round(rate_hz * duration_ms / 1000)) / rate_hz
    low_hz, high_hz = DTMF_FREQUENCIES_HZ[digit]

    def tone(frequency_hz: float, level_dbfs: float) -> Samples:
        peak = 32768 * 10 ** (level_dbfs / 20) * 2**0.5
        return np.asarray(peak * np.sin(2 * np.pi * frequency_hz * time_s + phase))

    return tone(low_hz * (1 + low_off), low_dbfs) + tone(high_hz * (1 + high_off), high_dbfs)


def pause(duration_ms: float, rate_hz: int = 8000) -> Samples:
    return np.zeros(round(rate_hz * duration_ms / 1000))


def heard(
    parts: Iterable[Samples],
    *,
    ptime_ms: int = 20,
    rate_hz: int = 8000,
    wire: AudioFormat | None = None,
    snr_db: float | None = None,
) -> str:
    """Return the keys found; ``snr_db`` is that of two tones of -16 dBFS in white noise."""
    samples = np.concatenate([pause(20, rate_hz), *parts, pause(100, rate_hz)])
    if snr_db is not None:
        deviation = 32768 * 10 ** ((-13.0 - snr_db) / 20)
        samples = samples + np.random.default_rng(1).normal(0, deviation, len(samples))
    pcm16 = np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
    if wire is not None:
        pcm16 = g711.decode(wire, g711.encode(wire, pcm16))
    return keys_in(pcm16, ptime_ms=ptime_ms, rate_hz=rate_hz)


def keys_in(pcm16: bytes, *, ptime_ms: int = 20, rate_hz: int = 8000) -> str:
    detector = InbandDetector(rate_hz, ptime_ms)
    size = 2 * rate_hz * ptime_ms // 1000
    frames = (pcm16[start : start + size] for start in range(0, len(pcm16) - size + 1, size))
    return "".join(detector.hear(frame) or "" for frame in frames)


def dialled(tone_ms: float = 40, pause_ms: float = 40, **shape: float) -> list[Samples]:
    """Return every key twice in a row, each beginning elsewhere in its frame."""
    parts = []
    for number, digit in enumerate(digit for digit in KEYS for _ in range(2)):
        parts += [key(digit, tone_ms, phase=number, **shape), pause(pause_ms + number % 10)]
    return parts


TWICE = "".join(digit * 2 for digit in KEYS)


@pytest.mark.parametrize("ptime_ms", [10, 20, 30])
@pytest.mark.parametrize("wire", [None, PCMU, PCMA])
def test_every_key_of_40_ms_is_heard_once(ptime_ms: int, wire: AudioFormat | None) -> None:
    assert heard(dialled(), ptime_ms=ptime_ms, wire=wire) == TWICE


@pytest.mark.parametrize("rate_hz", [16000, 24000])
def test_other_rates(rate_hz: int) -> None:
    parts = []
    for digit in KEYS:
        parts += [key(digit, 50, rate_hz=rate_hz), pause(50, rate_hz)]
    assert heard(parts, rate_hz=rate_hz) == KEYS


@pytest.mark.parametrize("low_off", [-0.015, 0.015])
@pytest.mark.parametrize("high_off", [-0.015, 0.015])
def test_tones_may_be_off_by_a_percent_and_a_half(low_off: float, high_off: float) -> None:
    assert heard(dialled(low_off=low_off, high_off=high_off), wire=PCMU) == TWICE


@pytest.mark.parametrize("off", [-0.035, 0.035])
@pytest.mark.parametrize("group", ["low_off", "high_off"])
def test_tones_that_are_off_by_three_percent_and_a_half_are_none(off: float, group: str) -> None:
    assert heard(dialled(100, **{group: off})) == ""


@pytest.mark.parametrize(("low_dbfs", "high_dbfs"), [(-12, -20), (-20, -16), (-9.5, -9.5)])
def test_the_twist_of_a_line(low_dbfs: float, high_dbfs: float) -> None:
    parts = dialled(50, low_dbfs=low_dbfs, high_dbfs=high_dbfs)
    assert heard(parts, wire=PCMU) == TWICE


@pytest.mark.parametrize(("low_dbfs", "high_dbfs"), [(-10, -22), (-22, -14), (-16, -90)])
def test_more_twist_than_a_line_has(low_dbfs: float, high_dbfs: float) -> None:
    assert heard(dialled(100, low_dbfs=low_dbfs, high_dbfs=high_dbfs)) == ""


def test_faint_and_loud_tones() -> None:
    assert heard(dialled(low_dbfs=-42, high_dbfs=-42), wire=PCMU) == TWICE
    assert heard(dialled(low_dbfs=-6.5, high_dbfs=-6.5), wire=PCMA) == TWICE
    # RFC 4733 section 2.3.3: what is below -55 dBm0 is no key.
    assert heard(dialled(100, low_dbfs=-61, high_dbfs=-61)) == ""


def test_what_is_shorter_than_23_ms_is_no_key() -> None:
    assert heard(dialled(20, 60)) == ""
    assert len(heard(dialled(23, 60))) <= 1


def test_an_interruption_of_10_ms_does_not_part_a_key() -> None:
    whole = key("5", 200)
    whole[800:880] = 0.0
    assert heard([whole]) == "5"


@pytest.mark.parametrize(("tone_ms", "snr_db"), [(40, 15), (50, 12), (60, 9), (100, 7)])
def test_noise(tone_ms: float, snr_db: float) -> None:
    assert heard(dialled(tone_ms, 60), snr_db=snr_db, wire=PCMU) == TWICE


def test_noise_alone_is_no_key() -> None:
    for level in (300, 3000, 12000):
        noise = np.random.default_rng(2).normal(0, level, 60 * 8000)
        assert heard([noise]) == ""


@pytest.mark.parametrize(
    "frequencies_hz",
    [(440, 480), (480, 620), (350, 440), (697,), (1209,), (697, 770), (425,), (1100,), (2100,)],
)
def test_tones_of_the_network_are_no_keys(frequencies_hz: tuple[float, ...]) -> None:
    pcm16 = tones.tone(frequencies_hz, 2000)
    assert keys_in(pcm16) == ""


def test_a_dial_tone_under_a_key_hides_it() -> None:
    """Two tones with a third as loud are no key: nor is a chord."""
    time_s = np.arange(1600) / 8000
    third = 32768 * 10 ** (-16 / 20) * 2**0.5 * np.sin(2 * np.pi * 440 * time_s)
    assert heard([key("5", 200) + third]) == ""


def test_our_own_tones_are_keys() -> None:
    for digit in KEYS:
        assert keys_in(tones.silence(30) + tones.dtmf(digit, 100) + tones.silence(60)) == digit


def test_a_key_is_held_until_30_ms_after_its_end() -> None:
    detector = InbandDetector()
    audio = tones.dtmf("7", 200) + tones.silence(200)
    held = []
    for start in range(0, len(audio), 320):
        detector.hear(audio[start : start + 320])
        held.append(detector.held)
    assert held[0] == ""
    assert held[1:10] == ["7"] * 9
    assert held[12:] == [""] * 8
    assert detector.stats.digits == 1


def test_a_reset_forgets_the_key() -> None:
    detector = InbandDetector()
    for start in range(0, 6 * 320, 320):
        detector.hear(tones.dtmf("7", 200)[start : start + 320])
    assert detector.held == "7"
    detector.reset()
    assert detector.held == ""


def test_quiet_frames_are_not_looked_at() -> None:
    detector = InbandDetector()
    for _ in range(50):
        detector.hear(bytes(320))
    assert detector.stats.windows == 0


def test_frames_are_whole_steps() -> None:
    with pytest.raises(LocalProtocolError):
        InbandDetector(8000, 25)


@pytest.mark.parametrize("wire", [None, PCMU])
def test_no_word_of_the_recorded_speech_is_a_key(wire: AudioFormat | None) -> None:
    files = sound_files()
    if not files:
        missing("no recorded speech", SOUNDS_PACKAGES["wav"])
    detector, seconds = InbandDetector(), 0.0
    for path in files:
        wav = read_wav(path.read_bytes())
        pcm16 = wav.pcm16 if wire is None else g711.decode(wire, g711.encode(wire, wav.pcm16))
        seconds += len(pcm16) / 16000
        for start in range(0, len(pcm16) - 319, 320):
            assert detector.hear(pcm16[start : start + 320]) is None, path
    assert seconds > 1500
