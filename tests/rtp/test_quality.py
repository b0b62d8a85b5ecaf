from __future__ import annotations

from itertools import pairwise

import pytest

from telephony.rtp.quality import (
    CodecImpairment,
    delay_impairment,
    estimate_mos,
    mos_of,
    rating,
)


def test_a_perfect_call() -> None:
    assert rating(0.0, 20.0) == 93.2
    assert estimate_mos(0.0, 20.0) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("delay_ms", "idd"),
    [(0, 0.0), (100, 0.0), (150, 0.16), (200, 3.04), (300, 14.76), (400, 24.07), (500, 30.64)],
)
def test_delay(delay_ms: float, idd: float) -> None:
    assert delay_impairment(delay_ms) == pytest.approx(idd, abs=0.01)


@pytest.mark.parametrize(
    ("loss", "r"), [(0.01, 89.56), (0.02, 86.19), (0.05, 77.42), (0.1, 66.13), (0.2, 51.07)]
)
def test_loss_with_concealment(loss: float, r: float) -> None:
    assert rating(loss, 0.0) == pytest.approx(r, abs=0.01)


def test_loss_in_runs_and_without_concealment_is_worse() -> None:
    assert rating(0.05, 0.0, burst_ratio=2.0) < rating(0.05, 0.0)
    assert rating(0.05, 0.0, CodecImpairment(0.0, 4.3)) == pytest.approx(42.12, abs=0.01)


@pytest.mark.parametrize(
    ("r", "mos"), [(-5, 1.0), (0, 1.0), (3, 1.0), (50, 2.575), (70, 3.597), (80, 4.024), (101, 4.5)]
)
def test_the_score_of_a_rating(r: float, mos: float) -> None:
    assert mos_of(r) == pytest.approx(mos, abs=0.001)


def test_it_never_gets_better_by_loss_or_delay() -> None:
    by_loss = [estimate_mos(loss / 100, 150.0) for loss in range(101)]
    by_delay = [estimate_mos(0.01, float(delay)) for delay in range(0, 2000, 10)]
    for scores in (by_loss, by_delay):
        assert all(earlier >= later for earlier, later in pairwise(scores))
        assert min(scores) >= 1.0
    assert estimate_mos(7.0, 0.0) == estimate_mos(1.0, 0.0)
    assert estimate_mos(-1.0, 0.0) == estimate_mos(0.0, 0.0)
