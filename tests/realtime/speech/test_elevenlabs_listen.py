from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from telephony.audio.format import L16_16K, PCMU
from telephony.base.speech import SpeechFailure, Transcript
from telephony.realtime.speech.elevenlabs_listen import (
    ElevenLabsListen,
    ElevenLabsListenConfig,
    accepted_format,
)
from telephony.realtime.speech.wires import TranscriberReady, TurnFlushed


def wire(**values: Any) -> ElevenLabsListen:
    return ElevenLabsListen(ElevenLabsListenConfig.model_validate(values), PCMU)


def told(kind: str, **fields: Any) -> bytes:
    return json.dumps({"message_type": kind, **fields}).encode()


def test_the_url() -> None:
    scribe = wire(language="de", commit_strategy="vad", vad_silence_threshold_s=0.6)
    assert urlsplit(scribe.url()).path == "/v1/speech-to-text/realtime"
    assert parse_qs(urlsplit(scribe.url()).query) == {
        "model_id": ["scribe_v2_realtime"],
        "audio_format": ["ulaw_8000"],
        "commit_strategy": ["vad"],
        "language_code": ["de"],
        "vad_silence_threshold_secs": ["0.6"],
    }
    pcm = ElevenLabsListen(ElevenLabsListenConfig.model_validate({}), L16_16K)
    assert "audio_format=pcm_16000" in pcm.url()
    assert wire(api_key="secret").request_headers() == {"xi-api-key": "secret"}


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        (("pcmu", 8000), ("pcmu", 8000)),
        (("pcma", 8000), ("pcmu", 8000)),
        (("l16", 16000), ("l16", 16000)),
        (("l16", 12345), ("l16", 16000)),
        (("pcmu", 16000), ("l16", 16000)),
    ],
)
def test_formats(line: Any, sent: Any) -> None:
    assert accepted_format(line) == sent


def test_audio_and_commit() -> None:
    scribe = wire()
    message = json.loads(scribe.audio_message(b"abc"))
    assert base64.b64decode(message.pop("audio_base_64")) == b"abc"
    assert message == {
        "message_type": "input_audio_chunk",
        "commit": False,
        "sample_rate": 8000,
    }
    scribe.finish_turn(0.0)
    (commit,) = map(json.loads, scribe.messages_to_send())
    assert (commit["commit"], commit["audio_base_64"]) == (True, "")


@pytest.mark.parametrize(("strategy", "hint"), [("manual", None), ("vad", "ended")])
def test_transcripts(strategy: str, hint: Any) -> None:
    scribe = wire(commit_strategy=strategy)
    scribe.receive_message(told("session_started", session_id="s", config={}), 0.0)
    scribe.receive_message(told("partial_transcript", text="Hel"), 0.0)
    scribe.finish_turn(0.0)
    scribe.receive_message(told("committed_transcript", text="Hello."), 0.1)
    assert scribe.events_received() == [
        TranscriberReady(),
        Transcript("Hel", is_final=False),
        Transcript("Hello.", is_final=True, hint=hint),
        TurnFlushed(),
    ]


@pytest.mark.parametrize("kind", ["commit_throttled", "insufficient_audio_activity"])
def test_a_commit_of_nothing_is_a_flush(kind: str) -> None:
    scribe = wire()
    scribe.finish_turn(0.0)
    scribe.receive_message(told(kind, error="too little"), 0.1)
    assert scribe.events_received() == [TurnFlushed()]


def test_a_commit_nobody_answers_is_a_flush_after_a_while() -> None:
    scribe = wire(flush_timeout_s=1.0)
    scribe.finish_turn(5.0)
    assert scribe.next_timer() == 6.0
    scribe.handle_timer(6.0)
    assert scribe.events_received() == [TurnFlushed()]


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [("auth_error", False), ("quota_exceeded", False), ("rate_limited", True), ("error", True)],
)
def test_errors(kind: str, retryable: bool) -> None:
    scribe = wire()
    scribe.receive_message(told(kind, error="no"), 0.0)
    assert scribe.events_received() == [SpeechFailure(kind, "no", True, retryable)]


def test_what_is_not_understood_is_counted() -> None:
    scribe = wire()
    for message in (b"", told("new"), told("warning", warning="w"), b"[]"):
        scribe.receive_message(message, 0.0)
    assert scribe.events_received() == []
    assert (scribe.stats.messages_malformed, scribe.stats.messages_unknown) == (2, 1)
