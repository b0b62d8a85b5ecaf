from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from telephony.audio.format import PCMU
from telephony.base.speech import SpeechMark
from telephony.realtime.speech.elevenlabs_speak import (
    MAX_CONTEXTS,
    ElevenLabsSpeak,
    ElevenLabsSpeakConfig,
    offered_format,
)
from telephony.realtime.speech.wires import (
    AudioSpoken,
    SpeakingFailed,
    SpeechAligned,
    UtteranceFinished,
)


def wire(**values: Any) -> ElevenLabsSpeak:
    return ElevenLabsSpeak(ElevenLabsSpeakConfig.model_validate({"voice": "v/1", **values}), PCMU)


def sent(voice: ElevenLabsSpeak) -> list[Any]:
    return [json.loads(message) for message in voice.messages_to_send()]


def audio(context: str, count: int, text: str = "", start_ms: int = 0, step: int = 10) -> bytes:
    message: dict[str, Any] = {
        "audio": base64.b64encode(bytes(count)).decode(),
        "contextId": context,
        "isFinal": None,
    }
    if text:
        message["alignment"] = {
            "chars": list(text),
            "charStartTimesMs": [start_ms + step * n for n in range(len(text))],
            "charDurationsMs": [step] * len(text),
        }
    return json.dumps(message).encode()


def final(context: str) -> bytes:
    return json.dumps({"isFinal": True, "contextId": context}).encode()


def test_the_url() -> None:
    url = wire(language="en").url()
    assert urlsplit(url).path == "/v1/text-to-speech/v%2F1/multi-stream-input"
    query = parse_qs(urlsplit(url).query)
    assert query["output_format"] == ["ulaw_8000"]
    assert query["model_id"] == ["eleven_flash_v2_5"]
    assert query["inactivity_timeout"] == ["180"]


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        (("pcmu", 8000), ("pcmu", 8000)),
        (("pcma", 8000), ("pcmu", 8000)),
        (("l16", 16000), ("l16", 16000)),
        (("l16", 12345), ("l16", 24000)),
    ],
)
def test_formats(line: Any, asked: Any) -> None:
    assert offered_format(line) == asked


def test_the_messages_of_an_utterance() -> None:
    voice = wire(voice_settings={"stability": 0.4})
    voice.speak("u", "Hello. ", True, 0.0)
    voice.speak("u", "Bye.", False, 0.0)
    assert sent(voice) == [
        {"text": " ", "context_id": "u", "voice_settings": {"stability": 0.4}},
        {"text": "Hello. ", "context_id": "u", "flush": True},
        {"text": "Bye. ", "context_id": "u", "flush": True},
        {"context_id": "u", "close_context": True},
    ]


def test_marks_follow_the_words() -> None:
    voice = wire()
    voice.speak("u", "Good day. ", True, 0.0)
    voice.speak("u", "Bye.", False, 0.0)
    voice.receive_message(audio("u", 800, "Good day. "), 0.1)
    voice.receive_message(audio("u", 400, "Bye. "), 0.2)
    voice.receive_message(final("u"), 0.3)
    assert voice.events_received() == [
        AudioSpoken("u", bytes(800)),
        SpeechAligned("u", (SpeechMark(4, 40.0), SpeechMark(9, 90.0))),
        AudioSpoken("u", bytes(400)),
        SpeechAligned("u", (SpeechMark(14, 140.0),)),
        SpeechAligned("u", (SpeechMark(14, 150.0),)),
        UtteranceFinished("u"),
    ]
    assert voice.idle


def test_a_cancelled_context_is_closed_and_silent() -> None:
    voice = wire()
    voice.speak("a", "Hello. ", True, 0.0)
    sent(voice)
    voice.receive_message(audio("a", 80), 0.1)
    voice.cancel("a", 0.2)
    assert sent(voice) == [{"context_id": "a", "close_context": True}]
    voice.receive_message(audio("a", 80), 0.3)
    voice.receive_message(final("a"), 0.4)
    assert voice.events_received() == []
    assert voice.stats.audio_dropped_bytes == 80
    assert voice.idle


def test_no_more_contexts_than_the_service_takes() -> None:
    voice = wire(stall_timeout_s=1.0)
    for number in range(MAX_CONTEXTS):
        voice.speak(f"u{number}", "Hello. ", True, 0.0)
        voice.cancel(f"u{number}", 0.0)
    sent(voice)
    voice.speak("next", "Hello.", False, 0.0)
    assert sent(voice) == []
    voice.receive_message(final("u0"), 0.5)
    assert sent(voice)[0] == {"text": " ", "context_id": "next"}
    # The others never end: nobody waits for them for ever.
    assert voice.next_timer() == 1.0
    voice.handle_timer(1.0)
    assert list(voice._contexts) == ["next"]


def test_what_cannot_be_heard_is_not_sent() -> None:
    voice = wire()
    voice.speak("u", " - ", False, 0.0)
    assert sent(voice) == []
    assert voice.events_received() == [
        SpeechAligned("u", (SpeechMark(3, 0.0),)),
        UtteranceFinished("u"),
    ]


def test_a_context_that_takes_text_may_be_silent_and_one_that_does_not_may_not() -> None:
    voice = wire(stall_timeout_s=1.0)
    voice.speak("u", "Hello. ", True, 0.0)
    voice.receive_message(audio("u", 80), 0.5)
    assert voice.next_timer() is None
    voice.speak("u", "", False, 5.0)
    assert voice.next_timer() == 6.0
    voice.handle_timer(6.0)
    assert [type(e) for e in voice.events_received()] == [AudioSpoken, SpeakingFailed]


@pytest.mark.parametrize(("error", "retryable"), [("quota_exceeded", False), ("system_busy", True)])
def test_errors(error: str, retryable: bool) -> None:
    voice = wire()
    message = {"error": error, "message": "no", "code": 1008}
    voice.receive_message(json.dumps(message).encode(), 0.0)
    (event,) = voice.events_received()
    assert isinstance(event, SpeakingFailed)
    assert (event.failure.message, event.failure.retryable) == ("no", retryable)


def test_garbage_is_counted() -> None:
    voice = wire()
    voice.speak("u", "Hello. ", True, 0.0)
    broken: list[Any] = [
        {"contextId": "u", "audio": "###"},
        {"contextId": "u", "audio": "AAAA", "alignment": {"chars": 7, "charStartTimesMs": {}}},
        {"contextId": "u", "audio": "AAAA", "alignment": {"chars": [1], "charStartTimesMs": [1]}},
        {"contextId": "other", "audio": "AAAA"},
        {},
    ]
    for message in broken:
        voice.receive_message(json.dumps(message).encode(), 0.0)
    voice.receive_message(b"\0", 0.0)
    voice.receive_binary(b"\0", 0.0)
    assert [type(e) for e in voice.events_received()] == [AudioSpoken, AudioSpoken]
    assert (voice.stats.messages_malformed, voice.stats.messages_unknown) == (2, 3)
