"""Any pattern of losses over any audio: whole frames, no runaway level, an end of the loss."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.conceal import Concealer
from telephony.audio.vad import VoiceActivityDetector

FRAMES = st.lists(
    st.one_of(st.none(), st.tuples(st.integers(0, 99), st.sampled_from([0, 1, 300, 32767]))),
    max_size=40,
)


def frame(seed: int, peak: int) -> bytes:
    samples = np.random.default_rng(seed).integers(-peak, peak + 1, 160)
    return samples.astype("<i2").tobytes()


@settings(max_examples=80, deadline=None)
@given(FRAMES)
def test_any_pattern(pattern: list[tuple[int, int] | None]) -> None:
    concealer = Concealer()
    peak = after_good = 0
    lost_in_a_row = 0
    for entry in pattern:
        if entry is None:
            lost_in_a_row += 1
            output = concealer.lost()
            if lost_in_a_row > 5:
                assert output == bytes(320)
        else:
            peak = max(peak, entry[1])
            original = frame(*entry)
            output = concealer.good(original)
            after_good = after_good + 1 if lost_in_a_row == 0 else 1
            if after_good > 1:
                assert output is original
            assert output[-2:] == original[-2:]
            lost_in_a_row = 0
        assert len(output) == 320
        assert np.abs(np.frombuffer(output, "<i2").astype(int)).max() <= 3 * peak
    assert concealer.concealed_samples == 160 * pattern.count(None)


@settings(max_examples=80, deadline=None)
@given(FRAMES)
def test_any_pattern_with_what_comes_after_known(pattern: list[tuple[int, int] | None]) -> None:
    """A loss of any length that ends is bridged; what comes then is as it was sent."""
    concealer = Concealer()
    peak = lost_in_a_row = 0
    for index, entry in enumerate(pattern):
        if entry is not None:
            original = frame(*entry)
            output = concealer.good(original)
            assert output[-2:] == original[-2:]
            if lost_in_a_row in (0, 1, 2, 3):
                assert output is original
            peak, lost_in_a_row = max(peak, entry[1]), 0
        else:
            lost_in_a_row += 1
            end = next((i for i, later in enumerate(pattern) if i > index and later), None)
            ahead = b"" if end is None else frame(*pattern[end])  # type: ignore[misc]
            peak_ahead = max([peak, *(later[1] for later in pattern[index:] if later)])
            output = concealer.lost(ahead, 160 * (end - index) if end is not None else 0)
            assert np.abs(np.frombuffer(output, "<i2").astype(int)).max() <= 3 * peak_ahead
        assert len(output) == 320


@settings(max_examples=60, deadline=None)
@given(FRAMES)
def test_voice_activity_starts_and_stops_in_turn(pattern: list[tuple[int, int] | None]) -> None:
    vad = VoiceActivityDetector()
    speaking = False
    for entry in pattern * 3:
        change = vad.process(bytes(320) if entry is None else frame(*entry))
        if change is not None:
            assert change is not speaking
            speaking = change
        assert vad.speaking is speaking
        assert vad.trailing_silence_ms >= 0
