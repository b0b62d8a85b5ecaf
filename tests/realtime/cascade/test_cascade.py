"""The dialect: one session with three services, seen from the call."""

from __future__ import annotations

import pytest

from telephony.audio.format import PCMU
from telephony.base.errors import LocalProtocolError
from telephony.base.speech import SpeechFailure
from telephony.realtime.cascade import messages as say
from telephony.realtime.cascade.claude_messages import INTERRUPTED, STILL_RUNNING, as_note
from telephony.realtime.dialect import Brief, Dialect
from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    InputCommitted,
    ItemDeleted,
    ItemTruncated,
    ModelError,
    ResponseFinished,
    ResponseStarted,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    ToolCallRequested,
    TranscriptFinished,
)
from telephony.realtime.history import HistoryItem, carried_over
from tests.realtime.cascade.driver import TOOL, Driver

QUESTION = "What are your hours?"
LONG = "We are open. Come until six."


def roles(driver: Driver) -> list[tuple[str, str]]:
    return [(i.role, i.heard_text) for i in driver.core.history if i.kind == "message"]


def test_a_session_is_ready_as_soon_as_its_services_are() -> None:
    driver = Driver(connect=False)
    core: Dialect = driver.core
    assert not core.ready
    core.connection_made(5.0)
    assert core.next_timer() == 0.0
    driver.drain()
    [ready] = driver.seen(SessionReady)
    assert (ready.model, ready.input_format, ready.output_format) == (
        "claude-haiku-5-5",
        PCMU,
        PCMU,
    )
    assert core.ready
    assert core.next_timer() is None
    traits = core.traits
    assert traits.detects_turns
    assert traits.responds_by_itself
    assert not traits.interrupts_by_itself


def test_a_whole_turn() -> None:
    driver = Driver()
    driver.turn(QUESTION)
    assert driver.seen(SpeechStarted)
    assert driver.seen(SpeechStopped)
    assert driver.seen(InputCommitted)
    assert driver.last(TranscriptFinished).text == QUESTION
    assert driver.last_words() == QUESTION
    started = driver.last(ResponseStarted)
    assert driver.core.active_response_id == started.response_id
    item_id = driver.say_all("We are open. Until six.")
    assert [c.text for c in driver.all(say.Speak)] == ["We are open.", " Until six.", ""]
    assert [c.more_follows for c in driver.all(say.Speak)] == [True, True, False]
    assert [c.utterance_id for c in driver.all(say.FlushSpeech)] == [item_id]
    assert driver.last(AudioDelta).item_id == item_id
    assert driver.last(AudioFinished).item_id == item_id
    assert driver.last(TranscriptFinished).text == "We are open. Until six."
    done = driver.last(ResponseFinished)
    assert (done.response_id, done.status) == (started.response_id, "completed")
    assert done.usage is not None
    assert (done.usage.input_tokens, done.usage.output_tokens) == (10, 7)
    assert done.usage.characters == len("We are open. Until six.")
    assert done.usage.billed_s > 1.0
    assert driver.core.active_response_id == ""
    assert roles(driver) == [("user", QUESTION), ("assistant", "We are open. Until six.")]


def test_a_greeting_and_other_wishes_are_notes_to_one_request() -> None:
    driver = Driver()
    driver.core.create_response("Greet the caller.")
    driver.drain()
    assert driver.last_words() == as_note("Greet the caller.")
    driver.say_all("Hello.")
    driver.turn("Hi.")
    assert "Greet" not in str(driver.body()["messages"])


def test_one_wish_waits_while_an_answer_is_under_way() -> None:
    driver = Driver()
    driver.core.create_response("One.")
    driver.core.create_response("Two.")
    driver.core.create_response()
    driver.drain()
    assert len(driver.all(say.Generate)) == 1
    driver.say_all("Hello.")
    assert driver.last_words() == as_note("Two.")
    assert len(driver.all(say.Generate)) == 2
    driver.say_all("There.")
    assert len(driver.all(say.Generate)) == 2
    driver.core.create_response()
    driver.core.create_response("Three.")
    driver.drain()
    assert driver.core.withdraw_response()
    assert not driver.core.withdraw_response()
    driver.say_all("So.")
    assert len(driver.all(say.Generate)) == 3


