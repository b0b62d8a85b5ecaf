"""Audio and transcripts become turns, and answers are prepared before they are sure."""

from __future__ import annotations

from telephony.base.speech import SpeechFailure
from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.caller_turns import NOT_UNDERSTOOD
from telephony.realtime.cascade.claude_messages import as_note
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    InputCommitted,
    ResponseFinished,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TranscriptFailed,
    TranscriptFinished,
    UsageReported,
)
from tests.realtime.cascade.driver import Driver

QUESTION = "What are your hours?"


def likely(text: str = QUESTION) -> Driver:
    """Return a driver whose caller seems to be done."""
    driver = Driver()
    driver.speak()
    driver.transcript(text)
    driver.silence(300)
    return driver


def test_an_answer_is_prepared_on_a_likely_end_and_heard_after_the_sure_one() -> None:
    driver = likely()
    assert driver.last_words() == QUESTION
    driver.write("We are open. Until six.")
    driver.end()
    assert driver.all(say.Speak) == []
    assert driver.seen(ResponseStarted) == []
    assert driver.core.history == ()
    driver.silence(200)
    assert driver.take(say.FinishTurn)
    driver.transcript(QUESTION, final=True)
    assert driver.all(say.Speak) == []
    driver.tell(say.TurnFlushed())
    assert driver.text() == "We are open. Until six."
    assert [item.role for item in driver.core.history] == ["user", "assistant"]
    assert len(driver.all(say.Generate)) == 1
    stats = driver.core.cascade_stats
    assert (stats.speculations, stats.speculations_used) == (1, 1)


def test_a_caller_who_goes_on_leaves_no_trace_of_what_was_prepared() -> None:
    driver = likely()
    driver.write("We are open. Until six.")
    generation_id = driver.generation().generation_id
    driver.speak()
    assert driver.all(say.CancelGeneration) == [say.CancelGeneration(generation_id)]
    assert driver.all(say.Speak) == []
    assert driver.seen(ResponseStarted) == []
    assert driver.core.history == ()
    assert driver.last(UsageReported).usage.input_tokens == 10
    assert driver.core.next_timer() is None
    driver.more(" Too late.")
    assert driver.core.stats.late_parts == 1
    assert len(driver.seen(SpeechStarted)) == 1


def test_other_words_in_the_end_are_asked_for_anew() -> None:
    driver = likely("What are your hours?")
    driver.silence(200)
    driver.transcript("What are your hours on Sunday?", final=True)
    assert driver.last_words() == "What are your hours on Sunday?"
    driver.tell(say.TurnFlushed())
    assert len(driver.all(say.Generate)) == 2
    assert len(driver.all(say.CancelGeneration)) == 1
    assert driver.last(TranscriptFinished).text == "What are your hours on Sunday?"


def test_the_answer_is_begun_while_the_last_word_is_waited_for() -> None:
    driver = Driver()
    driver.speak()
    driver.transcript("Tell me your hours")
    driver.silence(700)
    assert driver.take(say.FinishTurn)
    assert driver.last_words() == "Tell me your hours"
    driver.transcript("Tell me your hours", final=True)
    driver.tell(say.TurnFlushed())
    assert len(driver.all(say.Generate)) == 1


def test_speculation_can_be_forbidden() -> None:
    driver = Driver(end_of_turn={"speculative": False})
    driver.speak()
    driver.transcript(QUESTION)
    driver.silence(500)
    assert driver.all(say.Generate) == []
    driver.transcript(QUESTION, final=True)
    driver.tell(say.TurnFlushed())
    assert driver.last_words() == QUESTION


def test_a_service_that_knows_the_end_is_not_asked() -> None:
    driver = Driver()
    driver.speak()
    driver.transcript("What are", hint="likely")
    driver.transcript("What are your hours", final=True, hint="ended")
    assert driver.all(say.FinishTurn) == []
    assert driver.last_words() == "What are your hours"
    assert driver.seen(SpeechStopped)
    assert driver.seen(InputCommitted)


