from __future__ import annotations

from typing import Any

from telephony.calls.turn_taking import ANSWER_LIMIT_S, TurnTaking
from telephony.realtime.session_config import ServerVad, SessionConfig
from telephony.turns.controller import CreateResponse, Interrupt
from telephony.turns.policy import BargeInPolicy
from telephony.turns.silence import SilencePolicy
from tests.support.fake_call import agent


class Vad:
    """As much of a voice activity detector as turn taking looks at."""

    def __init__(self, speech_ms: int = 120, voiced_ms: int = 120) -> None:
        self.speech_ms = speech_ms
        self.voiced_ms = voiced_ms
        self.trailing_silence_ms = 0


def turns(**changes: Any) -> TurnTaking:
    bot = agent(**changes)
    return TurnTaking(bot, bot.source.model.traits, 0.0)


def speaking_bot(**changes: Any) -> TurnTaking:
    taking = turns(**changes)
    taking.response_started("r1", 1.0)
    taking.audio_received("r1", "i1", 1.1)
    taking.playout_started(1.2)
    return taking


def speak(taking: TurnTaking, now: float, vad: Vad | None = None) -> None:
    taking.local_speech(True, vad or Vad(), now)  # type: ignore[arg-type]


def test_local_speech_interrupts_and_knows_when_it_began() -> None:
    taking = speaking_bot()
    assert not taking.has_commands
    speak(taking, 3.0)
    assert taking.has_commands
    [command] = taking.commands()
    assert isinstance(command, Interrupt)
    assert (command.reason, command.response_id, command.cancel) == ("local_speech", "r1", True)
    assert taking.onset_of(command) == 3.0 - 0.12
    assert not taking.has_commands
    assert taking.commands() == []


def test_the_servers_word_interrupts_with_the_time_it_heard() -> None:
    taking = speaking_bot()
    taking.server_speech_started(2.5, 3.0)
    [command] = taking.commands()
    assert isinstance(command, Interrupt)
    assert command.reason == "server_speech"
    assert not command.cancel
    assert taking.onset_of(command) == 2.5


def test_a_time_that_is_not_known_or_not_yet_come_is_now() -> None:
    for heard_at in (None, 99.0):
        taking = speaking_bot()
        taking.server_speech_started(heard_at, 3.0)
        [command] = taking.commands()
        assert isinstance(command, Interrupt)
        assert taking.onset_of(command) == 3.0


def test_a_server_that_does_not_interrupt_is_told_to_cancel() -> None:
    session = SessionConfig(model="m", turn_detection=ServerVad(interrupt_response=False))
    taking = speaking_bot(session=session)
    taking.server_speech_started(2.5, 3.0)
    [command] = taking.commands()
    assert isinstance(command, Interrupt)
    assert command.cancel


def test_a_turn_is_measured_from_the_callers_last_voice() -> None:
    taking = turns()
    speak(taking, 1.0)
    vad = Vad()
    vad.trailing_silence_ms = 400
    taking.local_speech(False, vad, 2.4)  # type: ignore[arg-type]
    assert taking.caller_waits
    taking.response_started("r1", 2.5)
    taking.audio_received("r1", "i1", 2.6)
    latency = taking.playout_started(2.7)
    assert latency is not None
    assert abs(latency.total_s - 0.7) < 1e-9
    assert abs(latency.caller_to_model_s - 0.6) < 1e-9
    assert not taking.caller_waits
    assert taking.playout_started(2.8) is None


def test_an_answer_that_a_digit_cut_off_is_not_measured_by_the_next_one() -> None:
    taking = turns()
    taking.server_speech_started(1.0, 1.1)
    taking.server_speech_stopped(2.0, 2.5)
    taking.response_started("r1", 2.6)
    taking.digit_received(2.7)
    [command] = taking.commands()
    assert isinstance(command, Interrupt)
    assert taking.onset_of(command) == 2.7
    taking.response_started("r2", 3.0)
    taking.audio_received("r2", "i2", 3.1)
    assert taking.playout_started(3.2) is None


