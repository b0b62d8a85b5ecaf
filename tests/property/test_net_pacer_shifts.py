"""Legs that come, go and move to other phases, in any order, on a loop that stalls."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telephony.net.pacer import Pacer
from tests.support.fake_loop import FakeLoop

PTIMES_MS = (10, 20, 30, 60)
LEGS_MAX = 40
TOLERANCE_S = 2e-5
TIMER_LATE_S = 0.00101
"""Timers are set in whole milliseconds, rounded up."""

Step = tuple[str, int]
STEPS = st.tuples(
    st.sampled_from(["shift", "shift", "shift other", "leave", "drop other", "add", "stall"]),
    st.integers(-70, 70),
)


class Leg:
    """Does in its next tick what it is told to, and notes all ticks."""

    def __init__(self, machine: Paced, ptime_ms: int) -> None:
        self.ptime_ms = ptime_ms
        self.ran: list[tuple[int, float]] = []
        self.shifted_ms = 0
        self.steps: list[Step] = []
        self.added_at = machine.loop.now
        self._machine = machine
        self.slot = machine.pacer.add(self._tick, ptime_ms)

    def _tick(self, now: float) -> None:
        assert self in self._machine.legs
        self.ran.append((self.slot.ticks + self.slot.skipped, now))
        steps, self.steps = self.steps, []
        for step in steps:
            self._machine.take(self, *step)

    def shift(self, earlier_ms: int) -> None:
        done_ms = self._machine.pacer.shift(self.slot, earlier_ms)
        assert abs(done_ms) <= min(abs(earlier_ms), self.ptime_ms - 2)
        assert done_ms * earlier_ms >= 0
        assert done_ms % 2 == 0
        assert not done_ms or self in self._machine.legs
        self.shifted_ms += done_ms


class Paced(RuleBasedStateMachine):
    @initialize(
        start=st.floats(0, 1e6),
        granularity_s=st.sampled_from([0.0, 0.001]),
        work_s=st.sampled_from([0.0, 0.0001, 0.0007, 0.003]),
    )
    def begin(self, start: float, granularity_s: float, work_s: float) -> None:
        self.loop = FakeLoop(start, granularity_s)
        self.pacer = Pacer(self.loop, self.loop.clock)  # type: ignore[arg-type]
        self.work_s = work_s
        self.legs: list[Leg] = []
        self.ever: list[Leg] = []

    def take(self, leg: Leg, what: str, number: int) -> None:
        """Do one step of a leg that ticks."""
        self.loop.stall(self.work_s)
        other = self.legs[number % len(self.legs)] if self.legs else leg
        if what == "shift":
            leg.shift(number)
        elif what == "shift other":
            other.shift(number // 2)
        elif what == "leave":
            self._drop(leg)
        elif what == "drop other":
            self._drop(other)
        elif what == "add":
            self.add(number % len(PTIMES_MS))
        else:
            self.loop.stall(abs(number) / 1000)

    def _drop(self, leg: Leg) -> None:
        self.pacer.remove(leg.slot)
        if leg in self.legs:
            self.legs.remove(leg)

    @rule(which=st.integers(0, len(PTIMES_MS) - 1))
    def add(self, which: int) -> None:
        if len(self.ever) < LEGS_MAX:
            leg = Leg(self, PTIMES_MS[which])
            self.legs.append(leg)
            self.ever.append(leg)

    @precondition(lambda self: self.ever)
    @rule(which=st.integers(0, LEGS_MAX))
    def remove(self, which: int) -> None:
        self._drop(self.ever[which % len(self.ever)])

    @precondition(lambda self: self.legs)
    @rule(which=st.integers(0, LEGS_MAX), steps=st.lists(STEPS, min_size=1, max_size=3))
    def tell(self, which: int, steps: list[Step]) -> None:
        self.legs[which % len(self.legs)].steps = steps

    @precondition(lambda self: self.ever)
    @rule(which=st.integers(0, LEGS_MAX), earlier_ms=st.integers(-40, 40))
    def shift_outside_of_a_tick(self, which: int, earlier_ms: int) -> None:
        self.ever[which % len(self.ever)].shift(earlier_ms)

    @rule(run_s=st.floats(0, 0.13))
    def run_for(self, run_s: float) -> None:
        self.loop.run_until(self.loop.now + run_s)

    @rule(stall_s=st.floats(0, 0.15))
    def stall(self, stall_s: float) -> None:
        self.loop.stall(stall_s)

    @invariant()
    def every_leg_is_paced_once(self) -> None:
        if hasattr(self, "pacer"):
            assert self.pacer.legs == len(self.legs)
            for leg in self.ever:
                numbers = [number for number, _ in leg.ran]
                assert numbers == sorted(set(numbers))
                assert len(numbers) == leg.slot.ticks

    def teardown(self) -> None:
        if not hasattr(self, "pacer"):
            return
        for leg in self.legs:
            leg.steps = []
        self.loop.run_until(self.loop.now + 0.2)
        for leg in self.legs:
            self._every_slot_is_accounted_for(leg)
        stats = self.pacer.stats
        assert stats.ticks == sum(leg.slot.ticks for leg in self.ever)
        assert stats.skipped == sum(leg.slot.skipped for leg in self.ever)
        assert stats.errors == 0
        self.pacer.close()
        assert [self.pacer.shift(leg.slot, 4) for leg in self.legs] == [0] * len(self.legs)
        self.loop.run_until(self.loop.now + 0.2)
        assert stats.ticks == sum(leg.slot.ticks for leg in self.ever)

    def _every_slot_is_accounted_for(self, leg: Leg) -> None:
        """Counted back from the last tick, the first was due within a ptime of its joining."""
        number, ticked_at = leg.ran[-1]
        period_s = leg.ptime_ms / 1000
        phase_s = (self.pacer._t0_ms + leg.slot._sub_tick.phase_ms) / 1000
        due_at = phase_s + round((ticked_at - phase_s) / period_s) * period_s
        assert -TOLERANCE_S <= ticked_at - due_at <= TIMER_LATE_S + self.loop.granularity_s
        first_due_at = due_at - (number - 1) * period_s + leg.shifted_ms / 1000
        assert -TOLERANCE_S <= first_due_at - leg.added_at <= period_s + TOLERANCE_S


TestPaced = Paced.TestCase
TestPaced.settings = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
