from __future__ import annotations

import pytest

from telephony.turns.controller import CreateResponse, Interrupt, TurnController
from telephony.turns.policy import BargeInPolicy
from telephony.turns.turn_table import Turn


def controller(**policy) -> TurnController:
    return TurnController(BargeInPolicy(**policy))


def speaking(since: float = 0.0, *, finished: bool = False, **policy) -> TurnController:
    """A bot that has been speaking response r1 since ``since``."""
    turns = controller(**policy)
    turns.response_started("r1", since)
    turns.audio_received("r1", "i1", since)
    turns.playout_started(since)
    if finished:
        turns.response_finished("r1", since)
    assert turns.turn is Turn.BOT_SPEAKING
    return turns


# Whose word counts


@pytest.mark.parametrize(
    ("mode", "local", "server"),
    [
        ("both", True, True),
        ("local", True, False),
        ("server", False, True),
        ("off", False, False),
    ],
)
def test_modes(mode, local: bool, server: bool) -> None:
    turns = speaking(mode=mode)
    turns.local_speech_started(80, 5.0)
    assert bool(turns.commands()) == local
    turns = speaking(mode=mode)
    turns.server_speech_started(5.0)
    assert bool(turns.commands()) == server


def test_local_speech_cancels_because_the_server_may_not_have_heard_yet() -> None:
    turns = speaking()
    turns.local_speech_started(80, 5.0)
    assert turns.commands() == [Interrupt("local_speech", "r1", True, 5.0)]
    assert turns.commands() == []
    assert turns.turn is Turn.CALLER_SPEAKING
    assert turns.stats.interrupts == 1


@pytest.mark.parametrize(("server_interrupts", "cancel"), [(True, False), (False, True)])
def test_the_server_s_word_cancels_unless_it_did_so_itself(
    server_interrupts: bool, cancel: bool
) -> None:
    turns = speaking(server_interrupts=server_interrupts)
    turns.server_speech_started(5.0)
    assert turns.commands() == [Interrupt("server_speech", "r1", cancel, 5.0)]


@pytest.mark.parametrize("local_first", [True, False])
def test_the_second_detector_finds_nothing_to_interrupt(local_first: bool) -> None:
    turns = speaking()
    facts = [lambda: turns.local_speech_started(80, 5.0), lambda: turns.server_speech_started(5.1)]
    for fact in facts if local_first else reversed(facts):
        fact()
    assert len(turns.commands()) == 1


def test_a_complete_response_is_flushed_but_not_cancelled() -> None:
    turns = speaking(finished=True)
    turns.local_speech_started(80, 5.0)
    assert turns.commands() == [Interrupt("local_speech", "r1", False, 5.0)]


def test_the_next_response_is_cancelled_while_the_last_one_plays() -> None:
    turns = speaking(finished=True)
    turns.response_started("r2", 4.0)
    turns.local_speech_started(80, 5.0)
    assert turns.commands() == [Interrupt("local_speech", "r2", True, 5.0)]


def test_a_prompt_is_interrupted_without_a_response() -> None:
    turns = controller()
    turns.playout_started(0.0)
    turns.local_speech_started(80, 5.0)
    assert turns.commands() == [Interrupt("local_speech", None, False, 5.0)]


def test_nothing_is_interrupted_when_nothing_plays() -> None:
    turns = controller()
    turns.local_speech_started(80, 1.0)
    turns.server_speech_started(1.1)
    turns.digit_received(1.2)
    turns.interrupt(1.3)
    assert turns.commands() == []
    turns = speaking(finished=True)
    turns.playout_drained(2.0)
    turns.server_speech_started(3.0)
    assert turns.commands() == []


def test_a_response_without_audio_yet_is_left_to_the_server() -> None:
    turns = controller()
    turns.response_started("r1", 0.0)
    assert turns.turn is Turn.MODEL_THINKING
    turns.local_speech_started(80, 1.0)
    assert turns.commands() == []
    turns.server_speech_started(1.2)
    assert turns.commands() == [Interrupt("server_speech", "r1", False, 1.2)]


@pytest.mark.parametrize("digits", [True, False])
def test_digits(digits: bool) -> None:
    turns = speaking(digits=digits)
    turns.digit_received(0.1)
    assert turns.commands() == ([Interrupt("digit", "r1", True, 0.1)] if digits else [])
    assert turns.next_timer() is None


def test_a_command_interrupts_whatever_the_policy_says() -> None:
    turns = speaking(mode="off", protect_greeting=True)
    turns.interrupt(0.1)
    assert turns.commands() == [Interrupt("command", "r1", True, 0.1)]


