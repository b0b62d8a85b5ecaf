"""Our client against our server, without a socket. What both believe must agree."""

from __future__ import annotations

import json

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU
from telephony.realtime.events import (
    AudioDelta,
    ModelError,
    OutputFormatChanged,
    ResponseFinished,
    SessionReady,
    SpeechStarted,
    ToolCallRequested,
    TranscriptFinished,
    UsageReported,
)
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.rehearsal.driver import scenario
from tests.rehearsal.pair import Pair

PROMPTS = shipped_prompts()
HANGUP = {"type": "function", "name": "hangup", "description": "", "parameters": {}}


@pytest.mark.parametrize("audio", [PCMU, PCMA, L16_24K])
def test_a_call_from_greeting_to_hangup(audio):
    pair = Pair(audio, tools=[HANGUP])
    (ready,) = pair.of(SessionReady)
    assert (ready.input_format, ready.output_format) == (audio, audio)
    pair.client.create_response()
    pair.run(2.0)
    pair.say("caller_question")
    pair.run(3.0)
    pair.say("caller_goodbye")
    pair.run(2.0)
    said = [(event.role, event.text) for event in pair.of(TranscriptFinished)]
    assert said[0] == ("assistant", PROMPTS["greeting"].text)
    assert ("user", PROMPTS["caller_question"].text) in said
    assert ("user", PROMPTS["caller_goodbye"].text) in said
    assert said[-1] == ("assistant", PROMPTS["goodbye"].text)
    (call,) = pair.of(ToolCallRequested)
    assert (call.name, json.loads(call.arguments)["reason"]) == (
        "hangup",
        "the caller said goodbye",
    )
    assert not pair.of(ModelError)
    assert not pair.of(OutputFormatChanged)


def test_every_option_of_our_configuration_is_accepted():
    pair = Pair(
        instructions="Be kind.",
        voice="cedar",
        speed=1.1,
        turn_detection={"type": "semantic_vad", "eagerness": "high"},
        transcription={"model": "gpt-transcribe", "language": "en"},
        noise_reduction={"type": "far_field"},
        tools=[HANGUP],
        tool_choice="required",
        parallel_tool_calls=False,
        max_output_tokens=1000,
        reasoning={"effort": "low"},
        truncation={"type": "retention_ratio", "retention_ratio": 0.8},
        tracing="auto",
        include=["item.input_audio_transcription.logprobs"],
    )
    assert pair.of(SessionReady)
    assert not pair.of(ModelError)
    assert pair.server.settings.wire["audio"]["output"]["voice"] == "cedar"


def test_after_a_barge_in_both_remember_what_was_heard():
    pair = Pair()
    pair.say("caller_question")
    pair.run(1.0)
    item_id = pair.of(AudioDelta)[0].item_id
    pair.say("caller_interrupt")
    assert pair.of(SpeechStarted)
    pair.client.truncate_item(item_id, 1300)
    pair.run(2.0)
    item = pair.server.conversation.find(item_id)
    assert item is not None
    assert item.audio_ms == 1300
    assert PROMPTS["opening_hours"].text.startswith(item.text)
    assert pair.of(TranscriptFinished)[-1].text == PROMPTS["agent"].text
    assert not pair.of(ModelError)


def test_a_cancel_that_comes_too_late_is_nothing():
    pair = Pair()
    pair.client.create_response()
    pair.run(0.3)
    pair.client.cancel_response()
    pair.client.cancel_response()
    pair.run(1.0)
    assert [event.status for event in pair.of(ResponseFinished)] == ["cancelled"]
    assert not pair.of(ModelError)


def test_the_conversation_goes_on_after_a_lost_connection():
    pair = Pair()
    pair.client.create_response()
    pair.run(2.0)
    pair.say("caller_question")
    pair.run(5.0)
    before = [(item.role, item.text) for item in pair.server.conversation]
    pair.client.connection_lost(pair.now)
    pair.connect()
    pair.run(0.5)
    after = [(item.role, item.text) for item in pair.server.conversation]
    assert after == before
    pair.say("caller_interrupt")
    pair.run(2.0)
    assert pair.of(TranscriptFinished)[-1].text == PROMPTS["agent"].text
    assert not pair.of(ModelError)


@pytest.mark.parametrize(
    "fault",
    [
        "{garbage_frames: 3}",
        "{duplicate_events: true}",
        "{late_deltas: 4}",
        "{first_delta_ms: 900}",
    ],
)
def test_faults_that_a_client_survives(fault):
    pair = Pair(played=scenario(f"  - {{when: greeting, say: greeting, faults: {fault}}}"))
    pair.client.create_response()
    pair.run(3.0)
    assert [event.status for event in pair.of(ResponseFinished)] == ["completed"]


def test_the_wrong_output_format_is_noticed():
    pair = Pair(faults=ConnectionFaults(output_format="audio/pcm"))
    pair.client.create_response()
    pair.run(3.0)
    (changed,) = pair.of(OutputFormatChanged)
    assert changed.format == L16_24K


def test_an_error_at_the_start_is_fatal():
    error = {"code": "invalid_api_key", "close": True}
    pair = Pair(faults=ConnectionFaults.model_validate({"error": error}))
    assert [(event.code, event.fatal) for event in pair.of(ModelError)] == [
        ("invalid_api_key", True)
    ]


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("gpt-live-transcribe", {"billed_s"}),
        ("gpt-4o-transcribe", {"input_tokens", "output_tokens"}),
    ],
)
def test_what_it_cost_to_write_down_the_caller_is_reported(model, usage):
    logprobs = "item.input_audio_transcription.logprobs"
    pair = Pair(transcription={"model": model}, include=[logprobs])
    pair.say("caller_question")
    pair.run(3.0)
    (reported,) = pair.of(UsageReported)
    assert reported.model == model
    assert all(getattr(reported.usage, field) > 0 for field in usage)
    assert not pair.of(ModelError)


@pytest.mark.parametrize(("parallel", "calls"), [(True, 2), (False, 1)])
def test_tools_are_called_side_by_side_or_not(parallel, calls):
    turns = "  - {when: greeting, call: [{name: hangup}, {name: look}]}"
    look = {"type": "function", "name": "look", "description": "", "parameters": {}}
    pair = Pair(played=scenario(turns), tools=[HANGUP, look], parallel_tool_calls=parallel)
    pair.client.create_response()
    pair.run(1.0)
    asked = pair.of(ToolCallRequested)
    assert len(asked) == calls
    for call in asked:
        pair.client.send_tool_output(call.call_id, "done")
    pair.run(0.1)
    # One response after the last output.
    assert len(pair.sent_of("response.create")) == 2
