from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from telephony.audio.format import L16_24K, PCMU
from telephony.base.speech import SpeechMark
from telephony.realtime.speech.deepgram_speak import DeepgramSpeak, DeepgramSpeakConfig
from telephony.realtime.speech.wires import (
    AudioSpoken,
    SpeakingFailed,
    SpeechAligned,
    UtteranceFinished,
)

METADATA = b'{"type":"SpeechMetadata","speech_id":"dg_sp_1"}'
INTERRUPTED = b'{"type":"SpeechInterrupted","audio_played_ms":1}'


def wire(**values: Any) -> DeepgramSpeak:
    return DeepgramSpeak(DeepgramSpeakConfig.model_validate(values), PCMU)


def sent(deepgram: DeepgramSpeak) -> list[Any]:
    return [json.loads(message) for message in deepgram.messages_to_send()]


def speak(text: str) -> list[Any]:
    return [{"type": "Speak", "text": text}, {"type": "Flush"}]


def test_the_url() -> None:
    url = wire(voice="flux-haley-en", speed=1.1).url()
    assert urlsplit(url).path == "/v2/speak"
    assert parse_qs(urlsplit(url).query) == {
        "model": ["flux-haley-en"],
        "encoding": ["mulaw"],
        "sample_rate": ["8000"],
        "speed": ["1.1"],
    }


def test_one_piece_is_spoken_at_a_time() -> None:
    deepgram = wire()
    deepgram.speak("u", "One. ", True, 0.0)
    deepgram.speak("u", "Two.", False, 0.0)
    assert sent(deepgram) == speak("One. ")
    deepgram.receive_binary(bytes(800), 0.1)
    deepgram.receive_message(METADATA, 0.2)
    assert deepgram.events_received() == [
        AudioSpoken("u", bytes(800)),
        SpeechAligned("u", (SpeechMark(5, 100.0),)),
    ]
    assert sent(deepgram) == speak("Two.")
    deepgram.receive_binary(bytes(400), 0.3)
    deepgram.receive_message(METADATA, 0.4)
    assert deepgram.events_received() == [
        AudioSpoken("u", bytes(400)),
        SpeechAligned("u", (SpeechMark(9, 150.0),)),
        UtteranceFinished("u"),
    ]
    assert deepgram.idle


def test_after_an_interrupt_the_past_is_silent() -> None:
    deepgram = wire()
    deepgram.speak("a", "One.", False, 0.0)
    deepgram.receive_binary(bytes(80), 0.1)
    sent(deepgram)
    deepgram.cancel("a", 0.2)
    deepgram.speak("b", "Two.", False, 0.2)
    assert sent(deepgram) == [{"type": "Interrupt"}]
    assert deepgram.events_received() == []
    deepgram.receive_binary(bytes(80), 0.3)
    assert deepgram.events_received() == []
    deepgram.receive_message(INTERRUPTED, 0.4)
    assert sent(deepgram) == speak("Two.")
    deepgram.receive_binary(bytes(80), 0.5)
    assert deepgram.events_received() == [AudioSpoken("b", bytes(80))]
    assert deepgram.stats.audio_dropped_bytes == 80


def test_an_interrupt_that_was_ignored_ends_with_the_turn() -> None:
    """It came before any audio did: the service goes on, and tells the turn's usual end."""
    deepgram = wire()
    deepgram.speak("a", "One.", False, 0.0)
    deepgram.cancel("a", 0.0)
    deepgram.receive_message(b'{"type":"Warning","code":"NO_AUDIO_GENERATED"}', 0.1)
    deepgram.speak("b", "Two.", False, 0.1)
    deepgram.receive_binary(bytes(80), 0.2)
    deepgram.receive_message(METADATA, 0.3)
    assert sent(deepgram)[-2:] == speak("Two.")
    assert deepgram.events_received() == []


def test_cancelling_what_waits_interrupts_nothing() -> None:
    deepgram = wire()
    deepgram.speak("a", "One.", False, 0.0)
    deepgram.speak("b", "Two.", False, 0.0)
    sent(deepgram)
    deepgram.cancel("b", 0.0)
    deepgram.cancel("nobody", 0.0)
    assert sent(deepgram) == []
    deepgram.receive_message(METADATA, 0.1)
    assert deepgram.idle


def test_half_a_sample_waits_for_its_other_half() -> None:
    deepgram = DeepgramSpeak(DeepgramSpeakConfig.model_validate({}), L16_24K)
    deepgram.speak("a", "One.", False, 0.0)
    deepgram.receive_binary(b"\1\2\3", 0.1)
    deepgram.receive_binary(b"\4\5\6", 0.1)
    assert deepgram.events_received() == [
        AudioSpoken("a", b"\1\2"),
        AudioSpoken("a", b"\3\4\5\6"),
    ]


def test_a_voice_of_which_nothing_comes_is_given_up() -> None:
    deepgram = wire(stall_timeout_s=2.0)
    assert deepgram.next_timer() is None
    deepgram.speak("a", "One.", False, 1.0)
    assert deepgram.next_timer() == 3.0
    deepgram.receive_binary(bytes(80), 2.0)
    assert deepgram.next_timer() == 4.0
    deepgram.handle_timer(3.9)
    assert len(deepgram.events_received()) == 1
    deepgram.handle_timer(4.0)
    (event,) = deepgram.events_received()
    assert isinstance(event, SpeakingFailed)
    assert (event.failure.code, event.failure.fatal, event.failure.retryable) == (
        "stalled",
        True,
        True,
    )


def test_a_new_connection_begins_with_what_waits() -> None:
    deepgram = wire()
    deepgram.connection_lost(0.0)
    deepgram.speak("a", "One.", False, 0.0)
    deepgram.connection_made(1.0)
    assert sent(deepgram) == speak("One.")


def test_audio_of_nobody_and_garbage_are_counted() -> None:
    deepgram = wire()
    deepgram.receive_binary(bytes(80), 0.0)
    for message in (b"\xff", b'{"type":"New"}', METADATA, INTERRUPTED):
        deepgram.receive_message(message, 0.0)
    assert deepgram.events_received() == []
    assert deepgram.stats.audio_dropped_bytes == 80
    assert (deepgram.stats.messages_malformed, deepgram.stats.messages_unknown) == (1, 1)
