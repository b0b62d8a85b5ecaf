from __future__ import annotations

import pytest

from telephony.turns.silence import HangUpSilentCaller, Reprompt, SilencePolicy, SilenceWatch

POLICY = SilencePolicy(reprompt_after_s=8.0, max_reprompts=2, thinking_limit_s=20.0)


def test_asks_twice_then_hangs_up_once() -> None:
    watch = SilenceWatch(POLICY, 0.0)
    found = []
    for _ in range(5):
        due = watch.next_timer()
        if due is None:
            break
        watch.handle_timer(due - 0.01)
        assert watch.commands() == []
        watch.handle_timer(due)
        found += watch.commands()
        watch.playout_started(due + 0.5)
        watch.playout_drained(due + 2.0)
    assert found == [Reprompt(1), Reprompt(2), HangUpSilentCaller(2)]
    assert watch.next_timer() is None
    watch.handle_timer(1000.0)
    assert watch.commands() == []


def test_questions_that_are_never_heard_count_too() -> None:
    watch = SilenceWatch(POLICY, 0.0)
    for now in (8.0, 16.0, 24.0):
        assert watch.next_timer() == now
        watch.handle_timer(now)
    assert watch.commands() == [Reprompt(1), Reprompt(2), HangUpSilentCaller(2)]


def test_the_clock_stands_while_somebody_speaks() -> None:
    watch = SilenceWatch(POLICY, 0.0)
    watch.playout_started(1.0)
    assert watch.next_timer() is None
    watch.playout_drained(5.0)
    assert watch.next_timer() == 13.0
    watch.caller_started(6.0)
    assert watch.next_timer() is None
    watch.handle_timer(100.0)
    assert watch.commands() == []
    watch.caller_stopped(9.0)
    assert watch.next_timer() == 17.0


def test_a_caller_who_answers_starts_the_count_again() -> None:
    watch = SilenceWatch(POLICY, 0.0)
    watch.handle_timer(8.0)
    watch.handle_timer(16.0)
    watch.caller_started(17.0)
    watch.caller_stopped(18.0)
    watch.handle_timer(26.0)
    watch.handle_timer(34.0)
    watch.digit_received(35.0)
    assert watch.next_timer() == 43.0
    watch.handle_timer(43.0)
    assert watch.commands() == [
        Reprompt(1),
        Reprompt(2),
        Reprompt(1),
        Reprompt(2),
        Reprompt(1),
    ]


def test_a_slow_tool_has_its_time_but_not_for_ever() -> None:
    watch = SilenceWatch(POLICY, 0.0)
    watch.response_started(2.0)
    assert watch.next_timer() == 22.0
    watch.response_finished(3.0)
    assert watch.next_timer() == 8.0
    watch.response_started(4.0)
    watch.handle_timer(24.0)
    assert watch.commands() == [Reprompt(1)]
    assert watch.next_timer() == 32.0


def test_no_question_at_all_hangs_up_at_once() -> None:
    watch = SilenceWatch(SilencePolicy(reprompt_after_s=5.0, max_reprompts=0), 0.0)
    watch.handle_timer(5.0)
    assert watch.commands() == [HangUpSilentCaller(0)]


@pytest.mark.parametrize(
    "wrong", [{"reprompt_after_s": 0}, {"max_reprompts": -1}, {"thinking_limit_s": -1}]
)
def test_nonsense_is_refused(wrong) -> None:
    with pytest.raises(ValueError):
        SilencePolicy(**wrong)


def test_another_policy_is_followed_from_where_the_silence_stands() -> None:
    watch = SilenceWatch(SilencePolicy(reprompt_after_s=30.0), 0.0)
    watch.follow(SilencePolicy(reprompt_after_s=3.0, max_reprompts=0))
    assert watch.next_timer() == 3.0
    watch.handle_timer(3.0)
    assert watch.commands() == [HangUpSilentCaller(0)]
