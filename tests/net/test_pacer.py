from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from telephony.net.pacer import Pacer, Slot
from tests.support.fake_loop import FakeLoop


def make(loop: FakeLoop, **options: object) -> Pacer:
    return Pacer(loop, loop.clock, **options)  # type: ignore[arg-type]


def recorder() -> tuple[list[float], Callable[[float], None]]:
    ticks: list[float] = []
    return ticks, ticks.append


def test_ticks_on_absolute_deadlines() -> None:
    loop = FakeLoop(now=1000.0)
    ticks, callback = recorder()
    make(loop).add(callback)
    loop.run_until(1000.1)
    assert ticks == pytest.approx([1000.02, 1000.04, 1000.06, 1000.08, 1000.1])


def test_a_late_tick_does_not_shift_the_next() -> None:
    loop = FakeLoop()
    ticks, callback = recorder()
    make(loop).add(callback)
    loop.run_until(1000.021)
    loop.stall(0.025)  # over the deadline 1000.04
    loop.run_until(1000.08)
    assert ticks == pytest.approx([1000.02, 1000.046, 1000.06, 1000.08])


def test_a_stall_skips_whole_slots_and_counts_them() -> None:
    loop = FakeLoop()
    ticks, callback = recorder()
    pacer = make(loop)
    slot = pacer.add(callback)
    loop.run_until(1000.021)
    loop.stall(0.1)  # 1000.04, .06, .08, .10 and .12 came due
    loop.run_until(1000.14)
    assert ticks == pytest.approx([1000.02, 1000.121, 1000.14])
    assert (slot.ticks, slot.skipped) == (3, 4)
    assert (pacer.stats.ticks, pacer.stats.skipped, pacer.stats.late_wakeups) == (3, 4, 1)
    assert pacer.stats.max_late_ms == pytest.approx(81.0, abs=0.01)


def test_legs_spread_over_the_sub_ticks() -> None:
    loop = FakeLoop()
    pacer = make(loop)
    for _ in range(20):
        pacer.add(lambda now: None)
    loop.run_until(1000.02)
    assert pacer.stats.wakeups == 10
    assert pacer.stats.ticks == 20
    assert pacer.legs == 20


def test_a_new_leg_takes_the_place_of_one_that_left() -> None:
    loop = FakeLoop()
    pacer = make(loop)
    slots = [pacer.add(lambda now: None) for _ in range(20)]
    pacer.remove(slots[3])
    pacer.remove(slots[13])
    ticks, callback = recorder()
    pacer.add(callback)
    loop.run_until(1000.02)
    assert ticks == pytest.approx([1000.006])


def test_without_legs_nothing_wakes_up() -> None:
    loop = FakeLoop()
    pacer = make(loop)
    assert loop.pending == 0
    slot = pacer.add(lambda now: None)
    loop.run_until(1000.05)
    pacer.remove(slot)
    pacer.remove(slot)
    loop.run_until(1000.1)
    assert loop.pending == 0
    assert pacer.legs == 0
    ticks, callback = recorder()
    pacer.add(callback)
    loop.run_until(1000.12)
    assert len(ticks) == 1


def test_a_raising_callback_leaves_and_the_others_stay() -> None:
    loop = FakeLoop()
    failed: list[tuple[Slot, Exception]] = []
    pacer = make(loop, sub_tick_ms=20, on_error=lambda slot, error: failed.append((slot, error)))

    def broken(now: float) -> None:
        raise ZeroDivisionError

    bad = pacer.add(broken)
    ticks, callback = recorder()
    pacer.add(callback)
    loop.run_until(1000.06)
    assert len(ticks) == 3
    assert [slot for slot, _ in failed] == [bad]
    assert isinstance(failed[0][1], ZeroDivisionError)
    assert pacer.stats.errors == 1
    assert not bad.active


def test_a_raising_on_error_does_not_stop_the_pacer() -> None:
    loop = FakeLoop()

    def broken(now: float) -> None:
        raise ValueError

    def worse(slot: Slot, error: Exception) -> None:
        raise RuntimeError

    pacer = make(loop, on_error=worse)
    pacer.add(broken)
    ticks, callback = recorder()
    pacer.add(callback)
    with pytest.raises(RuntimeError):
        loop.run_until(1000.05)
    loop.run_until(1000.05)
    assert len(ticks) == 3


def test_a_leg_removed_by_another_in_the_same_tick_is_not_called() -> None:
    loop = FakeLoop()
    pacer = make(loop, sub_tick_ms=20)
    slots: list[Slot] = []
    ticks, callback = recorder()
    slots.append(pacer.add(lambda now: pacer.remove(slots[1])))
    slots.append(pacer.add(callback))
    loop.run_until(1000.1)
    assert ticks == []
    assert pacer.stats.ticks == 5


def test_a_leg_added_in_a_tick_starts_one_ptime_later() -> None:
    loop = FakeLoop()
    pacer = make(loop, sub_tick_ms=20)
    ticks, callback = recorder()
    added: list[Slot] = []

    def add_once(now: float) -> None:
        if not added:
            added.append(pacer.add(callback))

    pacer.add(add_once)
    loop.run_until(1000.06)
    assert ticks == pytest.approx([1000.04, 1000.06])


def test_close_within_a_tick_stops_everything() -> None:
    loop = FakeLoop()
    pacer = make(loop, sub_tick_ms=20)
    ticks, callback = recorder()
    pacer.add(lambda now: pacer.close())
    pacer.add(callback)
    loop.run_until(1000.1)
    assert ticks == []
    assert loop.pending == 0


@pytest.mark.parametrize("ptime_ms", [10, 30, 40, 60])
def test_other_ptimes(ptime_ms: int) -> None:
    loop = FakeLoop()
    pacer = make(loop)
    ticks, callback = recorder()
    twenty, callback_20 = recorder()
    pacer.add(callback_20)
    pacer.add(callback, ptime_ms)
    loop.run_until(1000.6)
    assert len(ticks) == 600 // ptime_ms
    assert len(twenty) == 30


def test_a_ptime_off_the_sub_ticks_is_refused() -> None:
    with pytest.raises(ValueError, match="sub_tick"):
        make(FakeLoop(), ptime_ms=20, sub_tick_ms=3)
    with pytest.raises(ValueError, match="multiple"):
        make(FakeLoop()).add(lambda now: None, 25)


def test_ticks_do_not_wait_for_more_work_than_fits() -> None:
    """A tick that takes longer than its period leaves the loop its turn in between."""
    loop = FakeLoop()
    pacer = make(loop, sub_tick_ms=20)
    seen: list[str] = []

    def slow(now: float) -> None:
        seen.append("tick")
        loop.stall(0.030)

    pacer.add(slow)
    loop.call_at(1000.03, seen.append, "socket")
    loop.run_until(1000.06)
    assert seen[:3] == ["tick", "socket", "tick"]


async def test_runs_on_a_real_loop() -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    ticks: list[float] = []

    def callback(now: float) -> None:
        ticks.append(now)
        if len(ticks) == 5:
            done.set()

    pacer = Pacer(loop, ptime_ms=10)
    pacer.add(callback)
    await done.wait()
    pacer.close()
    assert all(later > earlier for earlier, later in pairwise(ticks))
