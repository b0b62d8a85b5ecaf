"""Our client against our server, without a socket. What both believe must agree."""

from __future__ import annotations

import json

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.events import (
    AudioDelta,
    ModelError,
    OutputFormatChanged,
    ResponseFinished,
    SessionReady,
    SpeechStarted,
    ToolCallRequested,
    TranscriptFinished,
)
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.model_session import ModelSession, measured
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from tests.rehearsal.driver import EARS, VOICE, phrase, scenario

PROMPTS = shipped_prompts()
HANGUP = {"type": "function", "name": "hangup", "description": "", "parameters": {}}


class Pair:
    """A client and a server that exchange their messages at once."""

    def __init__(
        self,
        audio: AudioFormat = PCMU,
        played: Scenario | None = None,
        faults: ConnectionFaults | None = None,
        **config,
    ) -> None:
        self.now = 50.0
        self.audio = audio
        self.scenario = played or shipped_scenario("default")
        self.client = OpenAIRealtime(
            SessionConfig.from_mapping(config), Ids.seeded(1), audio, audio
        )
        self.events: list = []
        self.connections = 0
        self.connect(faults)

    def connect(self, faults: ConnectionFaults | None = None) -> None:
        self.connections += 1
        ids = Ids.seeded(100 + self.connections)
        self.server = ModelSession(
            self.scenario, VOICE, ids, "gpt-realtime-2.1", 1, self.now, faults
        )
        self.client.connection_made(self.now)
        self.exchange()

    def exchange(self) -> None:
        busy = True
        while busy:
            busy = False
            for message in self.client.messages_to_send():
                self.server.receive_message(message, self.now)
                busy = True
            for work in self.server.recognitions_to_do():
                text = EARS.recognise(work.pcm16).text or measured(work.speech_ms)
                self.server.transcript_ready(work.item_id, text, self.now)
            for message in self.server.messages_to_send():
                self.client.receive_message(message, self.now)
                busy = True
            self.events += self.client.events_received()

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.01
            for side in (self.client, self.server):
                due = side.next_timer()
                if due is not None and due <= self.now:
                    side.handle_timer(self.now)
            self.exchange()

    def say(self, name: str) -> None:
        data = phrase(name, self.audio)
        size = self.audio.frame_bytes(60)
        for at in range(0, len(data), size):
            self.server.receive_message(self.client.append_message(data[at : at + size]), self.now)
            self.exchange()
            self.run(0.06)

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


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