def test_what_was_cut_off_is_kept_to_the_words_that_were_heard() -> None:
    driver = Driver()
    driver.turn(QUESTION)
    driver.write("We are open. Come until six. Not later than that.")
    item_id = driver.utterance()
    driver.audio(1200)
    driver.mark(len("We are open."), 1200)
    driver.audio(800)
    response_id = driver.core.active_response_id
    core = driver.core
    core.fence(response_id)
    core.cancel_response(response_id)
    core.truncate_item(item_id, 600)
    driver.drain()
    generation_id = driver.all(say.Generate)[-1].generation_id
    assert driver.all(say.CancelGeneration) == [say.CancelGeneration(generation_id)]
    assert driver.all(say.CancelSpeech) == [say.CancelSpeech(item_id)]
    assert driver.last(ResponseFinished).status == "cancelled"
    assert driver.last(ItemTruncated).text == "We are"
    driver.audio(400, item_id)
    driver.more("too late")
    assert driver.last(AudioDelta).item_id == item_id
    assert driver.core.stats.late_parts == 2
    driver.turn("Stop.")
    [_, answer, _] = driver.body()["messages"]
    assert answer["content"] == [{"type": "text", "text": f"We are{INTERRUPTED}"}]


def test_words_that_no_audio_came_for_were_not_said() -> None:
    driver = Driver()
    driver.turn(QUESTION)
    driver.write("We are open. Come until six.")
    item_id = driver.utterance()
    driver.core.cancel_response()
    driver.core.truncate_item(item_id, 0)
    driver.drain()
    assert roles(driver) == [("user", QUESTION)]
    driver.turn("Are you there?")
    assert driver.last_words() == f"{QUESTION}\nAre you there?"


def test_an_item_is_cut_after_its_answer_too_and_only_shorter() -> None:
    driver = Driver()
    driver.core.create_response()
    driver.drain()
    item_id = driver.say_all("We are open until six.", ms=2200)
    driver.core.truncate_item(item_id, 5000)
    driver.core.truncate_item(item_id, 2200)
    assert roles(driver) == [("assistant", "We are open until six.")]
    driver.core.truncate_item(item_id, 1300)
    driver.core.truncate_item(item_id, 1900)
    driver.drain()
    assert roles(driver) == [("assistant", "We are open")]
    assert len(driver.seen(ItemTruncated)) == 1
    driver.core.truncate_item(item_id, 700)
    assert roles(driver) == [("assistant", "We are")]
    driver.core.truncate_item(item_id, 10)
    driver.drain()
    assert roles(driver) == []
    assert driver.seen(ItemDeleted)
    driver.core.truncate_item("unknown", 10)
    driver.core.delete_item("unknown")


def test_fenced_audio_is_dropped() -> None:
    driver = Driver()
    driver.core.create_response()
    driver.drain()
    driver.write("We are open. Until six.")
    driver.core.fence(driver.core.active_response_id)
    driver.audio(100)
    assert driver.seen(AudioDelta) == []
    assert driver.core.stats.fenced_deltas == 1


def test_a_tool_is_called_and_its_output_answered() -> None:
    driver = Driver()
    driver.turn("Where is my order?")
    driver.write("Let me look.")
    driver.call("t1", arguments='{"order": 7}')
    driver.end("tool_use")
    assert driver.seen(ToolCallRequested) == []
    driver.audio(500)
    driver.spoken()
    [call] = driver.seen(ToolCallRequested)
    assert (call.name, call.arguments) == ("look_up", '{"order": 7}')
    assert driver.last(ResponseFinished).tool_calls == (call,)
    driver.core.send_tool_output("t1", "on its way")
    driver.drain()
    [_, asked, told] = driver.body()["messages"]
    assert asked["content"][-1]["input"] == {"order": 7}
    assert told["content"][0]["content"] == "on its way"
    with pytest.raises(LocalProtocolError):
        driver.core.send_tool_output("t1", "again")
    driver.say_all("It is on its way.")