def test_a_service_that_knows_the_end_after_us_is_not_waited_for_longer() -> None:
    driver = Driver()
    driver.speak()
    driver.transcript("What are your")
    driver.silence(700)
    assert driver.seen(InputCommitted) == []
    driver.transcript("What are your hours", final=True, hint="ended")
    assert driver.seen(InputCommitted)
    driver.tell(say.TurnFlushed())
    assert len(driver.seen(InputCommitted)) == 1


def test_pieces_are_put_together_and_guesses_replaced() -> None:
    driver = Driver()
    driver.speak()
    driver.transcript("What")
    driver.transcript("What are", final=True)
    driver.transcript("you")
    driver.transcript("your hours")
    driver.silence(700)
    driver.transcript("your hours?", final=True)
    driver.tell(say.TurnFlushed())
    assert driver.last(TranscriptFinished).text == "What are your hours?"


def test_who_goes_on_before_the_answer_goes_on_with_the_same_turn() -> None:
    driver = Driver()
    driver.speak()
    driver.transcript("What are")
    driver.silence(700)
    driver.transcript("What are", final=True)
    driver.speak()
    driver.tell(say.TurnFlushed())
    assert driver.seen(InputCommitted) == []
    driver.silence(700)
    driver.transcript("your hours?", final=True)
    driver.tell(say.TurnFlushed())
    assert driver.last(TranscriptFinished).text == "What are your hours?"
    assert len({event.item_id for event in driver.seen(SpeechStarted)}) == 1
    assert driver.last_words() == "What are your hours?"


def test_a_last_word_that_never_comes_is_not_waited_for_for_ever() -> None:
    driver = Driver()
    driver.speak()
    driver.transcript("What are your hours")
    driver.silence(700)
    driver.wait(2.0)
    assert driver.last(TranscriptFinished).text == "What are your hours"
    driver.transcript("on Sunday?", final=True)
    assert driver.core.history[0].text == "What are your hours on Sunday?"
    assert driver.core.cascade_stats.late_words == 1
    driver.tell(say.TurnFlushed())
    assert len(driver.seen(InputCommitted)) == 1


def test_a_short_noise_is_nothing() -> None:
    driver = Driver()
    driver.speak(ms=260)
    driver.silence(700)
    driver.tell(say.TurnFlushed())
    assert driver.last(TranscriptFailed).code == "no_words"
    assert driver.all(say.Generate) == []
    assert driver.core.cascade_stats.empty_turns == 1


def test_words_that_were_not_understood_are_answered() -> None:
    driver = Driver()
    driver.speak()
    driver.silence(700)
    driver.tell(say.TurnFlushed())
    assert driver.last_words() == as_note(NOT_UNDERSTOOD)


def test_a_noise_that_cut_the_bot_off_is_answered() -> None:
    driver = Driver()
    driver.core.create_response("Greet.")
    driver.drain()
    item_id = driver.say_all("We are open until six today.", ms=2000)
    driver.speak(ms=260)
    driver.core.truncate_item(item_id, 1000)
    driver.silence(700)
    driver.tell(say.TurnFlushed())
    assert driver.last_words() == as_note(NOT_UNDERSTOOD)


def test_words_without_voice_are_a_turn() -> None:
    driver = Driver()
    driver.silence(200)
    driver.transcript("hello")
    assert driver.seen(SpeechStarted)
    driver.silence(700)
    driver.transcript("hello there", final=True)
    driver.tell(say.TurnFlushed())
    assert driver.last(TranscriptFinished).text == "hello there"


def test_a_turn_while_the_bot_goes_on_is_answered_afterwards() -> None:
    driver = Driver()
    driver.core.create_response("Greet.")
    driver.drain()
    driver.write("Welcome to all of you. Please wait.")
    driver.turn("Hello.")
    assert len(driver.all(say.Generate)) == 1
    driver.end()
    driver.audio(900)
    driver.spoken()
    assert len(driver.all(say.Generate)) == 2
    assert driver.last_words() == "Hello."


