from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.bench.media_quality import (
    RATE_HZ,
    Samples,
    delay_track,
    inside_speech,
    judge,
    longest_gap_ms,
)


def speech() -> Samples:
    prompt = shipped_prompts()["greeting"]
    converter = Converter(AudioFormat("l16", prompt.sample_rate_hz), L16_8K)
    samples = np.frombuffer(converter.convert(prompt.pcm16), "<i2") / 32768.0
    return np.concatenate((np.zeros(RATE_HZ), samples, np.zeros(RATE_HZ)))


def later(samples: Samples, delay_ms: int) -> Samples:
    shift = delay_ms * RATE_HZ // 1000
    return np.concatenate((np.zeros(shift), samples))[: len(samples)]


def test_a_delay_is_found_all_the_way() -> None:
    track = delay_track(speech(), later(speech(), 240))
    assert len(track) >= 6
    assert {delay for _, delay in track} == {240 * 8}


def test_a_delay_that_changes_is_followed() -> None:
    said = speech()
    half = len(said) // 2
    heard = np.concatenate((later(said, 100)[:half], later(said, 180)[half:]))
    delays = [delay for _, delay in delay_track(said, heard)]
    assert (delays[0], delays[-1]) == (100 * 8, 180 * 8)


def test_nothing_heard_has_no_delay() -> None:
    said = speech()
    assert delay_track(said, np.zeros(len(said))) == []
    assert np.isnan(judge(said, np.zeros(len(said))).pesq_mos)


@pytest.mark.parametrize("gap_ms", [200, 400])
def test_a_gap_in_speech_is_as_long_as_it_is(gap_ms: int) -> None:
    said = speech()
    heard = later(said, 60)
    spoken = np.flatnonzero(inside_speech(said))
    # The middle of the longest stretch without a pause.
    stretches = np.split(spoken, np.flatnonzero(np.diff(spoken) > 1) + 1)
    longest = max(stretches, key=len)
    assert len(longest) * 10 > gap_ms + 100
    begin = int(longest[len(longest) // 2]) * 80 + 60 * 8 - gap_ms * 4
    heard[begin : begin + gap_ms * 8] = 0.0
    found_ms = longest_gap_ms(said, heard, [(0, 60 * 8)])
    assert gap_ms - 20 <= found_ms <= gap_ms + 100


def test_what_is_whole_has_only_the_gaps_of_speech_itself() -> None:
    said = speech()
    assert longest_gap_ms(said, said, [(0, 0)]) <= 100


def test_pesq_tells_whole_speech_from_broken() -> None:
    pytest.importorskip("pesq", reason="no pesq: scripts/setup-venv test,bench")
    said = speech()
    assert judge(said, later(said, 80)).pesq_mos > 4.4
    broken = later(said, 80)
    for begin in range(0, len(broken), 1600):
        broken[begin : begin + 320] = 0.0
    assert judge(said, broken).pesq_mos < 2.5
