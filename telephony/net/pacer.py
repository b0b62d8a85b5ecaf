"""One absolute-deadline ticker for the media of all legs.

Legs share sub-ticks: with 20 ms frames and 2 ms sub-ticks there are ten phases. A new leg joins
the emptiest one, and may move to the phase at which its peer's packets come. Slot ``n`` of a phase
is due at ``t0 + phase + n * ptime`` whatever happened to slot ``n - 1``, so that a late wake-up
never shifts the ones after it. A stall longer than a ptime skips the slots it swallowed: the
callback runs once for the newest of them, and the others are counted, because a burst of frames
overruns the jitter buffer of the far end.
"""

from __future__ import annotations

import heapq
import math
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from dataclasses import dataclass

from telephony.net.clock import monotonic

# A float of monotonic seconds carries less than this much rounding error.
_EPSILON_MS = 0.001

_CROWD_LEGS = 16
_CROWD_SHARE = 3


@dataclass(slots=True)
class PacerStats:
    """Counters since the start; ``ticks + skipped`` is the number of slots that came due."""

    ticks: int = 0
    skipped: int = 0
    wakeups: int = 0
    late_wakeups: int = 0
    errors: int = 0
    shifts: int = 0
    max_late_ms: float = 0.0


class Slot:
    """One leg's place on the pacer.

    ``ticks`` counts callbacks, ``skipped`` the slots that a stall swallowed. The leg reads
    ``skipped`` to advance its RTP timestamp over the time it could not send in.
    """

    __slots__ = ("_due_ms", "_sub_tick", "active", "callback", "skipped", "ticks")

    def __init__(self, callback: Callable[[float], None], sub_tick: _SubTick) -> None:
        self.callback = callback
        self.active = True
        self.ticks = 0
        self.skipped = 0
        self._sub_tick = sub_tick
        self._due_ms = 0  # the first tick on this sub-tick


class _SubTick:
    """The legs that share a period and a phase; those ``joining`` tick from a later deadline on."""

    __slots__ = ("armed", "deadline_ms", "joining", "period_ms", "phase_ms", "slots")

    def __init__(self, period_ms: int, phase_ms: int) -> None:
        self.period_ms = period_ms
        self.phase_ms = phase_ms
        self.deadline_ms = 0
        self.slots: tuple[Slot, ...] = ()
        self.joining: tuple[Slot, ...] = ()
        self.armed = False

    def join(self, due_ms: int) -> int:
        """Take in those that are to tick by ``due_ms``; return how many slots they missed."""
        missed, later = 0, []
        for slot in self.joining:
            if slot._due_ms > due_ms:
                later.append(slot)
                continue
            behind = (due_ms - slot._due_ms) // self.period_ms
            slot.skipped += behind
            missed += behind
            self.slots += (slot,)
        self.joining = tuple(later)
        return missed

    @property
    def legs(self) -> int:
        return len(self.slots) + len(self.joining)

    def leave(self, slot: Slot) -> None:
        self.slots = tuple(other for other in self.slots if other is not slot)
        self.joining = tuple(other for other in self.joining if other is not slot)

    def __lt__(self, other: _SubTick) -> bool:
        return self.deadline_ms < other.deadline_ms