def test_a_false_interruption_is_mended_in_time() -> None:
    taking = speaking_bot(barge_in=BargeInPolicy(false_interruption_ms=1000))
    speak(taking, 3.0)
    taking.commands()
    taking.local_speech(False, Vad(), 3.5)  # type: ignore[arg-type]
    assert taking.next_timer == 4.5
    taking.handle_timer(4.5)
    assert taking.commands() == [CreateResponse()]
    assert taking.next_timer == float("inf")


def test_without_turn_detection_every_end_is_answered_already() -> None:
    taking = speaking_bot(session=SessionConfig(model="m", turn_detection=None))
    speak(taking, 3.0)
    [command] = taking.commands()
    assert isinstance(command, Interrupt)
    assert command.cancel
    assert taking.next_timer == float("inf")


SILENCE = SilencePolicy(reprompt_after_s=8.0, max_reprompts=1)


def test_a_silent_caller_is_asked_and_then_hung_up_on() -> None:
    taking = turns(silence=SILENCE)
    assert taking.next_timer == 8.0
    assert taking.silence_verdict() is None
    taking.handle_timer(8.0)
    assert taking.has_commands
    assert taking.silence_verdict() is False
    taking.handle_timer(16.0)
    assert taking.silence_verdict() is True
    assert taking.next_timer == float("inf")


def test_nobody_is_silent_while_on_hold() -> None:
    taking = turns(silence=SILENCE)
    taking.caller_held(True, 5.0)
    assert taking.next_timer == float("inf")
    taking.handle_timer(100.0)
    assert taking.silence_verdict() is None
    taking.caller_held(False, 100.0)
    assert taking.next_timer == 108.0


def test_speech_of_either_side_stops_the_silence() -> None:
    taking = turns(silence=SILENCE)
    speak(taking, 1.0)
    assert taking.next_timer == float("inf")
    taking.local_speech(False, Vad(), 2.0)  # type: ignore[arg-type]
    assert taking.next_timer == 10.0
    taking.response_started("r1", 2.1)
    taking.audio_received("r1", "i1", 2.2)
    taking.playout_started(2.3)
    assert taking.next_timer == float("inf")
    taking.response_finished("r1", 2.4)
    taking.playout_drained(5.0)
    assert taking.next_timer == 13.0


def test_a_lost_model_ends_its_response_and_its_hearing() -> None:
    taking = speaking_bot(silence=SILENCE)
    taking.server_speech_started(None, 3.0)
    taking.commands()
    taking.model_disconnected(3.1)
    taking.local_speech(False, Vad(), 3.2)  # type: ignore[arg-type]
    speak(taking, 4.0)
    assert taking.commands() == []


def test_a_model_that_missed_the_turn_is_asked_once() -> None:
    taking = turns()
    speak(taking, 1.0)
    taking.local_speech(False, Vad(), 2.0)  # type: ignore[arg-type]
    assert taking.next_timer == 2.0 + ANSWER_LIMIT_S
    taking.handle_timer(2.0 + ANSWER_LIMIT_S)
    assert taking.has_commands
    assert taking.commands() == [CreateResponse()]
    assert taking.next_timer == float("inf")


def test_a_turn_that_is_being_answered_is_not_asked_for() -> None:
    taking = turns()
    speak(taking, 1.0)
    taking.local_speech(False, Vad(), 2.0)  # type: ignore[arg-type]
    taking.response_started("r1", 2.5)
    assert taking.next_timer == float("inf")


def test_nobody_is_asked_to_answer_a_caller_on_hold() -> None:
    taking = turns()
    speak(taking, 1.0)
    taking.local_speech(False, Vad(), 2.0)  # type: ignore[arg-type]
    taking.caller_held(True, 3.0)
    assert taking.next_timer == float("inf")
