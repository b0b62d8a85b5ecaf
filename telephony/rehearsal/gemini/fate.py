"""What becomes of a connection: its time limit, and the faults it was given."""

from __future__ import annotations

from collections.abc import Callable

from telephony.rehearsal.faults import ConnectionFaults, TurnFaults
from telephony.rehearsal.model_session import Ending
from telephony.rehearsal.outbox import Wire

CONNECTION_LIMIT_S = 600.0
_GO_AWAY_S = 10.0


class Fate:
    """``ending`` is set when it is over; times count from the accepted handshake.

    A connection lasts ten minutes, or less where the scenario says so; ten seconds before the
    end, or a quarter of a shorter time, the client is told.
    """

    def __init__(
        self,
        max_session_s: float,
        faults: ConnectionFaults,
        emit: Callable[[Wire], None],
        now: float,
    ) -> None:
        self.ending: Ending | None = None
        self.reading = True
        self.stalled = False
        self._emit = emit
        self._close_code = faults.close_code
        self._timers: dict[Callable[[], None], float] = {}
        limit_s = min(max_session_s, CONNECTION_LIMIT_S)
        self._left_s = min(_GO_AWAY_S, limit_s / 4)
        self._after((limit_s - self._left_s) * 1000, self._go_away, now)
        self._after(limit_s * 1000, self._expire, now)
        self._after(faults.drop_after_ms, self._drop, now)
        self._after(faults.stall_after_ms, self._stall, now)
        self._after(faults.stop_reading_after_ms, self._stop_reading, now)

    def arm(self, faults: TurnFaults, now: float) -> None:
        """Let the faults of a turn take effect."""
        self._after(faults.drop_after_ms, self._drop, now)
        self._after(faults.stall_after_ms, self._stall, now)

    def end(self, ending: Ending) -> None:
        """End the connection like this, unless it has ended already."""
        self.ending = self.ending or ending

    def next_timer(self) -> float | None:
        return min(self._timers.values(), default=None)

    def handle_timer(self, now: float) -> None:
        for action in [action for action, at in self._timers.items() if at <= now]:
            del self._timers[action]
            action()

    def _after(self, delay_ms: float | None, action: Callable[[], None], now: float) -> None:
        if delay_ms is not None:
            self._timers[action] = now + delay_ms / 1000

    def _go_away(self) -> None:
        self._emit({"goAway": {"timeLeft": f"{self._left_s:g}s"}})

    def _expire(self) -> None:
        self.end(Ending(1000))

    def _drop(self) -> None:
        self.end(Ending(self._close_code))

    def _stall(self) -> None:
        self.stalled = True

    def _stop_reading(self) -> None:
        self.reading = False
