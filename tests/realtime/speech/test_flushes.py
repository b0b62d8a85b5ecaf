from __future__ import annotations

from telephony.realtime.speech.flushes import PendingFlushes


def test_each_is_answered_once_or_overdue_once() -> None:
    flushes = PendingFlushes()
    assert not flushes.answered()
    flushes.add(1.0)
    flushes.add(1.5)
    assert len(flushes) == 2
    assert flushes.answered()
    assert flushes.next_timer() == 1.5
    assert flushes.overdue(1.4) == 0
    assert flushes.overdue(1.5) == 1
    assert flushes.next_timer() is None
    assert not flushes.answered()
