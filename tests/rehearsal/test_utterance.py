from __future__ import annotations

import base64

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.utterance import Clip, Utterance, Voice

TONE = Clip("one two three four", bytes(L16_24K.frame_bytes(1000)))
VOICE = Voice(shipped_prompts())


@pytest.mark.parametrize("audio_format", [PCMU, PCMA, L16_24K])
@pytest.mark.parametrize("delta_ms", [20, 100, 370])
def test_deltas_are_the_audio(audio_format, delta_ms):
    utterance = Utterance([TONE, TONE], audio_format, delta_ms)
    assert b"".join(base64.b64decode(delta) for delta in utterance.deltas) == utterance.audio
    assert utterance.duration_ms == 2000
    assert len(base64.b64decode(utterance.deltas[0])) == audio_format.frame_bytes(delta_ms)


def test_words_end_in_proportion_to_their_letters():
    utterance = Utterance([TONE, TONE], PCMU, 100)
    assert utterance.transcript_until(0) == ""
    assert utterance.transcript_until(199) == ""
    assert utterance.transcript_until(200) == "one"
    assert utterance.transcript_until(1000) == "one two three four"
    assert utterance.transcript_until(1200) == "one two three four one"
    assert utterance.transcript_until(9999) == utterance.transcript


def test_the_transcript_is_written_ahead():
    utterance = Utterance([TONE], PCMU, 100)
    assert utterance.transcript_begun(100) == "one"
    assert utterance.transcript_begun(201) == "one two"
    assert utterance.transcript_begun(1000) == utterance.transcript


def test_audio_until():
    utterance = Utterance([TONE], L16_24K, 100)
    assert len(utterance.audio_until(500)) == 24000
    assert utterance.audio_until(5000) == utterance.audio


def test_prompts_are_encoded_once():
    first = VOICE.say(("greeting",), None, PCMU, 100)
    assert first is VOICE.say(("greeting",), None, PCMU, 100)
    assert first is not VOICE.say(("greeting",), None, PCMA, 100)


def test_echo_is_said_if_there_is_one():
    echo = VOICE.say(("you_said", "echo"), TONE, PCMU, 100)
    assert echo is not None
    assert echo.transcript == "You said: one two three four"
    alone = VOICE.say(("you_said", "echo"), None, PCMU, 100)
    assert alone is not None
    assert alone.transcript == "You said:"
    assert VOICE.say(("echo",), None, PCMU, 100) is None
    assert VOICE.say((), None, PCMU, 100) is None