def test_a_tools_output_waits_for_the_callers_turn() -> None:
    driver = Driver()
    driver.turn("Where is my order?")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    driver.speak()
    driver.core.send_tool_output("t1", "on its way")
    driver.drain()
    assert len(driver.all(say.Generate)) == 1
    driver.silence(700)
    driver.transcript("I need it", final=True)
    driver.tell(say.TurnFlushed())
    assert len(driver.all(say.Generate)) == 2
    [result, words] = driver.body()["messages"][-1]["content"]
    assert (result["content"], words["text"]) == ("on its way", "I need it")


def test_a_caller_who_never_falls_silent_does_not_hold_an_output_back_for_ever() -> None:
    driver = Driver()
    driver.turn("Where is my order?")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    driver.speak(ms=600)
    driver.core.send_tool_output("t1", "on its way")
    driver.drain()
    driver.wait(31.0)
    assert len(driver.all(say.Generate)) == 2


def eager() -> Driver:
    """Return a driver with an answer that is spoken before the turn is over."""
    driver = Driver(end_of_turn={"speculative_speech": True})
    driver.speak()
    driver.transcript(QUESTION)
    driver.silence(300)
    driver.write("We are open. Until six.")
    driver.end()
    driver.audio(900)
    driver.mark(len("We are open."), 900)
    assert driver.text() == "We are open. Until six."
    assert driver.seen(AudioDelta) == []
    assert driver.seen(ResponseStarted) == []
    assert driver.core.history == ()
    return driver


def test_an_answer_spoken_early_is_heard_when_the_turn_is_over() -> None:
    driver = eager()
    driver.silence(200)
    driver.transcript("what are your hours", final=True)
    driver.tell(say.TurnFlushed())
    assert len(driver.seen(AudioDelta)) == 1
    assert [item.text for item in driver.core.history] == [
        "what are your hours",
        "We are open. Until six.",
    ]
    driver.audio(500)
    driver.spoken()
    assert driver.last(ResponseFinished).status == "completed"
    assert [c.more_follows for c in driver.all(say.Speak)] == [True, True, False]
    assert len(driver.all(say.Generate)) == 1


def test_an_answer_spoken_in_full_is_heard_in_one_piece() -> None:
    driver = eager()
    driver.audio(500)
    driver.spoken()
    driver.silence(200)
    driver.transcript(QUESTION, final=True)
    driver.tell(say.TurnFlushed())
    assert len(driver.seen(AudioDelta)) == 2
    assert driver.last(AudioFinished)
    assert driver.last(ResponseFinished).status == "completed"
    assert driver.core.active_response_id == ""


def test_an_answer_spoken_in_vain_leaves_no_trace_but_its_cost() -> None:
    driver = eager()
    item_id = driver.utterance()
    driver.speak()
    assert driver.all(say.CancelSpeech) == [say.CancelSpeech(item_id)]
    assert driver.last(UsageReported).usage.characters == len("We are open. Until six.")
    driver.audio(100, item_id)
    assert driver.seen(AudioDelta) == []
    assert driver.core.history == ()


def test_a_voice_that_cannot_speak_early_is_asked_in_earnest() -> None:
    driver = eager()
    failure = SpeechFailure("x", "y", fatal=False)
    driver.tell(say.SynthesizerFailed(failure, driver.utterance()))
    driver.silence(200)
    driver.transcript(QUESTION, final=True)
    driver.tell(say.TurnFlushed())
    assert len(driver.all(say.Generate)) == 2


def test_words_that_change_in_the_pause_are_prepared_for_anew() -> None:
    driver = likely("What are your hours?")
    driver.transcript("What are your hours on Sunday?")
    assert driver.last_words() == "What are your hours on Sunday?"
    assert len(driver.all(say.CancelGeneration)) == 1
    assert driver.core.cascade_stats.speculations == 2


def test_a_service_may_take_back_that_the_turn_seems_over() -> None:
    driver = Driver()
    driver.speak()
    driver.silence(240)
    driver.transcript("What are", hint="likely")
    assert driver.last_words() == "What are"
    driver.transcript("What are", hint="resumed")
    assert len(driver.all(say.CancelGeneration)) == 1
    driver.silence(600)
    assert driver.all(say.FinishTurn) == []
    driver.silence(200)
    assert driver.all(say.FinishTurn)