# How much voice it takes


def test_short_voice_does_not_interrupt() -> None:
    turns = speaking(min_speech_ms=300)
    turns.local_speech_started(80, 5.0)
    for voiced_ms in range(100, 300, 20):
        turns.local_speech_continued(voiced_ms, 5.0)
    turns.local_speech_stopped(6.0)
    turns.local_speech_started(80, 7.0)
    assert turns.commands() == []
    turns.local_speech_continued(300, 7.3)
    assert [command.reason for command in turns.commands()] == ["local_speech"]


def test_voice_while_the_bot_has_only_begun_does_not_count() -> None:
    turns = speaking(since=5.0, ignore_first_ms=300, min_speech_ms=80)
    turns.local_speech_started(100, 5.1)
    turns.local_speech_continued(200, 5.2)
    turns.local_speech_continued(320, 5.31)
    turns.local_speech_continued(260, 5.31)
    assert turns.stats.too_early == 1
    assert [command.fact_at for command in turns.commands()] == [5.31]


def test_echo_that_ends_with_the_window_never_interrupts() -> None:
    turns = speaking(since=5.0, ignore_first_ms=300, min_speech_ms=80)
    turns.local_speech_started(100, 5.1)
    for frame in range(10):
        turns.local_speech_continued(120 + 20 * frame, 5.1 + 0.02 * frame)
    for frame in range(20):
        turns.local_speech_continued(320, 5.31 + 0.02 * frame)
    turns.local_speech_stopped(5.8)
    assert turns.commands() == []


def test_the_window_opens_once_a_turn_not_after_each_underrun() -> None:
    turns = speaking(since=5.0, ignore_first_ms=300)
    turns.playout_drained(6.0)
    turns.audio_received("r1", "i1", 6.1)
    turns.playout_started(6.2)
    turns.local_speech_started(80, 6.25)
    assert len(turns.commands()) == 1


@pytest.mark.parametrize(("server_interrupts", "obeyed"), [(True, True), (False, False)])
def test_a_server_that_stopped_by_itself_is_obeyed_at_once(
    server_interrupts: bool, obeyed: bool
) -> None:
    turns = speaking(since=5.0, ignore_first_ms=300, server_interrupts=server_interrupts)
    turns.server_speech_started(5.1)
    assert bool(turns.commands()) == obeyed


def test_a_detector_s_hangover_does_not_interrupt_the_answer() -> None:
    turns = controller(ignore_first_ms=0)
    turns.local_speech_started(80, 1.0)
    turns.local_speech_continued(900, 2.0)
    turns.server_speech_started(1.1)
    turns.server_speech_stopped(2.2)
    turns.response_started("r1", 2.25)
    turns.audio_received("r1", "i1", 2.3)
    turns.playout_started(2.31)
    turns.local_speech_continued(900, 2.32)
    turns.local_speech_stopped(2.4)
    assert turns.commands() == []


def test_a_caller_who_goes_on_speaking_interrupts_the_answer() -> None:
    turns = controller(ignore_first_ms=0, min_speech_ms=80)
    turns.local_speech_started(80, 1.0)
    turns.local_speech_continued(900, 2.0)
    turns.response_started("r1", 2.25)
    turns.audio_received("r1", "i1", 2.3)
    turns.local_speech_continued(960, 2.36)
    assert turns.commands() == []
    turns.local_speech_continued(980, 2.38)
    assert turns.commands() == [Interrupt("local_speech", "r1", True, 2.38)]


# The greeting


def test_a_protected_greeting_is_heard_to_its_end() -> None:
    turns = speaking(protect_greeting=True)
    turns.local_speech_started(80, 2.0)
    turns.local_speech_stopped(3.0)
    turns.server_speech_started(3.0)
    turns.server_speech_stopped(3.5)
    turns.digit_received(3.5)
    assert turns.commands() == []
    assert turns.stats.protected == 3
    turns.response_finished("r1", 4.0)
    turns.playout_drained(5.0)
    turns.response_started("r2", 6.0)
    turns.audio_received("r2", "i2", 6.0)
    turns.playout_started(6.0)
    turns.digit_received(7.0)
    assert turns.commands() == [Interrupt("digit", "r2", True, 7.0)]


def test_an_underrun_does_not_end_the_greeting() -> None:
    turns = speaking(protect_greeting=True)
    turns.playout_drained(1.0)
    turns.audio_received("r1", "i1", 1.1)
    turns.digit_received(1.2)
    assert turns.commands() == []


