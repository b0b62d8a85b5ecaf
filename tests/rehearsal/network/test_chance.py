from __future__ import annotations

import math
from itertools import groupby, pairwise
from statistics import fmean, median, pstdev

import pytest

from telephony.rehearsal.network.chance import BurstDraws, DelayDraws, EpisodeDraws, stream
from telephony.rehearsal.network.profile import (
    ConstantDelay,
    Episodes,
    LossBursts,
    NormalDelay,
    ParetoDelay,
)


def test_a_stream_belongs_to_its_seed_and_feature() -> None:
    first = [stream("1/outbound", "loss")() for _ in range(2)]
    assert first[0] == first[1]
    assert stream("1/outbound", "delay")() != first[0]
    assert stream("1/inbound", "loss")() != first[0]


def test_a_constant_delay() -> None:
    draws = DelayDraws(ConstantDelay(shape="constant", mean_ms=5), stream("", ""))
    assert {draws.next_s() for _ in range(10)} == {0.005}


def test_a_normal_delay_has_its_mean_and_deviation() -> None:
    delay = NormalDelay(shape="normal", mean_ms=100, deviation_ms=10)
    draws = DelayDraws(delay, stream("", ""))
    delays_ms = [draws.next_s() * 1000 for _ in range(10_000)]
    assert fmean(delays_ms) == pytest.approx(100, abs=1)
    assert pstdev(delays_ms) == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("drawn", [0.0, 1e-300, 0.5, 1 - 2**-53])
def test_no_draw_gives_a_delay_out_of_bounds(drawn: float) -> None:
    normal = NormalDelay(shape="normal", mean_ms=10, deviation_ms=20, min_ms=3)
    assert 0.003 <= DelayDraws(normal, lambda: drawn).next_s() < 0.25
    pareto = ParetoDelay(shape="pareto", min_ms=6, scale_ms=4, alpha=1.5, max_ms=90)
    assert 0.006 <= DelayDraws(pareto, lambda: drawn).next_s() <= 0.09


def test_a_pareto_delay_has_a_long_tail() -> None:
    delay = ParetoDelay(shape="pareto", min_ms=10, scale_ms=10, alpha=1.5, max_ms=1000)
    draws = DelayDraws(delay, stream("", ""))
    delays_ms = [draws.next_s() * 1000 for _ in range(10_000)]
    half_ms = 10 + 10 * (2 ** (1 / 1.5) - 1)
    assert median(delays_ms) == pytest.approx(half_ms, rel=0.05)
    # One in a hundred is beyond the 99th percentile of the distribution: 10 * 100 ** (2/3).
    beyond = sum(delay_ms > 10 * 100 ** (1 / 1.5) for delay_ms in delays_ms)
    assert 70 <= beyond <= 130


def test_bursts_are_as_frequent_and_as_long_as_the_chain_says() -> None:
    draws = BurstDraws(LossBursts(begin_percent=2, end_percent=25), stream("", ""))
    fates = [draws.next() for _ in range(50_000)]
    assert fmean(fates) == pytest.approx(0.02 / (0.02 + 0.25), rel=0.1)
    lengths = [len(list(run)) for lost, run in groupby(fates) if lost]
    assert fmean(lengths) == pytest.approx(1 / 0.25, rel=0.1)


def test_without_bursts_nothing_is_drawn() -> None:
    assert not BurstDraws(None, lambda: math.nan).next()
    assert EpisodeDraws(None, lambda: math.nan).left_s(1e9) == 0.0


def test_episodes_come_every_now_and_then_and_last_their_time() -> None:
    episodes = EpisodeDraws(Episodes(every_s=10, lasting_ms=500), stream("", ""))
    left_s = [episodes.left_s(tick / 100) for tick in range(100_000)]
    lasting = [list(run) for on, run in groupby(left_s, key=bool) if on]
    assert len(lasting) == pytest.approx(1000 / 10.5, abs=5)
    assert all(len(run) in (49, 50) for run in lasting[:-1])
    assert max(left_s) <= 0.5
    assert all(a > b for run in lasting for a, b in pairwise(run))
