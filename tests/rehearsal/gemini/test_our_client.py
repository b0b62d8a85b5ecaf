"""Our dialect of Gemini Live talks to the rehearsal session."""

from __future__ import annotations

import pytest

from telephony.realtime.events import (
    AudioDelta,
    AudioFinished,
    ModelError,
    ModelInterrupted,
    ResponseFinished,
    ResponseStarted,
    SessionExpiring,
    SessionReady,
    SpeechStarted,
    SpeechStopped,
    ToolCallRequested,
    ToolCallsCancelled,
    TranscriptFinished,
    UsageReported,
)
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.rehearsal.gemini.model_session import Place
from tests.rehearsal.gemini.driver import PROMPTS, Pair

TALK = """\
  - {when: greeting, say: greeting}
  - {when: {heard: opening hours}, say: opening_hours}
  - {when: any, say: you_said}
"""
CALLS = """\
  - {when: greeting, say: you_said, call: {name: book, arguments: {seats: 4}}}
  - {when: {tool: book}, say: tool_done}
  - {when: any, say: short_answer}
"""
MANUAL = GeminiConfig(turn_detection=None)
BLOCKING = GeminiConfig(functions="blocking")


@pytest.mark.parametrize("config", [GeminiConfig(), MANUAL])
def test_a_greeting_and_a_question(config: GeminiConfig) -> None:
    pair = Pair(TALK, config)
    assert len(pair.of(SessionReady)) == 1
    pair.ask("Greet.")
    pair.run(6.0)
    marks = config.turn_detection is None
    if marks:
        pair.hear(bytes(3200))
        pair.client.begin_input()
    pair.say("caller_question")
    if marks:
        pair.client.commit_input()
        pair.client.create_response()
    pair.run(12.0)
    finished = [(event.role, event.text) for event in pair.of(TranscriptFinished)]
    assert finished == [
        ("assistant", PROMPTS["greeting"].text),
        ("user", PROMPTS["caller_question"].text),
        ("assistant", PROMPTS["opening_hours"].text),
    ]
    responses = pair.of(ResponseFinished)
    assert [event.status for event in responses] == ["completed", "completed"]
    assert all(event.usage.output_audio_tokens > 0 for event in responses)
    audio = sum(len(delta.audio) for delta in pair.of(AudioDelta))
    spoken = len(PROMPTS["greeting"].pcm16) + len(PROMPTS["opening_hours"].pcm16)
    assert audio == spoken
    assert len(pair.of(AudioFinished)) == 2
    assert [item.text for item in pair.client.history] == [text for _, text in finished]
    assert pair.server.ending is None
    assert pair.client.stats.unknown == 0


def test_a_barge_in() -> None:
    pair = Pair(TALK.replace("say: greeting}", "say: opening_hours}"))
    pair.ask("Greet.")
    pair.run(1.0)
    (response,) = pair.of(ResponseStarted)
    pair.say("caller_yes")
    pair.run(3.0)
    assert pair.of(ModelInterrupted) == [ModelInterrupted(response.response_id)]
    first, second = pair.of(ResponseFinished)
    assert (first.status, first.reason) == ("cancelled", "turn_detected")
    assert second.status == "completed"
    greeting = pair.server.conversation[1]
    assert greeting.cut
    # What the caller heard by the server's clock: until about when they began to speak.
    assert 900 < greeting.audio_ms < 3000


def test_a_local_cancel_is_cut_off_by_the_next_request() -> None:
    pair = Pair(TALK.replace("say: greeting}", "say: opening_hours}"))
    pair.ask("Greet.")
    pair.run(1.0)
    (response,) = pair.of(ResponseStarted)
    pair.client.cancel_response(response.response_id)
    pair.ask("The caller pressed 1 on the keypad.")
    pair.run(4.0)
    first, second = pair.of(ResponseFinished)
    assert (first.status, first.reason) == ("cancelled", "client_cancelled")
    assert second.status == "completed"
    assert pair.server.stats.interruptions == 1
    assert pair.said()[-1] == ("model", PROMPTS["you_said"].text)


@pytest.mark.parametrize("config", [BLOCKING, GeminiConfig()])
def test_a_tool(config: GeminiConfig) -> None:
    pair = Pair(CALLS, config)
    pair.ask("Greet.")
    pair.run(3.0)
    (call,) = pair.of(ToolCallRequested)
    assert (call.name, call.arguments) == ("book", '{"seats":4}')
    (finished,) = [event for event in pair.of(ResponseFinished) if event.tool_calls]
    assert finished.tool_calls == (call,)
    pair.client.send_tool_output(call.call_id, "done")
    pair.exchange()
    pair.run(4.0)
    assert pair.said()[-1] == ("model", PROMPTS["tool_done"].text)
    assert pair.of(ResponseFinished)[-1].status == "completed"
    assert len(pair.of((UsageReported,))) == (0 if config.blocks else 1)