def test_a_call_without_words_is_reported_at_once() -> None:
    driver = Driver()
    driver.turn("Where is my order?")
    driver.write()
    driver.call("t1")
    driver.call("t2")
    driver.end("tool_use")
    assert len(driver.last(ResponseFinished).tool_calls) == 2
    driver.core.send_tool_output("t2", "b", respond=False)
    driver.drain()
    assert len(driver.all(say.Generate)) == 1
    driver.core.send_tool_output("t1", "a", respond=False)
    driver.drain()
    assert len(driver.all(say.Generate)) == 1


def test_tools_of_an_answer_that_was_cut_off_are_not_called() -> None:
    driver = Driver()
    driver.turn("Cancel it all.")
    driver.write("I will do that. Now.")
    driver.call("t1")
    driver.end("tool_use")
    driver.audio(300)
    driver.core.cancel_response()
    driver.drain()
    driver.spoken()
    assert driver.seen(ToolCallRequested) == []
    assert all(item.kind == "message" for item in driver.core.history)


def test_who_asks_while_a_tool_runs_is_answered_and_the_output_told_later() -> None:
    driver = Driver()
    driver.turn("Where is my order?")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    driver.turn("Hello?")
    assert driver.body()["messages"][-1]["content"][0]["content"] == STILL_RUNNING
    driver.core.send_tool_output("t1", "on its way")
    driver.drain()
    driver.say_all("I am still looking.")
    assert driver.last_words() == as_note("Result of the tool look_up: on its way")


def test_fillers_are_said_while_tools_run_and_the_answer_is_prepared_meanwhile() -> None:
    driver = Driver(fillers=["One moment, please.", "Still looking."])
    driver.turn("Where is my order?")
    driver.write("Let me look.")
    driver.call("t1")
    driver.end("tool_use")
    driver.audio(2000)
    driver.spoken()
    driver.wait(2.6)
    assert driver.text() == "Let me look."
    driver.wait(0.2)
    assert driver.text() == "One moment, please."
    filler_id = driver.utterance()
    driver.audio(800)
    driver.core.send_tool_output("t1", "on its way")
    driver.drain()
    driver.write("It is on its way. Goodbye.")
    assert driver.utterance() == filler_id
    driver.spoken(filler_id)
    assert driver.text().startswith("It is on its way.")
    driver.end()
    driver.audio(900)
    driver.spoken()
    assert [event.status for event in driver.seen(ResponseFinished)] == ["completed"] * 3
    assert driver.core.cascade_stats.fillers == 1
    driver.turn("Thanks.")
    assert driver.body()["messages"][1]["content"][:2] == [
        {"type": "text", "text": "Let me look."},
        {"type": "text", "text": "One moment, please."},
    ]


def test_a_fast_tool_needs_no_filler() -> None:
    driver = Driver(fillers=["One moment, please."])
    driver.turn("Where is my order?")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    driver.wait(0.5)
    driver.core.send_tool_output("t1", "on its way")
    driver.drain()
    driver.wait(3.0)
    assert driver.all(say.Speak) == []


def test_fillers_of_a_long_wait_change() -> None:
    driver = Driver(fillers=["A moment.", "Still looking."])
    driver.turn("Where is my order?")
    driver.write()
    driver.call("t1")
    driver.end("tool_use")
    said = []
    for _ in range(3):
        driver.wait(8.0)
        said.append(driver.text())
        driver.audio(500)
        driver.spoken()
    assert said == ["A moment.", "Still looking.", "A moment."]


def test_an_answer_beside_the_conversation_leaves_no_trace() -> None:
    driver = Driver()
    driver.core.create_response("Say it.", out_of_band=True)
    driver.drain()
    assert driver.last(ResponseStarted).out_of_band
    assert driver.core.active_response_id == ""
    assert driver.body()["tool_choice"] == {"type": "none"}
    driver.say_all("It.")
    assert driver.last(ResponseFinished).out_of_band
    assert driver.core.history == ()


def test_a_lost_connection_ends_what_is_heard_and_keeps_what_waits() -> None:
    driver = Driver()
    driver.turn(QUESTION)
    driver.write("We are open. Until six.")
    driver.audio(800)
    driver.core.create_response("Ask again.")
    driver.core.connection_lost(driver.now)
    driver.commands.clear()
    driver.drain()
    done = driver.last(ResponseFinished)
    assert (done.status, done.reason) == ("failed", "connection_lost")
    assert roles(driver) == [("user", QUESTION), ("assistant", "We are open.")]
    assert driver.commands == []
    driver.tell(say.SpeechAudio("x", b"\x10"))
    driver.core.connection_made(driver.now)
    driver.drain()
    assert driver.last_words() == as_note("Ask again.")


