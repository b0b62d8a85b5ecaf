from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.net.pacer import Pacer
from tests.support.fake_loop import FakeLoop

STALLS = st.lists(
    st.tuples(st.floats(0, 0.15), st.floats(0, 0.3)), max_size=12
)  # (run this long, then stall this long)


@settings(max_examples=200)
@given(
    stalls=STALLS,
    legs=st.integers(1, 12),
    start=st.floats(0, 1e6),
    granularity_s=st.sampled_from([0.0, 0.001]),
    ptime_ms=st.sampled_from([10, 20, 30, 60]),
)
def test_no_tick_is_early_and_every_slot_is_accounted_for(
    stalls: list[tuple[float, float]],
    legs: int,
    start: float,
    granularity_s: float,
    ptime_ms: int,
) -> None:
    loop = FakeLoop(start, granularity_s)
    pacer = Pacer(loop, loop.clock)  # type: ignore[arg-type]
    times: list[list[float]] = [[] for _ in range(legs)]
    slots = [pacer.add(ticks.append, ptime_ms) for ticks in times]
    for run_s, stall_s in stalls:
        loop.run_until(loop.now + run_s)
        loop.stall(stall_s)
    loop.run_until(loop.now + ptime_ms / 1000 + 0.003)

    period_s = ptime_ms / 1000
    for slot, ticks in zip(slots, times, strict=True):
        # Never early: the deadline of slot n lies on the grid of the first one's phase.
        phase_ms = slot._sub_tick.phase_ms
        origin = pacer._t0_ms / 1000 + phase_ms / 1000
        numbers = [int((tick - origin + 2e-6) // period_s) for tick in ticks]
        # Never two for one slot, never out of order: at most one callback per elapsed slot.
        assert numbers == sorted(set(numbers))
        first = int((start - origin + 2e-6) // period_s) + 1
        elapsed = int((loop.now - origin + 2e-6) // period_s) + 1 - first
        # The last slot may be due within the timer's granularity of the end.
        assert elapsed - 1 <= slot.ticks + slot.skipped <= elapsed
        assert slot.ticks == len(ticks)
    assert pacer.stats.ticks == sum(map(len, times))
