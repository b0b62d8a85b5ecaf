"""What an agent's file may say of speech services, and what it is told when that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.app.speech_services import (
    SYNTHESIZERS,
    TRANSCRIBERS,
    synthesizer_of,
    transcriber_of,
)
from telephony.realtime.config_problems import InvalidSessionConfig

KEY = {"api_key": "secret"}
STT: dict[str, dict[str, Any]] = {
    "rehearsal": {},
    "deepgram": {**KEY, "keyterms": ["a"], "eot_threshold": 1, "eager_eot_threshold": 0.5},
    "elevenlabs": {**KEY, "language": "en", "commit_strategy": "vad"},
    "openai_realtime": {**KEY, "languages": ["en", "de"]},
    "openai_http": {"base_url": "http://127.0.0.1:8000/v1", "timeout_s": 5},
}
TTS: dict[str, dict[str, Any]] = {
    "rehearsal": {},
    "deepgram": {**KEY, "voice": "flux-haley-en"},
    "elevenlabs": {**KEY, "voice": "v", "voice_settings": {"speed": 1}},
    "openai_http": {"base_url": "http://localhost/v1", "headers": {"X-A": "b"}},
}


@pytest.mark.parametrize("name", STT)
def test_transcribers(name: str) -> None:
    service = transcriber_of({"type": name, **STT[name]})
    assert service.accepted_format(("pcmu", 8000)) == ("pcmu", 8000)


@pytest.mark.parametrize("name", TTS)
def test_synthesizers(name: str) -> None:
    service = synthesizer_of({"type": name, **TTS[name]})
    assert service.offered_format(("pcmu", 8000)) in {("pcmu", 8000), ("l16", 24000)}


def test_the_names() -> None:
    assert set(TRANSCRIBERS) == {*STT, "faster_whisper"}
    assert set(SYNTHESIZERS) == {*TTS, "piper", "espeak_ng"}


@pytest.mark.parametrize(
    ("part", "values", "problem"),
    [
        ("stt", {"type": "deepgram"}, "stt.api_key: wss://api.deepgram.com needs a key"),
        ("stt", {"type": "deepgram", **KEY, "eot_timeout_ms": 9}, "stt.eot_timeout_ms: should"),
        ("stt", {"type": "deepgram", **KEY, "keyterm": []}, "did you mean keyterms"),
        ("stt", {"type": "openai_realtime", **KEY, "language": "en", "languages": ["de"]}, "stt.l"),
        ("stt", {"type": "openai_http", **KEY, "base_url": "http://a.test"}, "unencrypted"),
        ("stt", {"type": "openai_http", "base_url": "a.test"}, "stt.base_url: this is no URL"),
        (
            "stt",
            {"type": "openai_http", "base_url": "https://u:p@a.test"},
            "must not hold a secret",
        ),
        ("stt", {"type": "faster_whisper"}, "stt.model: is required"),
        ("stt", {"type": "faster_whisper", "model": "/none", "python": "/none"}, "no interpreter"),
        ("tts", {"type": "elevenlabs", **KEY}, "tts.voice: is required"),
        (
            "tts",
            {"type": "elevenlabs", **KEY, "voice": "v", "voice_settings": {"stabilty": 1}},
            "tts.voice_settings.stabilty: unknown key (did you mean stability?)",
        ),
        ("tts", {"type": "piper", "voice": "/x", "program": "no-piper"}, "tts.voice: there is no"),
        ("tts", {"type": "espeak_ng", "program": "no-espeak"}, "apt install espeak-ng"),
        ("tts", {"type": "espeek_ng"}, "did you mean espeak_ng"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    part: str, values: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidSessionConfig) as error:
        (transcriber_of if part == "stt" else synthesizer_of)(values)
    assert problem in str(error.value)
    assert "secret" not in str(error.value).replace("must not hold a secret", "")


def test_a_key_that_the_environment_lacks_is_told_elsewhere() -> None:
    """The reader of the file reports it, and gives an empty one."""
    transcriber_of({"type": "deepgram", "api_key": ""})
