from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.resample import StreamResampler
from telephony.base.errors import LocalProtocolError

CALL_RATES = [(8000, 24000), (24000, 8000), (8000, 16000), (16000, 8000), (16000, 24000)]
ODD_RATES = [(22050, 8000), (44100, 8000), (8000, 11025), (48000, 44100)]


def tone(frequency_hz: float, rate_hz: int, seconds: float = 1.0, peak: float = 20000) -> bytes:
    phase = 2 * np.pi * frequency_hz * np.arange(int(rate_hz * seconds)) / rate_hz
    return np.rint(peak * np.sin(phase)).astype("<i2").tobytes()


def whole(from_hz: int, to_hz: int, pcm16: bytes) -> np.ndarray:
    stream = StreamResampler(from_hz, to_hz)
    return np.frombuffer(stream.process(pcm16) + stream.flush(), "<i2")


def gain_db(frequency_hz: float, from_hz: int, to_hz: int) -> float:
    output = whole(from_hz, to_hz, tone(frequency_hz, from_hz)).astype(float)
    middle = output[len(output) // 4 : 3 * len(output) // 4]
    return 20 * np.log10(max(np.sqrt((middle**2).mean()), 1e-3) / (20000 / 2**0.5))


@pytest.mark.parametrize(("from_hz", "to_hz"), CALL_RATES + ODD_RATES)
@pytest.mark.parametrize("samples", [0, 1, 2, 3, 7, 50, 159, 160, 161, 1001, 24001])
def test_output_is_input_times_ratio_rounded(from_hz: int, to_hz: int, samples: int) -> None:
    output = whole(from_hz, to_hz, bytes(2 * samples))
    assert len(output) == int(samples * to_hz / from_hz + 0.5)


@pytest.mark.parametrize(("from_hz", "to_hz"), CALL_RATES + ODD_RATES)
@pytest.mark.parametrize("chunk_samples", [1, 37, 160, 333, 4000])
def test_cutting_the_input_changes_nothing(from_hz: int, to_hz: int, chunk_samples: int) -> None:
    noise = np.random.default_rng(1).integers(-32768, 32767, 6000).astype("<i2").tobytes()
    stream = StreamResampler(from_hz, to_hz)
    size = 2 * chunk_samples
    pieces = [stream.process(noise[at : at + size]) for at in range(0, len(noise), size)]
    assert b"".join(pieces) + stream.flush() == whole(from_hz, to_hz, noise).tobytes()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 24000), (24000, 8000), (22050, 8000)])
def test_flush_begins_a_new_stream(from_hz: int, to_hz: int) -> None:
    stream = StreamResampler(from_hz, to_hz)
    first = stream.process(tone(1000, from_hz)) + stream.flush()
    assert stream.flush() == b""
    assert stream.process(tone(1000, from_hz)) + stream.flush() == first


@pytest.mark.parametrize(("from_hz", "to_hz"), CALL_RATES)
def test_the_telephone_band_passes_flat(from_hz: int, to_hz: int) -> None:
    for frequency_hz in (300, 1000, 2000, 3000, 3400):
        assert gain_db(frequency_hz, from_hz, to_hz) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("frequency_hz", [4200, 4600, 5001, 6001, 7003, 11003])
def test_what_8_khz_can_t_carry_does_not_come_back_as_an_alias(frequency_hz: float) -> None:
    assert gain_db(frequency_hz, 24000, 8000) < -65


def test_the_edge_is_inside_the_mask_of_g712() -> None:
    assert gain_db(4050, 24000, 8000) < -14


@pytest.mark.parametrize("frequency_hz", [500, 1000, 3000, 3400])
def test_raising_the_rate_makes_no_image(frequency_hz: float) -> None:
    output = whole(8000, 24000, tone(frequency_hz, 8000)).astype(float)[6000:18000]
    phase = 2 * np.pi * frequency_hz * np.arange(len(output)) / 24000
    basis = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    fit = basis @ np.linalg.lstsq(basis, output, rcond=None)[0]
    image_db = 20 * np.log10(np.sqrt(((output - fit) ** 2).mean()) / (20000 / 2**0.5))
    assert image_db < -75


@pytest.mark.parametrize(("from_hz", "to_hz"), CALL_RATES)
def test_output_is_aligned_with_input_in_time(from_hz: int, to_hz: int) -> None:
    impulse = np.zeros(from_hz // 10, "<i2")
    impulse[from_hz // 20] = 30000
    output = whole(from_hz, to_hz, impulse.tobytes())
    assert int(np.abs(output).argmax()) == to_hz // 20


@pytest.mark.parametrize(("from_hz", "to_hz"), CALL_RATES)
def test_little_is_held_back(from_hz: int, to_hz: int) -> None:
    stream = StreamResampler(from_hz, to_hz)
    assert stream.delay_ms < 3
    frame = bytes(from_hz // 50 * 2)
    for _ in range(50):
        stream.process(frame)
    produced = sum(len(stream.process(frame)) for _ in range(50)) // 2
    assert produced == to_hz
    tail_ms = len(stream.flush()) * 500 / to_hz
    assert tail_ms <= stream.delay_ms + 1000 / to_hz


@pytest.mark.parametrize(("from_hz", "to_hz"), ODD_RATES)
def test_the_stated_delay_of_odd_ratios_is_never_exceeded(from_hz: int, to_hz: int) -> None:
    stream = StreamResampler(from_hz, to_hz)
    taken = given = 0
    for _ in range(200):
        taken += 441
        given += len(stream.process(bytes(882))) // 2
        assert taken * 1000 / from_hz - given * 1000 / to_hz <= stream.delay_ms


def test_digital_silence_stays_silence() -> None:
    for from_hz, to_hz in CALL_RATES + ODD_RATES:
        assert not whole(from_hz, to_hz, bytes(8000)).any()


def test_loud_input_is_clipped_not_wrapped() -> None:
    square = np.where(np.arange(4000) % 40 < 20, 32767, -32768).astype("<i2")
    output = whole(8000, 24000, square.tobytes()).astype(int)
    centres = output[30:-30:60]
    assert (np.abs(centres) > 20000).all()
    assert output.max() == 32767
    assert output.min() == -32768


def test_a_constant_stays_constant() -> None:
    output = whole(8000, 24000, np.full(4000, 12345, "<i2").tobytes())
    assert set(output[200:-200].tolist()) <= {12344, 12345, 12346}


def test_equal_rates_pass_untouched() -> None:
    stream = StreamResampler(8000, 8000)
    frame = tone(1000, 8000, 0.02)
    assert stream.process(frame) is frame
    assert stream.flush() == b""
    assert stream.delay_ms == 0.0


def test_misuse_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        StreamResampler(0, 8000)
    with pytest.raises(ValueError):
        StreamResampler(8000, 24000).process(b"\x00")
