from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K, L16_16K, PCMU, AudioFormat
from telephony.realtime.speech.turn_audio import TurnCollector, at_16_khz
from tests.support.speech import phrase


@pytest.mark.parametrize("audio_format", [PCMU, L16_8K, L16_16K])
@pytest.mark.parametrize("size", [7, 160, 1000])
def test_the_quiet_before_the_voice_is_cut_off(audio_format: AudioFormat, size: int) -> None:
    collector = TurnCollector(audio_format, 60.0, -55.0)
    voice = phrase("caller_question", audio_format)
    quiet = audio_format.silence(audio_format.frame_bytes(5000))
    audio = quiet + voice
    for at in range(0, len(audio), size):
        collector.append(audio[at : at + size])
    turn = collector.finish()
    voice_ms = audio_format.duration_ms(len(voice))
    assert abs(turn.end_ms - 5000 - voice_ms) <= 20
    assert 4600 <= turn.start_ms <= 5100
    seconds = len(turn.pcm16) / 2 / turn.sample_rate_hz
    assert abs(seconds - (turn.end_ms - turn.start_ms) / 1000) <= 0.02


def test_silence_is_no_turn() -> None:
    collector = TurnCollector(PCMU, 60.0, -55.0)
    collector.append(PCMU.silence(80000))
    turn = collector.finish()
    assert turn.pcm16 == b""
    assert turn.end_ms == 10000


def test_the_latest_of_a_turn_that_is_too_long() -> None:
    collector = TurnCollector(L16_8K, 1.0, -55.0)
    for level in (b"\x10\x10", b"\x20\x20", b"\x30\x30"):
        collector.append(level * 8000)
    turn = collector.finish()
    assert turn.pcm16 == b"\x30\x30" * 8000
    assert (turn.start_ms, turn.end_ms) == (2000, 3000)


def test_turns_follow_each_other() -> None:
    collector = TurnCollector(L16_8K, 60.0, -55.0)
    collector.append(b"\x10\x10" * 800)
    assert collector.finish().end_ms == 100
    collector.append(b"\x20\x20" * 800)
    turn = collector.finish()
    assert (turn.start_ms, turn.end_ms) == (100, 200)
    assert turn.pcm16 == b"\x20\x20" * 800
    assert len(at_16_khz(turn)) == 2 * len(turn.pcm16)
