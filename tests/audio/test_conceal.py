from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio.conceal import Concealer
from telephony.audio.level import dbfs
from telephony.base.errors import LocalProtocolError

Samples = npt.NDArray[np.float64]
Fill = Callable[[list[bytes], list[bool]], list[bytes]]

FRAME = 160
SILENCE = bytes(320)


def to_frames(signal: Samples) -> list[bytes]:
    pcm16 = np.clip(np.rint(signal), -32768, 32767).astype("<i2").tobytes()
    return [pcm16[at : at + 320] for at in range(0, len(pcm16) - 319, 320)]


def to_samples(frames: list[bytes]) -> Samples:
    return np.frombuffer(b"".join(frames), "<i2").astype(float)


def vowel(frames: int, pitch_hz: float = 125.0) -> Samples:
    """A voiced sound: harmonics that fall off, at 0.3 of full scale."""
    time_s = np.arange(frames * FRAME) / 8000
    harmonics = range(1, int(3400 // pitch_hz))
    return 5000 * sum(np.sin(2 * np.pi * pitch_hz * k * time_s + k) / k for k in harmonics)


def conceal(frames: list[bytes], lost: list[bool]) -> list[bytes]:
    concealer = Concealer()
    return [
        concealer.lost() if gone else concealer.good(frame)
        for frame, gone in zip(frames, lost, strict=True)
    ]


def fill_with_silence(frames: list[bytes], lost: list[bool]) -> list[bytes]:
    return [SILENCE if gone else frame for frame, gone in zip(frames, lost, strict=True)]


def repeat_last(frames: list[bytes], lost: list[bool]) -> list[bytes]:
    output = [SILENCE]
    for frame, gone in zip(frames, lost, strict=True):
        output.append(output[-1] if gone else frame)
    return output[1:]


def spectra_db(signal: Samples) -> Samples:
    windows = np.lib.stride_tricks.sliding_window_view(signal, 256)[::80] * np.hanning(256)
    return 10 * np.log10(np.abs(np.fft.rfft(windows, axis=1)) ** 2 + 1e5)


def log_spectral_distance_db(clean: Samples, heard: Samples) -> float:
    """Mean over the 32 ms windows that differ."""
    difference = spectra_db(clean) - spectra_db(heard)
    distances = np.sqrt((difference**2).mean(axis=1))
    return float(distances[distances > 0].mean())


def segmental_snr_db(clean: Samples, heard: Samples) -> float:
    """Mean over the spoken frames that differ, each limited to -10 to 35 dB."""
    signal = (clean.reshape(-1, FRAME) ** 2).mean(axis=1)
    error = ((clean - heard).reshape(-1, FRAME) ** 2).mean(axis=1)
    counted = (error > 0) & (signal > 32768**2 * 1e-5)
    snr_db = 10 * np.log10(signal[counted] / error[counted])
    return float(np.clip(snr_db, -10, 35).mean())


def test_speech_with_5_percent_loss_is_nearer_to_the_original_than_any_simple_filling(
    speech_recordings: list[Samples],
) -> None:
    frames = to_frames(np.concatenate(speech_recordings))
    clean = to_samples(frames)
    lost = (np.random.default_rng(5).random(len(frames)) < 0.05).tolist()
    distance, snr = {}, {}
    fillings: list[Fill] = [conceal, fill_with_silence, repeat_last]
    for fill in fillings:
        heard = to_samples(fill(frames, lost))
        distance[fill] = log_spectral_distance_db(clean, heard)
        snr[fill] = segmental_snr_db(clean, heard)
    assert distance[conceal] < 0.8 * distance[fill_with_silence]
    assert distance[conceal] < 0.7 * distance[repeat_last]
    assert snr[conceal] > snr[fill_with_silence] + 4
    assert snr[conceal] > snr[repeat_last] + 7


def test_speech_has_no_click_where_a_loss_begins_or_ends(
    speech_recordings: list[Samples],
) -> None:
    frames = to_frames(np.concatenate(speech_recordings[:60]))
    lost = (np.random.default_rng(7).random(len(frames)) < 0.05).tolist()
    heard = to_samples(conceal(frames, lost))
    jumps = np.abs(np.diff(heard, prepend=0.0))
    natural = np.abs(np.diff(to_samples(frames), prepend=0.0))
    for index in range(3, len(frames) - 1):
        if lost[index] != lost[index - 1]:
            at = index * FRAME
            around = natural[at - 3 * FRAME : at + FRAME].max()
            assert jumps[at] <= around + 50


@pytest.mark.parametrize("pitch_hz", [80.0, 125.0, 190.0])
def test_a_steady_voice_goes_on_as_if_nothing_was_lost(pitch_hz: float) -> None:
    signal = vowel(10, pitch_hz)
    lost = [index == 6 for index in range(10)]
    heard = to_samples(conceal(to_frames(signal), lost))
    first_10_ms = slice(6 * FRAME, 6 * FRAME + 80)
    error = heard[first_10_ms] - signal[first_10_ms]
    assert np.sqrt((error**2).mean()) < 0.25 * np.sqrt((signal[first_10_ms] ** 2).mean())


def test_nothing_lost_costs_nothing_and_changes_nothing() -> None:
    concealer = Concealer()
    frames = to_frames(vowel(5))
    assert all(concealer.good(frame) is frame for frame in frames)
    assert concealer.concealed_samples == 0


def test_the_second_frame_after_a_loss_is_untouched() -> None:
    concealer = Concealer()
    for frame in to_frames(vowel(5)):
        concealer.good(frame)
    concealer.lost()
    after = to_frames(vowel(2))
    assert concealer.good(after[0]) is not after[0]
    assert concealer.good(after[1]) is after[1]


def test_a_long_loss_fades_to_silence_at_100_ms() -> None:
    concealer = Concealer()
    for frame in to_frames(vowel(8)):
        concealer.good(frame)
    levels = [dbfs(concealer.lost()) for _ in range(7)]
    assert levels[0] > levels[1] > levels[2] > levels[3] > levels[4] > -40
    assert concealer.faded
    assert levels[5:] == [-96.0, -96.0]
    assert concealer.concealed_samples == 7 * FRAME


def test_audio_after_a_long_loss_fades_in() -> None:
    concealer = Concealer()
    for _ in range(10):
        concealer.lost()
    loud = np.full(FRAME, 20000, "<i2").tobytes()
    first = np.frombuffer(concealer.good(loud), "<i2").astype(int)
    assert np.abs(np.diff(first, prepend=0)).max() < 1000
    assert first[-1] == 20000


def test_a_loss_before_any_audio_is_silence() -> None:
    assert Concealer().lost() == SILENCE


@pytest.mark.parametrize(("rate_hz", "frame_ms"), [(8000, 10), (8000, 30), (8000, 60), (16000, 20)])
def test_other_frames_and_rates(rate_hz: int, frame_ms: int) -> None:
    concealer = Concealer(rate_hz, frame_ms)
    size = rate_hz * frame_ms // 1000
    time_s = np.arange(20 * size) / rate_hz
    signal = np.rint(8000 * np.sin(2 * np.pi * 100 * time_s)).astype("<i2").tobytes()
    for at in range(0, len(signal), 2 * size):
        concealer.good(signal[at : at + 2 * size])
    made_up = [concealer.lost() for _ in range(160 // frame_ms)]
    assert all(len(frame) == 2 * size for frame in made_up)
    assert dbfs(made_up[0]) > -25
    assert made_up[-1] == bytes(2 * size) or frame_ms == 60
    jumps = np.abs(np.diff(np.frombuffer(b"".join(made_up), "<i2").astype(int)))
    assert jumps.max() < 900


def test_misuse_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        Concealer(11025, 20)


def bridge(frames: list[bytes], lost: list[bool]) -> list[bytes]:
    """Conceal with the frame after each loss known, as far as three frames away."""
    concealer = Concealer()
    output = []
    for index, (frame, gone) in enumerate(zip(frames, lost, strict=True)):
        if not gone:
            output.append(concealer.good(frame))
            continue
        end = next((i for i in range(index, min(index + 4, len(lost))) if not lost[i]), 0)
        ahead = frames[end] if end else b""
        output.append(concealer.lost(ahead, (end - index) * FRAME if end else 0))
    return output


def test_a_loss_is_bridged_better_when_what_comes_after_is_known(
    speech_recordings: list[Samples],
) -> None:
    frames = to_frames(np.concatenate(speech_recordings))
    clean = to_samples(frames)
    lost = (np.random.default_rng(5).random(len(frames)) < 0.05).tolist()
    known, unknown = (to_samples(fill(frames, lost)) for fill in (bridge, conceal))
    assert log_spectral_distance_db(clean, known) < 0.9 * log_spectral_distance_db(clean, unknown)
    assert segmental_snr_db(clean, known) > segmental_snr_db(clean, unknown) + 1


def test_the_frame_after_a_bridged_loss_is_untouched() -> None:
    concealer = Concealer()
    frames = to_frames(vowel(9))
    for frame in frames[:6]:
        concealer.good(frame)
    concealer.lost(frames[7])
    assert concealer.good(frames[7]) is frames[7]


@pytest.mark.parametrize("missing", [1, 2, 3])
@pytest.mark.parametrize("pitch_hz", [90.0, 150.0, 240.0])
def test_a_voice_whose_pitch_moves_is_met_in_phase(pitch_hz: float, missing: int) -> None:
    """Where the bridge and the next frame meet there is no step, and no dip before it."""
    time_s = np.arange(14 * FRAME) / 8000
    phase = 2 * np.pi * pitch_hz * (time_s + 0.4 * time_s**2)
    signal = 4000 * sum(np.sin(k * phase + k) / k for k in range(1, 9))
    frames = to_frames(signal)
    lost = [7 <= index < 7 + missing for index in range(14)]
    heard = to_samples(bridge(frames, lost))
    end = (7 + missing) * FRAME
    assert abs(heard[end] - heard[end - 1]) <= np.abs(np.diff(signal)).max() * 1.2
    before, natural = heard[end - 80 : end], signal[end - 80 : end]
    assert np.sqrt((before**2).mean()) > 0.7 * np.sqrt((natural**2).mean())


def test_a_frame_that_comes_after_all_takes_over_without_a_step() -> None:
    concealer = Concealer()
    frames = to_frames(vowel(12))
    for frame in frames[:6]:
        concealer.good(frame)
    first = concealer.lost(frames[8], 2 * FRAME)
    second = concealer.good(frames[7])
    assert second[-160:] == frames[7][-160:]
    jumps = np.abs(np.diff(to_samples([frames[5], first, second])))
    assert jumps.max() <= np.abs(np.diff(vowel(12))).max() * 1.5
    assert concealer.good(frames[8]) is frames[8]


@pytest.mark.parametrize("size", [0, 2, 100, 190, 192, 320, 640])
def test_any_length_of_what_is_known_is_taken(size: int) -> None:
    concealer = Concealer()
    for frame in to_frames(vowel(5)):
        concealer.good(frame)
    ahead = b"".join(to_frames(vowel(2)))[:size]
    assert len(concealer.lost(ahead)) == 320
