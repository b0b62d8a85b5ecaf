from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.echo import MAX_DELAY_MS, EchoEstimator
from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.audio.g711 import decode, encode
from telephony.audio.level import MIN_DBFS, dbfs

RNG = np.random.default_rng(11)


def frames(line: AudioFormat, ptime_ms: int, count: int) -> list[bytes]:
    size = line.sample_rate_hz * ptime_ms // 1000
    voices = RNG.normal(0, 3000, (count, size)).clip(-32768, 32767).astype("<i2")
    return [encode(line, voice.tobytes()) for voice in voices]


def quieter(pcm16: bytes, loss_db: float) -> bytes:
    samples = np.frombuffer(pcm16, dtype="<i2") * 10 ** (-loss_db / 20)
    return np.rint(samples).astype("<i2").tobytes()


def play(estimator: EchoEstimator, line: AudioFormat, sent: list[bytes], late: int) -> None:
    """Let each frame come back ``late`` frames later, at -20 dB."""
    silence = bytes(len(decode(line, sent[0])))
    for index, frame in enumerate(sent):
        source = index - late
        heard = quieter(decode(line, sent[source]), 20) if source >= 0 else silence
        estimator.heard(heard)
        estimator.sent(frame)


@pytest.mark.parametrize("line", [PCMU, PCMA, L16_16K, L16_24K], ids=str)
@pytest.mark.parametrize("ptime_ms", [10, 20, 30])
def test_the_path_is_measured(line: AudioFormat, ptime_ms: int) -> None:
    estimator = EchoEstimator(line, ptime_ms)
    for _ in range(4):
        play(estimator, line, frames(line, ptime_ms, 60), 4)
        assert estimator.search()
    assert estimator.known
    assert estimator.estimate is not None
    assert estimator.estimate.return_loss_db == pytest.approx(20, abs=0.5)
    assert estimator.estimate.delay_ms == pytest.approx(4 * ptime_ms, abs=0.2)
    assert (estimator.stats.searches, estimator.stats.matches) == (4, 3)


def test_the_echo_of_a_frame_is_expected_when_it_comes_and_one_frame_early() -> None:
    estimator = EchoEstimator(PCMU, 20)
    for _ in range(2):
        play(estimator, PCMU, frames(PCMU, 20, 60), 4)
        estimator.search()
    quiet = [PCMU.silence(160)] * 60
    play(estimator, PCMU, quiet, 4)
    loud = frames(PCMU, 20, 1)[0]
    estimator.heard(bytes(320))
    estimator.sent(loud)
    expected = []
    for _ in range(6):
        estimator.heard(bytes(320))
        expected.append(estimator.expected_dbfs())
    level = dbfs(decode(PCMU, loud))
    assert expected[2] == pytest.approx(level - 20 + 6, abs=0.5)
    assert [place for place, dbfs_ in enumerate(expected) if dbfs_ > -90] == [2]


def test_silence_of_ours_is_never_searched() -> None:
    estimator = EchoEstimator(PCMU, 20)
    for frame in frames(PCMU, 20, 50):
        estimator.heard(decode(PCMU, frame))
    assert not estimator.possible
    assert not estimator.search()
    assert estimator.stats.searches == 0
    assert estimator.expected_dbfs() == MIN_DBFS


def test_an_echo_is_possible_for_as_long_as_it_may_come_back() -> None:
    estimator = EchoEstimator(PCMU, 20)
    estimator.sent(frames(PCMU, 20, 1)[0])
    heard = 0
    while estimator.possible:
        estimator.heard(bytes(320))
        heard += 1
    assert heard * 20 == MAX_DELAY_MS + 200


def test_frames_made_up_for_a_stall_keep_the_time() -> None:
    """The caller's frames of a stall come at once; meanwhile we sent nothing."""
    estimator = EchoEstimator(PCMU, 20)
    for _ in range(2):
        play(estimator, PCMU, frames(PCMU, 20, 60), 4)
        estimator.search()
    sent = frames(PCMU, 20, 60)
    out = [*sent[:30], *[PCMU.silence(160)] * 5, *sent[30:]]
    for index, frame in enumerate(out):
        estimator.heard(quieter(decode(PCMU, out[index - 4]), 20) if index >= 4 else bytes(320))
        if not 30 <= index < 35:
            estimator.sent(frame)
        if index == 40:
            assert estimator.search()
    assert estimator.known


def test_what_is_forgotten_is_still_told_of() -> None:
    estimator = EchoEstimator(PCMU, 20)
    for _ in range(4):
        play(estimator, PCMU, frames(PCMU, 20, 60), 4)
        estimator.search()
    estimate = estimator.estimate
    estimator.forget()
    assert not estimator.known
    assert estimator.expected_dbfs() == MIN_DBFS
    assert estimator.estimate == estimate is not None


def test_noise_is_no_echo() -> None:
    estimator = EchoEstimator(PCMU, 20)
    for sent, heard in zip(frames(PCMU, 20, 400), frames(PCMU, 20, 400), strict=True):
        estimator.heard(decode(PCMU, heard))
        estimator.sent(sent)
        assert not estimator.search()
    assert estimator.estimate is None
