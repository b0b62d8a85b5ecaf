from __future__ import annotations

from telephony.stacks.pjsip.media_budget import MAX_CALLS, WINDOW_S, MediaBudget


def test_calls_at_an_ordinary_rate_never_wait() -> None:
    budget = MediaBudget()
    assert all(budget.take(number / 10) == 0.0 for number in range(100))
    assert not budget.is_tight(100.0)


def test_no_window_holds_more_calls_than_there_are_sockets_for() -> None:
    budget = MediaBudget()
    now, begun = 0.0, []
    for _ in range(5 * MAX_CALLS):
        now += budget.take(now)
        begun.append(now)
    for first, last in zip(begun, begun[MAX_CALLS:], strict=False):
        assert last - first >= WINDOW_S - 1e-9
    assert budget.is_tight(now)


def test_calls_of_several_threads_queue_up_behind_each_other() -> None:
    budget = MediaBudget()
    waits = [budget.take(0.0) for _ in range(3 * MAX_CALLS)]
    assert waits == [0.0] * MAX_CALLS + [WINDOW_S] * MAX_CALLS + [2 * WINDOW_S] * MAX_CALLS
