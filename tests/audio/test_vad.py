"""Calibration on human speech, plus the counting rules on made-up frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio.level import dbfs
from telephony.audio.resample import StreamResampler
from telephony.audio.vad import VadConfig, VoiceActivityDetector
from telephony.base.errors import LocalProtocolError

Samples = npt.NDArray[np.float64]
Spans = list[tuple[int, int]]

FRAME = 160
QUIET = bytes(320)
MARGIN_FRAMES = 5


def noise(samples: int, level_dbfs: float, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).normal(0, 32768 * 10 ** (level_dbfs / 20), samples)


def pink(samples: int, level_dbfs: float) -> Samples:
    spectrum = np.fft.rfft(noise(samples, 0))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), samples * 50 / 8000))
    signal = np.fft.irfft(spectrum, samples)
    return signal * (32768 * 10 ** (level_dbfs / 20) / np.sqrt((signal**2).mean()))


def frames_of(signal: Samples) -> list[bytes]:
    pcm16 = np.clip(np.rint(signal), -32768, 32767).astype("<i2").tobytes()
    return [pcm16[at : at + 320] for at in range(0, len(pcm16) - 319, 320)]


def detect(
    signal: Samples, config: VadConfig | None = None, echoes_dbfs: list[float] | None = None
) -> Spans:
    """Return (frame of start, frame of stop) of all speech heard."""
    vad = VoiceActivityDetector(config)
    spans: Spans = []
    start = 0
    for index, frame in enumerate(frames_of(signal)):
        if echoes_dbfs is not None:
            vad.expect_echo(echoes_dbfs[index])
        change = vad.process(frame)
        if change is True:
            start = index
        elif change is False:
            spans.append((start, index))
    if vad.speaking:
        spans.append((start, len(signal) // FRAME))
    return spans


@pytest.fixture(scope="module")
def talk(speech_recordings: list[Samples]) -> Samples:
    """Ten minutes: every recording with two seconds of silence around it."""
    pause = np.zeros(16000)
    return np.concatenate([part for speech in speech_recordings for part in (pause, speech)])


def spoken(clean: Samples) -> Spans:
    """Where someone speaks: frames above -58 dBFS, joined over 400 ms, 200 ms at least."""
    rms = np.sqrt((clean.reshape(-1, FRAME) ** 2).mean(axis=1))
    active = np.flatnonzero(rms > 32768 * 10 ** (-58 / 20)).tolist()
    spans: Spans = []
    start = last = active[0]
    for index in [*active[1:], active[-1] + 1000]:
        if index - last > 20:
            spans.append((start, last))
            start = index
        last = index
    return [(start, stop) for start, stop in spans if stop - start >= 10]


def onset_delays_ms(truth: Spans, heard: Spans) -> list[int]:
    """Delay of each start; fail on missed speech and on speech heard where there is none."""
    delays = []
    for start, stop in truth:
        overlapping = [span for span in heard if span[0] <= stop and span[1] >= start]
        assert overlapping, f"missed speech in frames {start} to {stop}"
        if overlapping[0][0] >= start - MARGIN_FRAMES:
            delays.append((overlapping[0][0] - start + 1) * 20)
    for begin, end in heard:
        assert any(
            begin <= stop + MARGIN_FRAMES and end >= start - MARGIN_FRAMES for start, stop in truth
        ), f"heard speech in frames {begin} to {end}"
    return delays


@pytest.mark.parametrize(
    ("noise_dbfs", "median_ms", "p90_ms"),
    [(-96, 80, 120), (-66, 80, 120), (-56, 100, 120), (-46, 100, 160), (-36, 120, 240)],
    ids=["clean", "snr40", "snr30", "snr20", "snr10"],
)
def test_speech_in_noise(talk: Samples, noise_dbfs: float, median_ms: int, p90_ms: int) -> None:
    delays = onset_delays_ms(spoken(talk), detect(talk + noise(len(talk), noise_dbfs)))
    assert np.median(delays) <= median_ms
    assert np.percentile(delays, 90) <= p90_ms


def test_nothing_is_missed_at_5_db(talk: Samples) -> None:
    delays = onset_delays_ms(spoken(talk), detect(talk + noise(len(talk), -31)))
    assert np.median(delays) <= 180


def test_a_quiet_caller_is_heard(talk: Samples) -> None:
    quiet = talk * 10 ** (-12 / 20) + noise(len(talk), -68)
    assert np.median(onset_delays_ms(spoken(talk), detect(quiet))) <= 140


def test_echo_at_minus_30_db_is_not_speech(talk: Samples) -> None:
    assert detect(talk * 10 ** (-30 / 20) + noise(len(talk), -65)) == []


@pytest.mark.parametrize("delay_ms", [0, 30, 150])
@pytest.mark.parametrize("loss_db", [30, 20])
def test_loud_echo_is_not_speech_when_it_is_expected(
    talk: Samples, delay_ms: int, loss_db: int
) -> None:
    played = talk * 10 ** (8 / 20)
    echo = np.concatenate([np.zeros(delay_ms * 8), played])[: len(played)] * 10 ** (-loss_db / 20)
    echoes_dbfs = [-96.0] * (delay_ms // 20)
    echoes_dbfs += [dbfs(frame) - loss_db + 6 for frame in frames_of(played)]
    assert detect(echo + noise(len(echo), -65), echoes_dbfs=echoes_dbfs) == []


def test_speech_that_is_dismissed_was_none_and_may_begin_again() -> None:
    vad, changes = scripted("-xxx" + "xxx", CONFIG)
    assert changes == list("..S...")
    vad.dismiss()
    assert not vad.speaking
    assert (vad.speech_ms, vad.voiced_ms) == (0, 0)
    vad._is_speech = lambda frame, rate_hz: True
    loud = np.full(FRAME, 9000, "<i2").tobytes()
    assert [vad.process(loud) for _ in range(3)] == [None, None, True]


def test_an_echo_dies_away() -> None:
    vad = VoiceActivityDetector(VadConfig(echo_tail_ms=200))
    vad.expect_echo(-30.0)
    for _ in range(20):
        vad.process(QUIET)
    assert not vad._echo_dbfs > -96.0


def test_a_caller_is_heard_over_expected_echo(talk: Samples) -> None:
    played = talk * 10 ** (8 / 20)
    caller = np.roll(talk, 56000)
    echoes_dbfs = [dbfs(frame) - 14 for frame in frames_of(played)]
    heard = detect(caller + played * 0.1 + noise(len(talk), -65), echoes_dbfs=echoes_dbfs)
    assert np.median(onset_delays_ms(spoken(caller), heard)) <= 120


@pytest.mark.parametrize("level_dbfs", [-70, -60, -50, -40, -30])
@pytest.mark.parametrize("colour", [noise, pink])
def test_ten_minutes_of_noise_never_trigger(colour, level_dbfs: float) -> None:
    assert detect(colour(8000 * 600, level_dbfs)) == []


def test_a_rise_of_the_noise_is_learnt_within_the_window() -> None:
    rise = np.concatenate([noise(8000 * 10, -60), noise(8000 * 30, -35)])
    spans = detect(rise)
    assert len(spans) <= 1
    assert all(stop - start <= (1800 + 400 + 300) // 20 for start, stop in spans)


def test_mains_hum_and_clicks_do_not_trigger() -> None:
    hum = np.sin(2 * np.pi * 50 * np.arange(8000 * 20) / 8000) * 32768 * 10 ** (-35 / 20)
    assert detect(hum) == []
    clicks = noise(8000 * 20, -60)
    for at in range(0, len(clicks), 16000):
        clicks[at : at + 400] += noise(400, -20)
    assert detect(clicks) == []


def test_the_floor_stays_down_while_someone_speaks(speech_recordings: list[Samples]) -> None:
    longest = max(speech_recordings, key=len)
    vad = VoiceActivityDetector()
    for frame in frames_of(noise(16000, -60)):
        vad.process(frame)
    floor = vad.noise_floor_dbfs
    for frame in frames_of(longest + noise(len(longest), -60)):
        vad.process(frame)
        assert vad.noise_floor_dbfs < floor + 20


def test_frames_of_dead_line_do_not_lower_the_floor() -> None:
    vad = VoiceActivityDetector()
    for frame in frames_of(noise(16000, -50)):
        vad.process(frame)
    floor = vad.noise_floor_dbfs
    assert -52 < floor < -49
    for _ in range(500):
        vad.process(QUIET)
    assert vad.noise_floor_dbfs == floor
    assert vad.level_dbfs == -96.0


def scripted(voiced: str, config: VadConfig) -> tuple[VoiceActivityDetector, list[str]]:
    """Run a classifier that answers as the script says: 'x' is a voiced frame."""
    vad = VoiceActivityDetector(config)
    answers = iter(letter == "x" for letter in voiced)
    vad._is_speech = lambda frame, rate_hz: next(answers)
    loud = np.full(FRAME, 9000, "<i2").tobytes()
    vad.process(QUIET)
    changes = {True: "S", False: "E", None: "."}
    return vad, [changes[vad.process(loud)] for _ in voiced[1:]]


CONFIG = VadConfig(start_ms=60, start_window_ms=100, stop_ms=100, above_noise_db=0)


@pytest.mark.parametrize(
    ("voiced", "changes"),
    [
        ("-xxx------", "..S....E."),
        ("-xx---xx---", ".........."),
        ("-x-x-x----", "....S...."),
        ("-xxx-x----x", "..S......E"),
        ("-xxx--x-----", "..S....E..."),
        ("-xxx--xx-----", "..S........E"),
        ("-xxx-----xxx", "..S....E..S"),
    ],
)
def test_counting(voiced: str, changes: str) -> None:
    assert "".join(scripted(voiced, CONFIG)[1]) == changes


def test_speech_and_silence_are_measured() -> None:
    vad, _ = scripted("-xxxxx--", CONFIG)
    assert (vad.speaking, vad.speech_ms, vad.trailing_silence_ms) == (True, 100, 40)
    vad, _ = scripted("-xxx--xx-", CONFIG)
    assert (vad.speech_ms, vad.voiced_ms, vad.trailing_silence_ms) == (140, 100, 20)
    vad, _ = scripted("-xxxxx------", CONFIG)
    assert (vad.speaking, vad.speech_ms, vad.trailing_silence_ms) == (False, 100, 120)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 32000, 48000])
@pytest.mark.parametrize("frame_ms", [10, 20, 30])
def test_rates_and_frame_lengths(rate_hz: int, frame_ms: int) -> None:
    config = VadConfig(frame_ms=frame_ms, start_ms=90, start_window_ms=120)
    vad = VoiceActivityDetector(config, rate_hz)
    assert vad.process(bytes(rate_hz * frame_ms // 500)) is None
    with pytest.raises(LocalProtocolError):
        vad.process(bytes(rate_hz * frame_ms // 500 + 2))


@pytest.mark.parametrize("rate_hz", [16000, 24000])
def test_a_wideband_line_hears_the_same_speech(
    speech_recordings: list[Samples], rate_hz: int
) -> None:
    """What a wideband line hears starts and ends within a frame or two of a telephone."""
    pcm16 = np.concatenate([np.zeros(8000), *speech_recordings[:12], np.zeros(8000)])
    narrow = pcm16.astype("<i2").tobytes()
    wide = StreamResampler(8000, rate_hz).process(narrow)
    found = {}
    for hertz, audio in ((8000, narrow), (rate_hz, wide)):
        vad = VoiceActivityDetector(sample_rate_hz=hertz)
        size = hertz // 50 * 2
        frames = [audio[at : at + size] for at in range(0, len(audio) - size, size)]
        found[hertz] = [vad.process(frame) is not None or vad.speaking for frame in frames]
    differing = np.mean([a != b for a, b in zip(found[8000], found[rate_hz], strict=False)])
    assert np.mean(found[8000]) > 0.5
    assert differing < 0.05


def test_misuse_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        VoiceActivityDetector(sample_rate_hz=11025)
    for wrong in (
        {"frame_ms": 25},
        {"aggressiveness": 4},
        {"start_ms": 0},
        {"start_ms": 140},
        {"stop_ms": 10},
    ):
        with pytest.raises(ValueError):
            VadConfig(**wrong)