def test_an_output_that_needs_no_answer() -> None:
    pair = Pair(CALLS)
    pair.ask("Greet.")
    pair.run(3.0)
    (call,) = pair.of(ToolCallRequested)
    pair.client.send_tool_output(call.call_id, "done", respond=False)
    pair.exchange()
    pair.run(4.0)
    assert pair.said()[-1] == ("model", PROMPTS["you_said"].text)


def test_a_call_cancelled_by_a_barge_in() -> None:
    pair = Pair(CALLS, BLOCKING)
    pair.ask("Greet.")
    pair.run(1.0)
    (call,) = pair.of(ToolCallRequested)
    pair.say("caller_yes")
    pair.run(3.0)
    assert pair.of(ToolCallsCancelled) == [ToolCallsCancelled((call.call_id,))]
    pair.client.send_tool_output(call.call_id, "done")
    pair.exchange()
    assert pair.server.stats.late_outputs == 0
    assert pair.server.ending is None


def test_a_session_goes_on_over_a_new_connection() -> None:
    pair = Pair(TALK)
    pair.ask("Greet.")
    pair.run(6.0)
    pair.client.add_system_text("The caller is Ann.")
    pair.reconnect()
    assert pair.server.resumed
    pair.ask("Who am I?")
    pair.run(2.0)
    assert [text for _, text in pair.said()] == [
        PROMPTS["greeting"].text,
        "Note: The caller is Ann.",
        "Who am I?",
        PROMPTS["you_said"].text,
    ]


def test_a_session_that_cannot_be_resumed_is_told_everything() -> None:
    pair = Pair(TALK, GeminiConfig(session_resumption=False))
    pair.ask("Greet.")
    pair.run(6.0)
    pair.reconnect()
    assert not pair.server.resumed
    pair.ask("Who am I?")
    pair.run(2.0)
    assert [text for _, text in pair.said()] == [
        PROMPTS["greeting"].text,
        "Who am I?",
        PROMPTS["you_said"].text,
    ]


def test_a_connection_lost_in_an_answer() -> None:
    pair = Pair(TALK.replace("say: greeting}", "say: opening_hours}"))
    pair.ask("Greet.")
    pair.run(1.0)
    pair.reconnect()
    (finished,) = pair.of(ResponseFinished)
    assert finished.reason == "connection_lost"
    assert pair.server.resumed
    pair.ask()
    pair.run(4.0)
    # The server's session is that from before the greeting.
    roles = [role for role, _ in pair.said()]
    assert roles == ["model", "user", "model"]


def test_the_end_of_a_connection_is_announced() -> None:
    pair = Pair(TALK, max_session_s=40.0)
    pair.run(31.0)
    (expiring,) = pair.of(SessionExpiring)
    assert expiring.left_s == 10.0
    pair.run(10.0)
    assert pair.server.ending is not None
    assert pair.server.ending.close_code == 1000


def test_a_refused_setup() -> None:
    pair = Pair(TALK, GeminiConfig(proactive_audio=False))
    assert pair.server.ending is not None
    assert pair.server.ending.close_code == 1007
    assert not pair.client.ready


def test_voice_activity_on_vertex() -> None:
    config = VertexConfig(project="p", explicit_vad_signal=True)
    pair = Pair(TALK, config, place=Place("v1beta1", vertex=True))
    pair.say("caller_question")
    pair.run(1.0)
    (started,) = pair.of(SpeechStarted)
    (stopped,) = pair.of(SpeechStopped)
    assert started.audio_start_ms < stopped.audio_end_ms


FAULTY = """\
  - when: greeting
    say: opening_hours
    faults: {garbage_frames: 3, late_deltas: 5}
  - {when: any, say: you_said}
"""


def test_faults_of_a_turn() -> None:
    pair = Pair(FAULTY)
    pair.ask("Greet.")
    pair.run(0.1)
    assert pair.garbage == 3
    assert pair.client.stats.malformed == 3
    deltas = len(pair.of(AudioDelta))
    pair.ask("Stop.")
    pair.client.cancel_response()
    pair.ask("Stop now.")
    pair.run(3.0)
    assert pair.client.stats.late_parts >= 5
    assert len(pair.of(AudioDelta)) > deltas
    assert pair.of(ResponseFinished)[-1].status == "completed"


def test_everything_twice() -> None:
    pair = Pair("  - {when: greeting, say: you_said, faults: {duplicate_events: true}}\n")
    pair.ask("Hello?")
    pair.run(4.0)
    assert pair.of(ModelError) == []
    assert pair.client.active_response_id == ""


def test_a_failed_answer_ends_the_connection() -> None:
    pair = Pair("  - {when: greeting, say: you_said, faults: {error: {code: INTERNAL}}}\n")
    pair.ask("Hello?")
    assert pair.server.ending is not None
    assert pair.server.ending.close_code == 1011
