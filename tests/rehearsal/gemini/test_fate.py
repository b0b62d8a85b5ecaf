"""How a connection ends."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.rehearsal.faults import ConnectionFaults, TurnFaults
from telephony.rehearsal.gemini.fate import Fate
from telephony.rehearsal.model_session import Ending


def fate(max_session_s: float = 3600.0, **faults: Any) -> tuple[Fate, list[dict[str, Any]]]:
    said: list[dict[str, Any]] = []
    return Fate(max_session_s, ConnectionFaults(**faults), said.append, 0.0), said


@pytest.mark.parametrize(
    ("limit_s", "told_at", "left", "ended_at"),
    [(3600.0, 590.0, "10s", 600.0), (20.0, 15.0, "5s", 20.0)],
)
def test_the_limit(limit_s: float, told_at: float, left: str, ended_at: float) -> None:
    subject, said = fate(limit_s)
    assert subject.next_timer() == told_at
    subject.handle_timer(told_at - 0.1)
    assert said == []
    subject.handle_timer(told_at)
    assert said == [{"goAway": {"timeLeft": left}}]
    assert subject.next_timer() == ended_at
    subject.handle_timer(ended_at)
    assert subject.ending == Ending(1000)


def test_faults() -> None:
    subject, _ = fate(drop_after_ms=100, close_code=1011, stall_after_ms=50)
    subject.handle_timer(0.05)
    assert (subject.stalled, subject.ending) == (True, None)
    subject.handle_timer(0.1)
    assert subject.ending == Ending(1011)
    subject.end(Ending(1000))
    assert subject.ending == Ending(1011)
    subject, _ = fate(stop_reading_after_ms=10)
    subject.handle_timer(0.01)
    assert not subject.reading


def test_faults_of_a_turn() -> None:
    subject, _ = fate()
    subject.arm(TurnFaults(drop_after_ms=100, stall_after_ms=50), 1.0)
    subject.handle_timer(1.05)
    assert subject.stalled
    subject.handle_timer(1.1)
    assert subject.ending == Ending(None)