class Pacer:
    """Calls ``callback(now)`` of every added leg once per ptime, never early, never in a burst.

    A callback that raises is removed and reported to ``on_error(slot, error)``; the others go on.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        clock: Callable[[], float] = monotonic,
        *,
        ptime_ms: int = 20,
        sub_tick_ms: int = 2,
        on_error: Callable[[Slot, Exception], None] | None = None,
    ) -> None:
        if sub_tick_ms <= 0 or ptime_ms % sub_tick_ms:
            raise ValueError(f"ptime_ms {ptime_ms} is not a multiple of sub_tick_ms {sub_tick_ms}")
        self.ptime_ms = ptime_ms
        self.sub_tick_ms = sub_tick_ms
        self.stats = PacerStats()
        self._loop = loop
        self._clock = clock
        self._on_error = on_error
        # Deadlines are whole milliseconds of the monotonic clock: event loops with millisecond
        # timers (libuv) then wake up exactly on them.
        self._t0_ms = math.floor(clock() * 1000)
        self._sub_ticks: dict[int, list[_SubTick]] = {}
        self._due: list[_SubTick] = []
        self._timer: TimerHandle | None = None
        self._timer_deadline_ms = 0

    @property
    def legs(self) -> int:
        """How many legs are being paced."""
        return sum(s.legs for phases in self._sub_ticks.values() for s in phases)

    def add(self, callback: Callable[[float], None], ptime_ms: int | None = None) -> Slot:
        """Put a leg on the least loaded sub-tick; its first tick comes within one ptime.

        ``ptime_ms`` other than the pacer's own must be a multiple of the sub-tick.
        """
        phases = self._phases(self.ptime_ms if ptime_ms is None else ptime_ms)
        sub_tick = min(phases, key=lambda candidate: candidate.legs)
        slot = Slot(callback, sub_tick)
        origin_ms = self._t0_ms + sub_tick.phase_ms
        since_ms = self._clock() * 1000 + _EPSILON_MS - origin_ms
        elapsed_slots = math.floor(since_ms / sub_tick.period_ms)
        self._join(sub_tick, slot, origin_ms + (elapsed_slots + 1) * sub_tick.period_ms)
        return slot

    def remove(self, slot: Slot) -> None:
        """Take a leg off; its callback is not called again. Removing twice is harmless."""
        if slot.active:
            slot.active = False
            slot._sub_tick.leave(slot)

    def shift(self, slot: Slot, earlier_ms: int) -> int:
        """Let a leg tick so much earlier from its next tick on, or later (under 0).

        To be called in the leg's own callback, once. The shift is shorter than a ptime, a multiple
        of the sub-tick, and smaller where too many legs tick already; there is none in a late tick.
        Returns what was done.
        """
        old = slot._sub_tick
        late_ms = self._clock() * 1000 + _EPSILON_MS - (old.deadline_ms - old.period_ms)
        if not slot.active or not 0 <= late_ms < self.sub_tick_ms:
            return 0
        new = self._phase_towards(old, earlier_ms)
        moved_ms = (old.phase_ms - new.phase_ms) % old.period_ms
        if earlier_ms < 0 and moved_ms:
            moved_ms -= old.period_ms
        if moved_ms == 0:
            return 0
        old.leave(slot)
        slot._sub_tick = new
        self._join(new, slot, old.deadline_ms - moved_ms)
        self.stats.shifts += 1
        return moved_ms

    def _phase_towards(self, old: _SubTick, earlier_ms: int) -> _SubTick:
        """Return the sub-tick so much earlier than ``old``, or the next to it with room."""
        phases = self._sub_ticks[old.period_ms]
        step_ms = self.sub_tick_ms if earlier_ms > 0 else -self.sub_tick_ms
        crowd = max(_CROWD_LEGS, _CROWD_SHARE * sum(p.legs for p in phases) // len(phases))
        for by_ms in range(int(earlier_ms / step_ms) * step_ms, 0, -step_ms):
            phase_ms = (old.phase_ms - by_ms) % old.period_ms
            phase = phases[phase_ms // self.sub_tick_ms]
            if phase.legs < crowd:
                return phase
        return old

    def close(self) -> None:
        """Stop ticking and forget every leg."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sub_tick in self._due:
            for slot in (*sub_tick.slots, *sub_tick.joining):
                slot.active = False
        self._sub_ticks.clear()
        self._due.clear()

    def _phases(self, period_ms: int) -> list[_SubTick]:
        phases = self._sub_ticks.get(period_ms)
        if phases is None:
            if period_ms <= 0 or period_ms % self.sub_tick_ms:
                raise ValueError(f"ptime_ms {period_ms} is not a multiple of {self.sub_tick_ms} ms")
            phases = [_SubTick(period_ms, p) for p in range(0, period_ms, self.sub_tick_ms)]
            self._sub_ticks[period_ms] = phases
        return phases

    def _join(self, sub_tick: _SubTick, slot: Slot, due_ms: int) -> None:
        """Let a leg tick with ``sub_tick`` from ``due_ms`` on, which is one of its deadlines."""
        slot._due_ms = due_ms
        sub_tick.joining += (slot,)
        if not sub_tick.armed:
            sub_tick.deadline_ms = due_ms
            sub_tick.armed = True
            heapq.heappush(self._due, sub_tick)
            self._arm_timer()

    def _arm_timer(self) -> None:
        deadline_ms = self._due[0].deadline_ms
        if self._timer is not None:
            if self._timer_deadline_ms <= deadline_ms:
                return
            self._timer.cancel()
        # Rounded up: a timer of a millisecond loop counts from the start of the running millisecond
        # and would otherwise fire early.
        delay_ms = max(0, math.ceil(deadline_ms - self._clock() * 1000 - _EPSILON_MS))
        self._timer_deadline_ms = deadline_ms
        self._timer = self._loop.call_later(delay_ms / 1000, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.stats.wakeups += 1
        # Only what was due at the start: with more work than time, sockets still get their turn.
        limit_ms = self._clock() * 1000 + _EPSILON_MS
        due = self._due
        try:
            while due and due[0].deadline_ms <= limit_ms:
                sub_tick = due[0]
                if sub_tick.slots or sub_tick.joining:
                    now = self._clock()
                    self._advance(sub_tick, now)
                    heapq.heapreplace(due, sub_tick)
                    self._run(sub_tick.slots, now)
                else:
                    sub_tick.armed = False
                    heapq.heappop(due)
        finally:
            if due and self._timer is None:
                self._arm_timer()

    def _advance(self, sub_tick: _SubTick, now: float) -> None:
        """Set the next deadline after ``now``; count the slots missed until it."""
        late_ms = now * 1000 + _EPSILON_MS - sub_tick.deadline_ms
        missed = int(late_ms // sub_tick.period_ms)
        sub_tick.deadline_ms += (missed + 1) * sub_tick.period_ms
        if late_ms >= self.sub_tick_ms:
            self.stats.late_wakeups += 1
            self.stats.max_late_ms = max(self.stats.max_late_ms, late_ms)
        if missed:
            self.stats.skipped += missed * len(sub_tick.slots)
            for slot in sub_tick.slots:
                slot.skipped += missed
        if sub_tick.joining:
            self.stats.skipped += sub_tick.join(sub_tick.deadline_ms - sub_tick.period_ms)

    def _run(self, slots: tuple[Slot, ...], now: float) -> None:
        for slot in slots:
            if slot.active:
                slot.ticks += 1
                self.stats.ticks += 1
                try:
                    slot.callback(now)
                except Exception as error:
                    self._drop(slot, error)

    def _drop(self, slot: Slot, error: Exception) -> None:
        self.stats.errors += 1
        self.remove(slot)
        if self._on_error is not None:
            self._on_error(slot, error)
