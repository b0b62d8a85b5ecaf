from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.net.pacer import Pacer, Slot
from tests.support.fake_loop import FakeLoop

STALLS = st.lists(st.tuples(st.floats(0, 0.15), st.floats(0, 0.3)), max_size=12)
"""Pairs: run for this long, then stall for that long."""

TOLERANCE_S = 2e-6


class Leg:
    """Notes when each slot ran; the slot's number is what the pacer itself says it is."""

    def __init__(self, pacer: Pacer, ptime_ms: int) -> None:
        self.slot: Slot = pacer.add(self._tick, ptime_ms)
        self.ran: list[tuple[int, float]] = []

    def _tick(self, now: float) -> None:
        self.ran.append((self.slot.ticks + self.slot.skipped, now))


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
    paced = [Leg(pacer, ptime_ms) for _ in range(legs)]
    for run_s, stall_s in stalls:
        loop.run_until(loop.now + run_s)
        loop.stall(stall_s)
    loop.run_until(loop.now + 0.01)

    period_s = ptime_ms / 1000
    for leg in paced:
        phase_s = leg.slot._sub_tick.phase_ms / 1000
        origin = pacer._t0_ms / 1000 + phase_s
        first = origin + ((start - origin + 1e-6) // period_s + 1) * period_s
        numbers = [number for number, _ in leg.ran]
        assert numbers == sorted(set(numbers))
        for number, at in leg.ran:
            deadline = first + (number - 1) * period_s
            # Never early, and never so late that the next slot was due: that one would have run.
            assert -TOLERANCE_S <= at - deadline <= period_s + TOLERANCE_S
        # Callbacks and skipped slots together are the slots that came due; the last one may be
        # due within the timer's granularity of the end.
        elapsed = (loop.now - first) // period_s + 1
        assert elapsed - 1 <= leg.slot.ticks + leg.slot.skipped <= elapsed + 1
        assert leg.slot.ticks == len(leg.ran)
    assert pacer.stats.ticks == sum(leg.slot.ticks for leg in paced)
    assert pacer.stats.skipped == sum(leg.slot.skipped for leg in paced)
