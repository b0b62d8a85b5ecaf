from __future__ import annotations

import json
from typing import Any

from telephony.audio.format import L16_24K, PCMU
from telephony.base.speech import SpeechFailure, Transcript
from telephony.realtime.speech.openai_transcription import (
    OpenAITranscription,
    OpenAITranscriptionConfig,
    accepted_format,
)
from telephony.realtime.speech.wires import TranscriberReady, TurnFlushed

KIND = "conversation.item.input_audio_transcription"


def wire(audio_format: Any = PCMU, **values: Any) -> OpenAITranscription:
    return OpenAITranscription(OpenAITranscriptionConfig.model_validate(values), audio_format)


def ready(**values: Any) -> OpenAITranscription:
    session = wire(**values)
    session.connection_made(0.0)
    session.messages_to_send()
    tell(session, "session.updated", session={})
    assert session.events_received() == [TranscriberReady()]
    return session


def tell(transcription: OpenAITranscription, kind: str, **fields: Any) -> None:
    transcription.receive_message(json.dumps({"type": kind, **fields}).encode(), 0.0)


def commit(session: OpenAITranscription, now: float = 0.0) -> None:
    session.audio_message(b"\xff")
    session.finish_turn(now)


def test_the_session_that_is_asked_for() -> None:
    session = wire(language="en", keywords=["Meyer"], noise_reduction="near_field")
    assert session.url() == "wss://api.openai.com/v1/realtime?intent=transcription"
    session.connection_made(0.0)
    (update,) = map(json.loads, session.messages_to_send())
    assert update == {
        "type": "session.update",
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {
                        "model": "gpt-live-transcribe",
                        "language": "en",
                        "keywords": ["Meyer"],
                    },
                    "turn_detection": None,
                    "noise_reduction": {"type": "near_field"},
                }
            },
        },
    }
    pcm = wire(L16_24K)
    pcm.connection_made(0.0)
    form = json.loads(pcm.messages_to_send()[0])["session"]["audio"]["input"]["format"]
    assert form == {"type": "audio/pcm", "rate": 24000}


def test_formats() -> None:
    assert accepted_format(("pcma", 8000)) == ("pcma", 8000)
    assert accepted_format(("l16", 16000)) == ("l16", 24000)


def test_texts_come_in_the_order_of_the_commits() -> None:
    session = ready()
    commit(session)
    commit(session)
    tell(session, "input_audio_buffer.committed", item_id="a")
    tell(session, "input_audio_buffer.committed", item_id="b")
    tell(session, f"{KIND}.completed", item_id="b", transcript="Two.")
    assert session.events_received() == []
    tell(session, f"{KIND}.delta", item_id="a", delta="On")
    tell(session, f"{KIND}.completed", item_id="a", transcript="One.")
    assert session.events_received() == [
        Transcript("On", is_final=False),
        Transcript("One.", is_final=True),
        TurnFlushed(),
        Transcript("Two.", is_final=True),
        TurnFlushed(),
    ]


def test_words_that_come_before_the_commit_are_guesses() -> None:
    session = ready()
    session.audio_message(b"\xff")
    tell(session, f"{KIND}.delta", item_id="a", delta="Good ")
    tell(session, f"{KIND}.delta", item_id="a", delta="day")
    session.finish_turn(0.0)
    tell(session, "input_audio_buffer.committed", item_id="a")
    tell(session, f"{KIND}.delta", item_id="a", delta="!")
    assert session.events_received() == [
        Transcript("Good ", is_final=False),
        Transcript("Good day", is_final=False),
        Transcript("Good day!", is_final=False),
    ]


def test_nothing_appended_nothing_committed() -> None:
    session = ready()
    session.finish_turn(0.0)
    assert session.messages_to_send() == []
    assert session.events_received() == [Transcript("", is_final=True), TurnFlushed()]


def test_a_commit_that_was_too_short() -> None:
    session = ready()
    commit(session)
    error = {"code": "input_audio_buffer_commit_empty", "message": "too small"}
    tell(session, "error", error=error)
    assert session.events_received() == [Transcript("", is_final=True), TurnFlushed()]


def test_a_text_that_never_comes_is_not_waited_for() -> None:
    session = ready(flush_timeout_s=2.0)
    commit(session, 1.0)
    tell(session, "input_audio_buffer.committed", item_id="a")
    tell(session, f"{KIND}.delta", item_id="a", delta="Hal")
    session.events_received()
    assert session.next_timer() == 3.0
    session.handle_timer(3.0)
    assert session.events_received() == [Transcript("Hal", is_final=True), TurnFlushed()]
    tell(session, f"{KIND}.completed", item_id="a", transcript="Hallo")
    assert session.events_received() == []


def test_a_turn_that_failed() -> None:
    session = ready()
    commit(session)
    tell(session, "input_audio_buffer.committed", item_id="a")
    tell(session, f"{KIND}.failed", item_id="a", error={"code": "x", "message": "no"})
    assert session.events_received() == [
        SpeechFailure("x", "no", False, True),
        Transcript("", is_final=True),
        TurnFlushed(),
    ]


def test_errors_before_and_after_it_is_ready() -> None:
    early = wire()
    early.connection_made(0.0)
    tell(early, "error", error={"code": "invalid_value", "message": "no"})
    assert early.events_received() == [SpeechFailure("invalid_value", "no", True, True)]
    session = ready()
    tell(session, "error", error={"code": "invalid_value", "message": "no"})
    tell(session, "error", error={"code": "insufficient_quota", "message": "no"})
    tell(session, "error", error={"code": "session_expired", "message": "no"})
    assert session.events_received() == [
        SpeechFailure("invalid_value", "no", False, True),
        SpeechFailure("insufficient_quota", "no", True, False),
        SpeechFailure("session_expired", "no", True, True),
    ]


def test_garbage_is_counted() -> None:
    session = ready()
    session.receive_message(b"x", 0.0)
    tell(session, "new.event")
    tell(session, "input_audio_buffer.committed", item_id="nobody's")
    tell(session, f"{KIND}.completed", item_id="nobody's", transcript="x")
    assert session.events_received() == []
    assert (session.stats.messages_malformed, session.stats.messages_unknown) == (1, 3)
