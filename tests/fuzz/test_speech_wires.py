"""Whatever a speech service says, nothing raises; what is told keeps the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.format import L16_16K, PCMU
from telephony.realtime.speech.chat_audio import answer_text
from telephony.realtime.speech.deepgram_listen import DeepgramListen, DeepgramListenConfig
from telephony.realtime.speech.deepgram_speak import DeepgramSpeak, DeepgramSpeakConfig
from telephony.realtime.speech.elevenlabs_listen import ElevenLabsListen, ElevenLabsListenConfig
from telephony.realtime.speech.elevenlabs_speak import ElevenLabsSpeak, ElevenLabsSpeakConfig
from telephony.realtime.speech.event_stream import EventStream
from telephony.realtime.speech.openai_audio import TranscriptionReader, failure_of
from telephony.realtime.speech.openai_transcription import (
    OpenAITranscription,
    OpenAITranscriptionConfig,
)
from telephony.realtime.speech.wires import AudioSpoken

TRANSCRIBERS: list[Callable[[], Any]] = [
    lambda: DeepgramListen(DeepgramListenConfig.model_validate({}), PCMU),
    lambda: ElevenLabsListen(ElevenLabsListenConfig.model_validate({}), PCMU),
    lambda: OpenAITranscription(OpenAITranscriptionConfig.model_validate({}), PCMU),
]
SYNTHESIZERS: list[Callable[[], Any]] = [
    lambda: DeepgramSpeak(DeepgramSpeakConfig.model_validate({}), L16_16K),
    lambda: ElevenLabsSpeak(ElevenLabsSpeakConfig.model_validate({"voice": "v"}), L16_16K),
]
KEYS = st.sampled_from(
    [
        "type",
        "message_type",
        "event",
        "transcript",
        "words",
        "word",
        "start",
        "end",
        "audio_window_end",
        "code",
        "description",
        "text",
        "error",
        "item_id",
        "delta",
        "audio",
        "contextId",
        "context_id",
        "isFinal",
        "alignment",
        "chars",
        "charStartTimesMs",
        "charDurationsMs",
        "message",
    ]
)
WORDS = st.sampled_from(
    [
        "TurnInfo",
        "EndOfTurn",
        "Update",
        "Error",
        "Connected",
        "SpeechMetadata",
        "SpeechInterrupted",
        "SpeechStarted",
        "u",
        "a",
        "session.updated",
        "input_audio_buffer.committed",
        "committed_transcript",
        "partial_transcript",
        "conversation.item.input_audio_transcription.completed",
        "session_started",
        "AAAA",
        "AAE=",
        "�",
        "conversation.item.input_audio_transcription.delta",
        "error",
        "rate_limited",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
MESSAGES = st.dictionaries(KEYS, VALUES, max_size=6).map(lambda m: json.dumps(m).encode())
ANY = st.binary(max_size=40) | MESSAGES


@pytest.mark.parametrize("make", TRANSCRIBERS)
@settings(max_examples=120, deadline=None)
@given(st.lists(ANY | st.sampled_from(["finish", "audio", "timer"]), max_size=12))
def test_transcribers(make: Callable[[], Any], steps: list[bytes | str]) -> None:
    wire = make()
    wire.connection_made(0.0)
    asked = flushed = 0
    for now, step in enumerate(steps):
        if step == "finish":
            wire.finish_turn(float(now))
            asked += 1
        elif step == "audio":
            wire.audio_message(b"\xff" * 160)
        elif step == "timer":
            due = wire.next_timer()
            wire.handle_timer(float(now) if due is None else due)
        else:
            wire.receive_message(step, float(now))
        flushed += sum(type(e).__name__ == "TurnFlushed" for e in wire.events_received())
        wire.messages_to_send()
        assert flushed <= asked
    while (due := wire.next_timer()) is not None:
        wire.handle_timer(due)
    flushed += sum(type(e).__name__ == "TurnFlushed" for e in wire.events_received())
    assert flushed == asked


@pytest.mark.parametrize("make", SYNTHESIZERS)
@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        ANY | st.sampled_from(["speak", "end", "cancel", "timer"]) | st.integers(0, 9), max_size=14
    )
)
def test_synthesizers(make: Callable[[], Any], steps: list[bytes | str | int]) -> None:
    wire = make()
    wire.connection_made(0.0)
    utterance = 0
    cancelled: set[str] = set()
    for now, step in enumerate(steps):
        name = "u" if utterance == 0 else f"u{utterance}"
        if step == "speak":
            wire.speak(name, "Hello. ", True, float(now))
        elif step == "end":
            wire.speak(name, "Bye.", False, float(now))
            utterance += 1
        elif step == "cancel":
            wire.cancel(name, float(now))
            cancelled.add(name)
            utterance += 1
        elif step == "timer":
            if (due := wire.next_timer()) is not None:
                wire.handle_timer(due)
        elif isinstance(step, int):
            wire.receive_binary(bytes(step), float(now))
        elif isinstance(step, bytes):
            wire.receive_message(step, float(now))
        for event in wire.events_received():
            if isinstance(event, AudioSpoken):
                assert event.utterance_id not in cancelled
                assert len(event.audio) % 2 == 0
        wire.messages_to_send()


@settings(max_examples=120, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_streams_and_answers(chunks: list[bytes]) -> None:
    stream, whole = EventStream(), EventStream()
    events = [event for chunk in chunks for event in stream.receive(chunk)]
    events += stream.finish()
    assert events == whole.receive(b"".join(chunks)) + whole.finish()
    for streamed in (True, False):
        reader = TranscriptionReader(streamed=streamed)
        for chunk in chunks:
            reader.receive(chunk)
        reader.finish()
    answer_text(b"".join(chunks))
    failure_of(500, b"".join(chunks))
