"""What of an endless stream is worth hearing."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.realtime.openai_live_talkspurts import KEPT_SILENCE_MS, PREROLL_MS, TalkspurtGate
from tests.realtime.live_driver import silence, sound

FORMATS = [PCMU, PCMA, L16_16K, L16_24K]


def feed(gate: TalkspurtGate, audio: bytes, audio_format: AudioFormat) -> list[bytes]:
    size = audio_format.frame_bytes(20)
    return [gate.feed(audio[at : at + size]) for at in range(0, len(audio), size)]


@pytest.mark.parametrize("audio_format", FORMATS)
def test_silence_is_not_heard(audio_format: AudioFormat) -> None:
    gate = TalkspurtGate(audio_format)
    assert set(feed(gate, silence(2000, audio_format), audio_format)) == {b""}
    assert gate.silence_ms == pytest.approx(2000)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_speech_comes_with_what_led_to_it_and_a_little_after(audio_format: AudioFormat) -> None:
    gate = TalkspurtGate(audio_format)
    spoken = sound(200, audio_format)
    heard = b"".join(
        feed(gate, silence(500, audio_format), audio_format)
        + feed(gate, spoken, audio_format)
        + feed(gate, silence(1000, audio_format), audio_format)
    )
    before, after = silence(PREROLL_MS, audio_format), silence(KEPT_SILENCE_MS, audio_format)
    assert heard == before + spoken + after
    assert gate.silence_ms == pytest.approx(1000)


def test_a_short_pause_stays_whole() -> None:
    gate = TalkspurtGate(PCMU)
    stream = sound(100) + silence(KEPT_SILENCE_MS) + sound(100)
    assert b"".join(feed(gate, stream, PCMU)) == stream
    assert gate.silence_ms == 0


def test_the_beginning_is_not_heard_twice_when_speech_goes_on_soon() -> None:
    gate = TalkspurtGate(PCMU)
    stream = sound(100) + silence(KEPT_SILENCE_MS + 20) + sound(100)
    assert b"".join(feed(gate, stream, PCMU)) == stream


def test_a_stream_that_begins_with_speech() -> None:
    gate = TalkspurtGate(PCMU)
    assert b"".join(feed(gate, sound(100), PCMU)) == sound(100)


@pytest.mark.parametrize(("level", "opens"), [(0.001, False), (0.01, True)])
def test_hum_is_silence_and_a_soft_voice_is_not(level: float, opens: bool) -> None:
    gate = TalkspurtGate(L16_24K)
    assert any(feed(gate, sound(100, L16_24K, level), L16_24K)) is opens


def test_speech_may_fade_further_than_it_may_begin() -> None:
    gate = TalkspurtGate(L16_24K)
    feed(gate, sound(100, L16_24K), L16_24K)
    feed(gate, sound(1000, L16_24K, 0.003), L16_24K)
    assert gate.silence_ms == 0
    assert not any(feed(TalkspurtGate(L16_24K), sound(100, L16_24K, 0.003), L16_24K))


def test_long_audio_is_looked_at_in_pieces() -> None:
    gate = TalkspurtGate(PCMU)
    assert gate.split(bytes(320)) == (bytes(320),)
    assert [len(piece) for piece in gate.split(bytes(500))] == [160, 160, 160, 20]
    stream = silence(500) + sound(100) + silence(500)
    heard = b"".join(gate.feed(piece) for piece in gate.split(stream))
    assert heard == silence(PREROLL_MS) + sound(100) + silence(KEPT_SILENCE_MS)


def test_where_silence_ends_is_a_setting() -> None:
    noisy = sound(100, L16_24K, 0.02)
    assert any(feed(TalkspurtGate(L16_24K), noisy, L16_24K))
    assert not any(feed(TalkspurtGate(L16_24K, -30.0), noisy, L16_24K))