def test_an_answer_to_the_caller_is_no_greeting() -> None:
    turns = controller(protect_greeting=True)
    turns.server_speech_started(0.0)
    turns.server_speech_stopped(1.0)
    turns.response_started("r1", 1.1)
    turns.server_speech_started(1.2)
    assert len(turns.commands()) == 1


# Recovery from interruptions by noise


def test_a_call_does_not_stay_mute_after_an_interruption_by_noise() -> None:
    turns = speaking(false_interruption_ms=1500)
    turns.local_speech_started(80, 5.0)
    turns.commands()
    turns.response_finished("r1", 5.1)
    turns.local_speech_stopped(5.6)
    assert turns.next_timer() == 7.1
    turns.handle_timer(7.0)
    assert turns.commands() == []
    turns.handle_timer(7.1)
    assert turns.commands() == [CreateResponse()]
    assert turns.next_timer() is None
    turns.handle_timer(9.0)
    assert turns.commands() == []
    assert turns.stats.recoveries == 1


@pytest.mark.parametrize(
    "consequence",
    [
        lambda turns: turns.server_speech_started(5.2),
        lambda turns: turns.response_started("r2", 5.2),
        lambda turns: turns.audio_received("r2", "i2", 5.2),
        lambda turns: turns.playout_started(5.2),
        lambda turns: turns.digit_received(5.2),
    ],
)
def test_whatever_follows_prevents_the_recovery(consequence) -> None:
    turns = speaking()
    turns.local_speech_started(80, 5.0)
    consequence(turns)
    turns.local_speech_stopped(5.6)
    assert turns.next_timer() is None


def test_speech_both_detectors_heard_is_no_noise() -> None:
    turns = controller()
    turns.server_speech_started(1.0)
    turns.response_started("r1", 2.0)
    turns.audio_received("r1", "i1", 2.0)
    turns.playout_started(2.0)
    turns.local_speech_started(80, 5.0)
    assert len(turns.commands()) == 1
    assert turns.next_timer() is None


def test_recovery_waits_for_a_caller_only_we_hear_but_not_for_ever() -> None:
    turns = speaking(false_interruption_ms=1000)
    turns.local_speech_started(80, 5.0)
    turns.commands()
    for now in (6.0, 7.0, 8.0):
        turns.handle_timer(now)
        assert turns.commands() == []
    turns.handle_timer(9.0)
    assert turns.commands() == [CreateResponse()]


def test_an_end_of_speech_reported_again_does_not_delay_the_recovery() -> None:
    turns = speaking(false_interruption_ms=1000)
    turns.local_speech_started(80, 5.0)
    for now in (5.5, 5.9, 6.3):
        turns.local_speech_stopped(now)
    assert turns.next_timer() == 6.5


def test_recovery_can_be_switched_off() -> None:
    turns = speaking(false_interruption_ms=0)
    turns.local_speech_started(80, 5.0)
    assert turns.next_timer() is None


# Twice, late, never


def test_late_facts_of_an_interrupted_response_revive_nothing() -> None:
    turns = speaking()
    turns.server_speech_started(5.0)
    turns.commands()
    turns.audio_received("r1", "i1", 5.1)
    turns.response_started("r1", 5.1)
    turns.playout_drained(5.1)
    turns.response_finished("r1", 5.2)
    assert turns.turn is Turn.CALLER_SPEAKING
    turns.digit_received(5.3)
    assert turns.commands() == []


def test_audio_may_overtake_the_beginning_of_its_response() -> None:
    turns = controller()
    turns.audio_received("r1", "i1", 0.0)
    turns.response_started("r1", 0.1)
    assert turns.turn is Turn.BOT_SPEAKING
    turns.digit_received(1.0)
    assert turns.commands() == [Interrupt("digit", "r1", True, 1.0)]


def test_a_lost_session_leaves_only_what_is_queued() -> None:
    turns = speaking()
    turns.server_speech_started(1.0)
    turns.commands()
    turns.response_started("r2", 2.0)
    turns.audio_received("r2", "i2", 2.0)
    turns.model_disconnected(3.0)
    assert turns.turn is Turn.BOT_SPEAKING
    turns.digit_received(4.0)
    assert turns.commands() == [Interrupt("digit", "r2", False, 4.0)]
    assert not turns.caller_speaking
    turns.model_disconnected(5.0)


def test_overlap_has_a_name() -> None:
    turns = speaking(mode="off")
    turns.local_speech_started(80, 5.0)
    assert turns.turn is Turn.OVERLAP
    assert turns.caller_speaking
