"""Counting speech, and not passing noise on."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.realtime.events import AudioDelta
from telephony.realtime.spoken_audio import SpokenAudio
from tests.realtime.recorded_speech import speech


def delta(audio: bytes, item_id: str = "a", response_id: str = "r") -> AudioDelta:
    return AudioDelta(response_id, item_id, 0, audio)


def chunks(audio: bytes, size: int) -> list[AudioDelta]:
    return [delta(audio[start : start + size]) for start in range(0, len(audio), size)]


@pytest.mark.parametrize("asked", [PCMU, PCMA], ids=["pcmu", "pcma"])
@pytest.mark.parametrize("size", [1, 100, 160, 1999, 100_000])
def test_g711_passes_whole(asked: AudioFormat, size: int) -> None:
    spoken = SpokenAudio(asked)
    audio = speech("greeting", asked)[: 20_000 if size > 1 else 5000]
    passed = b"".join(d.audio for piece in chunks(audio, size) for d in spoken.receive(piece))
    passed += b"".join(d.audio for d in spoken.finish("a"))
    assert passed == audio
    assert spoken.format == asked
    assert spoken.received_ms("a") == spoken.passed_ms("a") == len(audio) / 8


@pytest.mark.parametrize("size", [100, 161, 480, 4801])
def test_pcm16_in_place_of_g711_passes_as_pcm16(size: int) -> None:
    spoken = SpokenAudio(PCMU)
    audio = speech("opening_hours", L16_24K)[:48_000]
    passed = b"".join(d.audio for piece in chunks(audio, size) for d in spoken.receive(piece))
    assert spoken.format == L16_24K
    assert passed == audio[: len(passed)]
    assert len(audio) - len(passed) <= 1
    assert spoken.received_ms("a") == 1000.0


def test_little_is_held_back_and_only_at_first() -> None:
    spoken = SpokenAudio(PCMU)
    audio = speech("greeting", PCMU)[4000:]
    held = most = 0
    for piece in chunks(audio, 160):
        held += 160 - sum(len(d.audio) for d in spoken.receive(piece))
        most = max(most, held)
    assert most <= 160
    assert held <= 0 or len(audio) % 160
    # Settled: each delta passes at once.
    assert spoken.receive(delta(audio[:10]))


def test_half_a_sample_waits_for_its_other_half() -> None:
    spoken = SpokenAudio(L16_24K)
    assert spoken.receive(delta(b"\x01")) == []
    (first,) = spoken.receive(delta(b"\x02\x03"))
    assert first.audio == b"\x01\x02"
    (other,) = spoken.receive(delta(b"\x0a\x0b", "b"))
    assert other.audio == b"\x0a\x0b"
    (second,) = spoken.receive(delta(b"\x04"))
    assert second.audio == b"\x03\x04"
    assert spoken.received_ms("a") == spoken.passed_ms("a") == 4 / 48


def test_whole_deltas_pass_as_they_came() -> None:
    spoken = SpokenAudio(L16_24K)
    piece = delta(bytes(480))
    assert spoken.receive(piece)[0] is piece


def test_the_end_of_an_item_settles_what_is_held() -> None:
    spoken = SpokenAudio(PCMU)
    assert not spoken.is_finished("a")
    assert spoken.receive(delta(b"\x70" * 100)) == []
    (passed,) = spoken.finish("a")
    assert passed.audio == b"\x70" * 100
    assert spoken.is_finished("a")
    assert spoken.finish("a") == []
    assert spoken.flush() == []


def test_what_is_held_of_a_fenced_response_is_dropped() -> None:
    spoken = SpokenAudio(PCMU)
    spoken.receive(delta(b"\x70" * 100))
    spoken.drop_held("r")
    assert spoken.flush() == []
    assert spoken.passed_ms("a") == 0.0
    assert spoken.received_ms("a") == 12.5


def test_audio_that_is_not_passed_on_is_counted_too() -> None:
    spoken = SpokenAudio(PCMU)
    spoken.count("a", 800)
    assert spoken.received_ms("a") == 100.0
    assert spoken.passed_ms("a") == 0.0
    assert spoken.received_ms("unknown") == spoken.passed_ms("unknown") == 0.0


def test_what_the_server_says_ends_the_doubt() -> None:
    spoken = SpokenAudio(PCMU)
    spoken.expect(L16_24K)
    piece = delta(bytes(480))
    assert spoken.receive(piece) == [piece]
    spoken.expect(PCMU)
    assert spoken.receive(delta(b"\x70" * 100)) == []


def test_only_the_latest_items_are_remembered() -> None:
    spoken = SpokenAudio(L16_24K)
    for number in range(1000):
        spoken.receive(delta(b"\x00\x00", f"i{number}"))
    assert len(spoken._items) == 64
    assert spoken.received_ms("i0") == 0.0
    assert spoken.received_ms("i999") > 0
