from __future__ import annotations

import pytest

from telephony.observe.loop_lag import LoopLag
from tests.support.fake_loop import FakeLoop


def make(loop: FakeLoop, samples: list[float]) -> LoopLag:
    return LoopLag(loop, loop.clock, samples.append, interval_s=0.25)  # type: ignore[arg-type]


def test_a_loop_in_time_has_no_lag() -> None:
    loop, samples = FakeLoop(), []
    lag = make(loop, samples)
    lag.start()
    loop.run_until(1001.0)
    assert samples == pytest.approx([0.0] * 4)
    assert lag.current_s() == pytest.approx(0.0)


def test_a_stall_is_one_sample_and_the_grid_stays() -> None:
    loop, samples = FakeLoop(), []
    make(loop, samples).start()
    loop.stall(0.6)  # over 1000.25 and 1000.5
    loop.run_until(1000.8)
    assert samples == pytest.approx([0.35, 0.0], abs=1e-6)


def test_a_stall_going_on_is_seen() -> None:
    loop, samples = FakeLoop(), []
    lag = make(loop, samples)
    lag.start()
    loop.stall(3.25)
    assert lag.current_s() == pytest.approx(3.0)


def test_stop_ends_the_sampling() -> None:
    loop, samples = FakeLoop(), []
    lag = make(loop, samples)
    lag.stop()
    lag.start()
    lag.stop()
    loop.run_until(1010.0)
    assert samples == []
    assert lag.current_s() == 0.0
