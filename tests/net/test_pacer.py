from __future__ import annotations

import asyncio
from collections import Counter
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


class Shifting:
    """A leg that asks for a shift in its third tick."""

    def __init__(self, pacer: Pacer, earlier_ms: int) -> None:
        self.ticks: list[float] = []
        self.done: int | None = None
        self._pacer = pacer
        self._earlier_ms = earlier_ms
        self.slot = pacer.add(self._tick)

    def _tick(self, now: float) -> None:
        self.ticks.append(now)
        if len(self.ticks) == 3:
            self.done = self._pacer.shift(self.slot, self._earlier_ms)

    @property
    def intervals_ms(self) -> list[int]:
        return [round(1000 * (b - a)) for a, b in pairwise(self.ticks)]


@pytest.mark.parametrize(
    ("earlier_ms", "done_ms"),
    [(2, 2), (18, 18), (7, 6), (-2, -2), (-18, -18), (-7, -6), (0, 0), (1, 0), (-1, 0)],
)
@pytest.mark.parametrize("others", [0, 10])
def test_a_leg_may_move_to_another_phase(earlier_ms: int, done_ms: int, others: int) -> None:
    loop = FakeLoop()
    pacer = make(loop)
    for _ in range(others):
        pacer.add(lambda now: None)
    leg = Shifting(pacer, earlier_ms)
    loop.run_until(1000.2)
    assert leg.done == done_ms
    assert leg.intervals_ms[:5] == [20, 20, 20 - done_ms, 20, 20]
    assert (leg.slot.skipped, pacer.legs) == (0, others + 1)
    assert pacer.stats.shifts == (done_ms != 0)
    pacer.remove(leg.slot)
    assert pacer.legs == others


@pytest.mark.parametrize("earlier_ms", [10, -10])
def test_nobody_moves_to_a_crowded_phase(earlier_ms: int) -> None:
    loop = FakeLoop()
    pacer = make(loop)
    leg = Shifting(pacer, earlier_ms)
    slots = [pacer.add(lambda now: None) for _ in range(179)]
    for number, slot in enumerate(slots, 1):
        if number % 10 != 5:
            pacer.remove(slot)
    loop.run_until(1000.2)
    assert leg.done == earlier_ms - (2 if earlier_ms > 0 else -2)


@pytest.mark.parametrize(("legs", "most"), [(1, 1), (16, 16), (17, 16), (300, 90)])
def test_legs_that_want_one_phase_crowd_no_more_than_it_takes(legs: int, most: int) -> None:
    """As those do whose peers are one machine with one clock."""
    loop = FakeLoop()
    pacer = make(loop)
    slots: list[Slot] = []

    def wish(number: int) -> Callable[[float], None]:
        def towards(now: float) -> None:
            pacer.shift(slots[number], round(1000 * (now - 1000)) % 20)

        return towards

    slots += [pacer.add(wish(number)) for number in range(legs)]
    loop.run_until(1001.0)
    crowds = Counter(slot._sub_tick.phase_ms for slot in slots)
    assert max(crowds.values()) == crowds[0] == most
    assert pacer.legs == legs
    ticks = pacer.stats.ticks
    assert {slot.skipped for slot in slots} == {0}
    loop.run_until(1002.0)
    assert pacer.stats.ticks - ticks == 50 * legs


@pytest.mark.parametrize("stall_s", [0.003, 0.05, 0.09])
def test_a_leg_added_during_a_stall_misses_nothing(stall_s: float) -> None:
    loop = FakeLoop()
    pacer = make(loop)
    for _ in range(10):
        pacer.add(lambda now: None)
    loop.run_until(1000.03)
    loop.stall(stall_s)
    ticks, callback = recorder()
    slot = pacer.add(callback)
    added_at = loop.now
    loop.run_until(1000.5)
    assert (slot.skipped, pacer.legs) == (0, 11)
    assert 0 <= ticks[0] - added_at <= 0.0201
    assert {round(1000 * (b - a)) for a, b in pairwise(ticks)} == {20}


def test_a_leg_added_in_a_tick_that_comes_a_hair_early_misses_nothing() -> None:
    loop = FakeLoop()
    drawn: list[float] = []

    def clock() -> float:
        drawn.append(loop.now)
        return loop.now - (4e-7 if len(drawn) > 1 else 0.0)

    pacer = Pacer(loop, clock, sub_tick_ms=20)  # type: ignore[arg-type]
    ticks, callback = recorder()
    added: list[Slot] = []

    def add_once(now: float) -> None:
        if not added:
            added.append(pacer.add(callback))

    pacer.add(add_once)
    loop.run_until(1000.07)
    assert ticks == pytest.approx([1000.04, 1000.06])
    assert added[0].skipped == 0


def test_a_leg_moves_once_in_a_tick() -> None:
    loop = FakeLoop()
    pacer = make(loop)
    slots: list[Slot] = []
    done: list[int] = []
    slots.append(pacer.add(lambda now: done.extend(pacer.shift(slots[0], -8) for _ in range(3))))
    loop.run_until(1000.021)
    assert done == [-8, 0, 0]


def test_a_late_tick_moves_nobody() -> None:
    loop = FakeLoop()
    leg = Shifting(make(loop), 10)
    loop.run_until(1000.05)
    loop.stall(0.013)
    loop.run_until(1000.1)
    assert leg.done == 0
    assert leg.intervals_ms == [20, 23, 17, 20]


@pytest.mark.parametrize(("stall_s", "skipped"), [(0.03, 0), (0.06, 1), (0.1, 3)])
def test_a_stall_while_a_leg_moves_counts_what_it_swallowed(stall_s: float, skipped: int) -> None:
    loop = FakeLoop()
    leg = Shifting(make(loop), -4)
    loop.run_until(1000.061)
    loop.stall(stall_s)
    loop.run_until(1000.2)
    assert leg.slot.skipped == skipped
    elapsed_ms = 1000 * (leg.ticks[-1] - leg.ticks[0])
    assert round(elapsed_ms) == 20 * (leg.slot.ticks + skipped - 1) + 4


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
