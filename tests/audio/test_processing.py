"""What WebRTC's processing does to recorded speech on our line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from telephony.audio.format import L16_16K, PCMA, PCMU, AudioFormat
from telephony.audio.g711 import decode, encode
from telephony.audio.processing import AudioProcessor, ProcessingConfig
from telephony.base.errors import LocalProtocolError
from tests.support.echo_line import hybrid, pcm16

Samples = npt.NDArray[np.float64]

ECHO = ProcessingConfig(echo_cancellation=True)
NOTHING: Samples = np.zeros(0)


@pytest.fixture(autouse=True)
def _library() -> None:
    pytest.importorskip("pywebrtc_audio")


def run(
    config: ProcessingConfig,
    caller: Samples,
    bot: Samples = NOTHING,
    line: AudioFormat = PCMU,
    ptime_ms: int = 20,
) -> Samples:
    """Let a bot speak and a caller be heard, frame by frame; returns what is left of the caller."""
    processor = AudioProcessor(config, line, ptime_ms)
    size = line.sample_rate_hz * ptime_ms // 1000
    clean = []
    for start in range(0, len(caller) - size + 1, size):
        clean.append(processor.process(encode(line, pcm16(caller[start : start + size]))))
        if len(said := bot[start : start + size]) == size:
            processor.sent(encode(line, pcm16(said)))
    assert {len(frame) for frame in clean} == {line.frame_bytes(ptime_ms)}
    return np.frombuffer(decode(line, b"".join(clean)), dtype="<i2").astype(float)


def level_db(samples: Samples) -> float:
    return float(10 * np.log10(max(1.0, (samples**2).mean())))


def echo_of(bot: Samples, delay_ms: int, loss_db: float) -> Samples:
    late = np.concatenate([np.zeros(delay_ms * 8), bot])[: len(bot)]
    return np.convolve(late, hybrid())[: len(bot)] * 10 ** (-loss_db / 20)


@pytest.fixture(scope="module")
def bot(speech_recordings: list[Samples]) -> Samples:
    return np.concatenate(speech_recordings[:8])[: 8000 * 12] * 10 ** (8 / 20)


@pytest.mark.parametrize("delay_ms", [40, 120, 250, 450])
@pytest.mark.parametrize(("line", "ptime_ms"), [(PCMU, 20), (PCMA, 10), (PCMU, 30)])
def test_the_echo_is_taken_out(
    bot: Samples, delay_ms: int, line: AudioFormat, ptime_ms: int
) -> None:
    echo = echo_of(bot, delay_ms, 15)
    left = run(ECHO, echo, bot, line, ptime_ms)
    # From the start: the first second holds the echo of the first words.
    assert level_db(left[:8000]) < level_db(echo[:8000]) - 8
    assert level_db(left[16000:]) < level_db(echo[16000 : len(left)]) - 18


def test_a_caller_is_heard_over_the_echo(bot: Samples, speech_recordings: list[Samples]) -> None:
    caller = np.zeros(len(bot))
    voice = np.concatenate(speech_recordings[20:24])[: 8000 * 5]
    caller[8000 * 5 : 8000 * 5 + len(voice)] = voice
    left = run(ECHO, caller + echo_of(bot, 120, 20), bot)
    span = slice(8000 * 5, 8000 * 5 + len(voice))
    assert abs(level_db(left[span]) - level_db(caller[span])) < 6
    assert level_db(left[8000 * 2 : 8000 * 5]) < level_db(left[span]) - 30


def test_without_a_bot_the_caller_stays_as_they_are(speech_recordings: list[Samples]) -> None:
    caller = np.concatenate(speech_recordings[:4])
    assert abs(level_db(run(ECHO, caller)) - level_db(caller)) < 1.5


def test_noise_is_suppressed_by_degrees(speech_recordings: list[Samples]) -> None:
    noise = np.random.default_rng(1).normal(0, 300, 8000 * 6)
    levels = [
        level_db(run(ProcessingConfig(noise_suppression=degree), noise)[8000 * 3 :])
        for degree in ("low", "moderate", "high")
    ]
    before = level_db(noise)
    assert before - 4 > levels[0] > levels[1] > levels[2]
    speech = np.concatenate(speech_recordings[:4])
    kept = run(ProcessingConfig(noise_suppression="moderate"), speech)
    assert abs(level_db(kept) - level_db(speech)) < 2


def test_a_quiet_caller_is_brought_up(speech_recordings: list[Samples]) -> None:
    quiet = np.concatenate(speech_recordings[:12]) * 10 ** (-16 / 20)
    louder = run(ProcessingConfig(gain_control=True), quiet)
    assert level_db(louder[-80_000:]) > level_db(quiet[-80_000:]) + 6


def test_a_line_of_16_khz() -> None:
    tone = 3000 * np.sin(np.arange(32_000) * 0.3)
    everything = ProcessingConfig(True, "high", True)
    assert len(run(everything, tone, tone, L16_16K)) == 32_000


def test_nothing_is_active_by_default() -> None:
    assert not ProcessingConfig().active
    assert ProcessingConfig(noise_suppression="low").active
    assert ProcessingConfig(gain_control=True).active


def test_frames_that_are_no_multiple_of_10_ms() -> None:
    with pytest.raises(LocalProtocolError, match="25 ms"):
        AudioProcessor(ECHO, PCMU, 25)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telephony.audio.processing.is_installed", lambda: False)
    with pytest.raises(LocalProtocolError, match="pywebrtc_audio"):
        AudioProcessor(ECHO, PCMU, 20)
