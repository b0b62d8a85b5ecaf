from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU
from telephony.base.speech import SpeechFailure, Transcript, Word
from telephony.realtime.speech.deepgram_listen import DeepgramListen, DeepgramListenConfig
from telephony.realtime.speech.wires import TranscriberReady, TurnFlushed


def wire(**values: Any) -> DeepgramListen:
    return DeepgramListen(DeepgramListenConfig.model_validate(values), PCMU)


def turn(event: str, text: str = "", **more: Any) -> bytes:
    return json.dumps(
        {"type": "TurnInfo", "event": event, "transcript": text, "audio_window_end": 1.5, **more}
    ).encode()


def test_the_url_says_what_is_sent_and_asked() -> None:
    config = DeepgramListenConfig.model_validate(
        {"keyterms": ["Muller", "Q & A"], "eager_eot_threshold": 0.4, "numerals": True}
    )
    parts = urlsplit(DeepgramListen(config, PCMU).url())
    assert (parts.scheme, parts.netloc, parts.path) == ("wss", "api.deepgram.com", "/v2/listen")
    assert parse_qs(parts.query) == {
        "model": ["flux-general-en"],
        "encoding": ["mulaw"],
        "sample_rate": ["8000"],
        "eager_eot_threshold": ["0.4"],
        "keyterm": ["Muller", "Q & A"],
        "numerals": ["true"],
    }


@pytest.mark.parametrize(
    ("audio_format", "encoding", "rate"),
    [(PCMU, "mulaw", "8000"), (PCMA, "alaw", "8000"), (L16_24K, "linear16", "24000")],
)
def test_formats(audio_format: Any, encoding: str, rate: str) -> None:
    url = DeepgramListen(DeepgramListenConfig.model_validate({}), audio_format).url()
    query = parse_qs(urlsplit(url).query)
    assert (query["encoding"], query["sample_rate"]) == ([encoding], [rate])


def test_the_key_goes_into_a_header_and_nowhere_else() -> None:
    deepgram = wire(api_key="secret")
    assert deepgram.request_headers() == {"Authorization": "Token secret"}
    assert "secret" not in deepgram.url()
    assert "secret" not in repr(deepgram._config)
    assert wire().request_headers() == {}


def test_the_events_of_a_turn() -> None:
    deepgram = wire()
    for event, text in (
        ("StartOfTurn", ""),
        ("Update", "Hello"),
        ("EagerEndOfTurn", "Hello there"),
        ("TurnResumed", "Hello there"),
        ("EndOfTurn", "Hello there you."),
    ):
        deepgram.receive_message(turn(event, text), 0.0)
    events = deepgram.events_received()
    assert [(e.text, e.is_final, e.hint) for e in events if isinstance(e, Transcript)] == [
        ("", False, None),
        ("Hello", False, None),
        ("Hello there", False, "likely"),
        ("Hello there", False, "resumed"),
        ("Hello there you.", True, "ended"),
    ]
    assert isinstance(events[0], Transcript)
    assert events[0].audio_ms == 1500


def test_words_with_times_are_passed_on() -> None:
    deepgram = wire()
    words = [{"word": "Hi", "start": 0.5, "end": 0.75}, {"word": "you"}, 7]
    deepgram.receive_message(turn("Update", "Hi you", words=words), 0.0)
    (event,) = deepgram.events_received()
    assert isinstance(event, Transcript)
    assert event.words == (Word("Hi", 500, 750),)


def test_a_forced_end_is_answered_once() -> None:
    deepgram = wire()
    deepgram.finish_turn(1.0)
    assert json.loads(deepgram.messages_to_send()[0]) == {"type": "ForceEndTurn"}
    deepgram.receive_message(turn("EndOfTurn", "Yes.", trigger="manual"), 1.2)
    assert deepgram.events_received()[1:] == [TurnFlushed()]
    assert deepgram.next_timer() is None
    deepgram.receive_message(turn("EndOfTurn", "No.", trigger="model"), 2.0)
    assert len(deepgram.events_received()) == 1


def test_a_forced_end_that_finds_no_turn_is_answered_by_silence() -> None:
    deepgram = wire(flush_timeout_s=0.5)
    deepgram.finish_turn(1.0)
    assert deepgram.next_timer() == 1.5
    deepgram.handle_timer(1.4)
    assert deepgram.events_received() == []
    deepgram.handle_timer(1.5)
    assert deepgram.events_received() == [TurnFlushed()]


def test_the_end_of_a_turn_that_goes_on_is_waited_for_longer() -> None:
    deepgram = wire(flush_timeout_s=0.5)
    deepgram.receive_message(turn("StartOfTurn"), 1.0)
    deepgram.finish_turn(1.0)
    assert deepgram.next_timer() == 4.0
    deepgram.receive_message(turn("EndOfTurn", "Yes."), 2.0)
    deepgram.finish_turn(2.0)
    assert deepgram.next_timer() == 2.5


@pytest.mark.parametrize(
    ("code", "retryable"), [("INTERNAL_SERVER_ERROR", True), ("INVALID_AUTH", False)]
)
def test_errors(code: str, retryable: bool) -> None:
    deepgram = wire()
    message = {"type": "Error", "code": code, "description": "no"}
    deepgram.receive_message(json.dumps(message).encode(), 0.0)
    assert deepgram.events_received() == [SpeechFailure(code, "no", True, retryable)]


def test_ready_once() -> None:
    deepgram = wire()
    deepgram.connection_made(0.0)
    assert deepgram.events_received() == []
    deepgram.receive_message(b'{"type":"Connected"}', 0.0)
    deepgram.receive_message(b'{"type":"Connected"}', 0.0)
    assert deepgram.events_received() == [TranscriberReady()]


def test_what_is_not_understood_is_counted() -> None:
    deepgram = wire()
    for message in (b"{", b"[]", b'{"type":"New"}', b'{"type":7}', turn("Odd")):
        deepgram.receive_message(message, 0.0)
    deepgram.receive_message(b'{"type":"Warning","code":"X","description":"y"}', 0.0)
    assert deepgram.events_received() == []
    stats = deepgram.stats
    assert (stats.messages_malformed, stats.messages_unknown, stats.warnings) == (2, 3, 1)