def test_a_session_goes_on_where_another_model_was() -> None:
    items = [
        HistoryItem("a", "message", "user", "Where is my order?"),
        HistoryItem("b", "function_call", call_id="t1", name="look_up", response_id="r"),
        HistoryItem("c", "message", "assistant", "We are open until", response_id="q"),
    ]
    items[2].heard_ms, items[2].generated_ms = 500.0, 1000.0
    driver = Driver(Brief("Be brief.", (TOOL,), carried_over(items)))
    driver.core.send_tool_output("t1", "on its way")
    driver.drain()
    assert driver.last_words() == as_note("Result of the tool look_up: on its way")
    driver.core.truncate_item("c", 300)
    driver.drain()


def test_items_of_another_session_are_taken_in() -> None:
    driver = Driver()
    driver.core.add_items(
        [
            HistoryItem("a", "message", "user", "Hi."),
            HistoryItem("b", "function_call", call_id="t1", name="look_up"),
            HistoryItem("c", "function_call", call_id="t2", name="look_up"),
            HistoryItem("d", "function_call_output", call_id="t2", text="done"),
        ]
    )
    driver.core.send_tool_output("t1", "found")
    driver.drain()
    assert [b["content"] for b in driver.body()["messages"][-1]["content"]] == ["found", "done"]


def test_facts_and_keys_reach_the_model() -> None:
    driver = Driver()
    driver.core.add_system_text("The transfer failed.")
    driver.core.add_user_text("The caller pressed 4.")
    driver.core.create_response()
    driver.drain()
    assert driver.last_words() == f"{as_note('The transfer failed.')}\nThe caller pressed 4."


def test_the_callers_turn_can_be_ended() -> None:
    driver = Driver()
    driver.speak(ms=600)
    driver.core.commit_input()
    driver.drain()
    assert driver.take(say.FinishTurn)


def test_commands_before_a_session_wait_for_it() -> None:
    driver = Driver(connect=False)
    driver.core.create_response("Greet.")
    driver.drain()
    assert driver.commands == []
    driver.core.connection_made(driver.now)
    driver.drain()
    assert driver.last_words() == as_note("Greet.")
    driver.core.answer_approval("x", True)


def test_failures_of_the_services() -> None:
    driver = Driver()
    driver.tell(say.TranscriberFailed(SpeechFailure("slow_down", "busy", fatal=False)))
    assert driver.last(ModelError) == ModelError("slow_down", "stt: busy", fatal=False)
    refused = SpeechFailure("invalid_api_key", "no", retryable=False)
    driver.tell(say.SynthesizerFailed(refused))
    assert driver.last(ModelError) == ModelError(
        "invalid_api_key", "tts: no", True, retryable=False
    )
    driver.turn(QUESTION)
    driver.write("We are open. Until six.")
    failure = SpeechFailure("too_long", "no", fatal=False)
    driver.tell(say.SynthesizerFailed(failure, driver.utterance()))
    assert driver.last(ResponseFinished).reason == "too_long"
    assert driver.core.active_response_id == ""


def test_reports_that_make_no_sense_are_counted() -> None:
    driver = Driver()
    for report in (None, "x", b"", object(), {"type": "message_stop"}):
        driver.tell(report)
    assert driver.core.stats.malformed == 5
    driver.tell(say.ModelDelta("nobody", {}))
    driver.tell(say.GenerationFailed("nobody", 500, "x"))
    driver.tell(say.SpeechAudio("nobody", b"x"))
    driver.tell(say.SpeechFinished("nobody"))
    assert driver.core.stats.late_parts == 3
    assert driver.events[1:] == []


def test_addresses() -> None:
    core = Driver().core
    assert core.url("https://a.example") == "https://a.example/v1/messages"
    assert core.url("https://a.example/v1/") == "https://a.example/v1/messages"
    with pytest.raises(ValueError, match="http"):
        core.url("wss://a.example")
    assert core.request_headers("k")["x-api-key"] == "k"
    assert "x-api-key" not in core.request_headers("")
