from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.echo_match import EchoMatch, emphasised

RNG = np.random.default_rng(7)
SENT = RNG.normal(0, 3000, 5600)
WINDOW = 1600


def heard_at(delay: int, loss_db: float) -> bytes:
    end = len(SENT) - delay
    return pcm16(SENT[end - WINDOW : end] * 10 ** (-loss_db / 20))


def pcm16(samples: np.ndarray) -> bytes:
    return np.rint(samples).clip(-32768, 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("delay", [0, 1, 159, 960, 3999, 4000])
@pytest.mark.parametrize("loss_db", [0.0, 12.0, 30.0])
def test_a_copy_is_found_where_it_is(delay: int, loss_db: float) -> None:
    match = EchoMatch.anywhere(emphasised(heard_at(delay, loss_db)), emphasised(pcm16(SENT)))
    assert match.delay_samples == delay
    assert match.likeness > 0.99
    assert match.loss_db == pytest.approx(loss_db, abs=0.2)


@pytest.mark.parametrize("delay", [0, 3, 960, 3990, 4000])
@pytest.mark.parametrize("off", [-16, 0, 16])
def test_near_finds_what_anywhere_finds(delay: int, off: int) -> None:
    heard, sent = emphasised(heard_at(delay, 20.0)), emphasised(pcm16(SENT))
    near = EchoMatch.near(heard, sent, max(0, delay + off), 16)
    everywhere = EchoMatch.anywhere(heard, sent)
    assert near.delay_samples == everywhere.delay_samples == delay
    assert near.likeness == pytest.approx(everywhere.likeness, abs=1e-3)
    assert near.loss_db == pytest.approx(everywhere.loss_db, abs=1e-3)


def test_something_else_fits_nowhere() -> None:
    other = emphasised(pcm16(RNG.normal(0, 3000, WINDOW)))
    assert EchoMatch.anywhere(other, emphasised(pcm16(SENT))).likeness < 0.2


def test_an_inverted_echo_is_one() -> None:
    heard = emphasised(pcm16(-SENT[2000:3600] * 0.1))
    assert EchoMatch.anywhere(heard, emphasised(pcm16(SENT))).likeness > 0.99


@pytest.mark.parametrize("level", [0, 3])
def test_silence_fits_nowhere(level: float) -> None:
    quiet = emphasised(pcm16(RNG.normal(0, 1, WINDOW) * level))
    silent = emphasised(bytes(2 * len(SENT)))
    assert EchoMatch.anywhere(quiet, silent).likeness == 0
    assert EchoMatch.anywhere(quiet, emphasised(pcm16(SENT))).likeness < 0.2
