"""On recorded speech, in chunks of every usual size."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.realtime.format_evidence import FormatEvidence, Verdict
from tests.realtime.recorded_speech import NAMES, speech

SIZES = (97, 160, 480, 1600, 4800, 24_000)
GAINS = (1.0, 0.3, 0.05)


def judged(asked: AudioFormat, audio: bytes, size: int) -> tuple[Verdict, int]:
    """Return the final verdict and how many bytes were called harmless before it."""
    evidence = FormatEvidence(asked)
    harmless = pending = 0
    verdict: Verdict = "unsure"
    for start in range(0, len(audio), size):
        chunk = audio[start : start + size]
        verdict = evidence.feed(chunk)
        pending += len(chunk)
        if verdict in ("g711", "l16"):
            break
        if verdict == "harmless":
            harmless += pending
            pending = 0
    return verdict, harmless


@pytest.mark.parametrize("asked", [PCMU, PCMA], ids=["pcmu", "pcma"])
@pytest.mark.parametrize("name", NAMES)
def test_g711_is_never_taken_for_pcm16(name: str, asked: AudioFormat) -> None:
    for gain in GAINS:
        for size in SIZES:
            verdict, _harmless = judged(asked, speech(name, asked, gain), size)
            assert verdict != "l16", (gain, size)


@pytest.mark.parametrize("asked", [PCMU, PCMA], ids=["pcmu", "pcma"])
@pytest.mark.parametrize("name", NAMES)
def test_pcm16_is_found_out_before_it_hurts(name: str, asked: AudioFormat) -> None:
    for gain in GAINS:
        for size in SIZES:
            audio = speech(name, L16_24K, gain)
            verdict, harmless = judged(asked, audio, size)
            assert verdict == "l16", (gain, size)
            # At most 120 ms of noise, and that seldom.
            assert harmless <= 960, (gain, size)


@pytest.mark.parametrize("name", NAMES[:4])
def test_pcm16_is_found_out_from_the_middle_of_speech_on(name: str) -> None:
    audio = speech(name, L16_24K)
    for start in range(0, len(audio) - 4800, 4800):
        verdict, harmless = judged(PCMU, audio[start:], 480)
        assert (verdict, harmless <= 1440) == ("l16", True), start


def test_silence_decides_nothing_but_its_noise_does() -> None:
    for asked in (PCMU, PCMA):
        assert judged(asked, asked.silence(8000), 480)[0] == "harmless"
        assert judged(asked, L16_24K.silence(8000), 480)[0] == "l16"


def test_clear_g711_settles_the_question() -> None:
    for asked in (PCMU, PCMA):
        assert judged(asked, speech("greeting", asked), 480)[0] == "g711"


def test_a_few_bytes_are_judged_at_the_end_only() -> None:
    audio = speech("greeting", L16_24K)[4800:]
    evidence = FormatEvidence(PCMU)
    assert evidence.feed(audio[:200]) == "unsure"
    assert evidence.leaning() == "l16"
    assert evidence.feed(b"\x00") == "unsure"
    assert evidence.leaning() == "harmless"
    assert evidence.feed(speech("greeting", PCMU)[4000:4200]) == "unsure"
    assert evidence.leaning() != "unsure"
