"""At 8 kHz: 40 samples are 5 ms."""

from __future__ import annotations

from random import Random

import pytest

from telephony.rtp.lateness import LatenessHistogram

MS = 8


def worthwhile_ms(late_ms: float, percent: float, max_ms: int = 200) -> float:
    """Return the delay for packets of which ``percent`` are ``late_ms`` late, others not at all."""
    histogram = LatenessHistogram(max_ms * MS, 8000)
    count = round(percent * 100)
    histogram.add([late_ms * MS] * count + [0.0] * (10_000 - count))
    return histogram.worthwhile() / MS


def test_nothing_known_is_no_delay() -> None:
    assert LatenessHistogram(1600, 8000).worthwhile() == 5 * MS


@pytest.mark.parametrize(
    ("late_ms", "percent", "delay_ms"),
    [
        pytest.param(52, 1, 55, id="one in a hundred is worth 80 ms"),
        pytest.param(52, 0.5, 5, id="one in two hundred is not worth 50 ms"),
        pytest.param(122, 1, 5, id="a long delay"),
        pytest.param(122, 3, 125, id="a long delay for many packets"),
        pytest.param(700, 20, 205, id="later than the last bin"),
    ],
)
def test_a_delay_is_worth_it_or_not(late_ms: float, percent: float, delay_ms: float) -> None:
    assert worthwhile_ms(late_ms, percent) == delay_ms


def test_a_long_tail_is_waited_for_where_it_is_dense() -> None:
    histogram = LatenessHistogram(200 * MS, 8000)
    random = Random(1)
    histogram.add(random.expovariate(1 / (10 * MS)) for _ in range(10_000))
    assert 60 <= histogram.worthwhile() / MS <= 75


def test_what_is_long_ago_counts_less() -> None:
    histogram = LatenessHistogram(200 * MS, 8000)
    for _ in range(40):
        histogram.add([50.0 * MS] * 32)
    assert histogram.worthwhile() == 55 * MS
    for _ in range(400):
        histogram.add([0.0] * 32)
    assert histogram.worthwhile() == 5 * MS


def test_the_weights_stay_finite_over_a_day() -> None:
    histogram = LatenessHistogram(200 * MS, 8000)
    for _ in range(2000):
        histogram.add([30.0] * 32)
    assert histogram._weight < 1e9
    assert histogram.worthwhile() == 5 * MS
