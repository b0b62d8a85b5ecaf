"""At 8 kHz: a target of 40 ms is 320 samples, a frame of 20 ms 160; 2 ms less may go, too."""

from __future__ import annotations

import pytest

from telephony.rtp.delay_bounds import DelayBounds

CEILING = 464.0


def bounds() -> DelayBounds:
    made = DelayBounds(8000)
    made.follow(320, 160, 160)
    return made


def test_speech_is_left_alone_within_the_outer_band() -> None:
    made = bounds()
    assert (made.floor, made.ceiling) == (240, CEILING)
    assert made.excess(320, 1.0) == made.excess(160, 1.0) == 0
    assert made.excess(CEILING + 160, 1.0) == 0
    assert made.excess(150, 1.0) == -10
    assert made.excess(CEILING + 200, 1.0) > 0


@pytest.mark.parametrize(
    ("frame", "target"),
    [
        pytest.param(80, 320 + 80, id="10 ms, the second of a ptime taken early"),
        pytest.param(160, 160 + 160, id="20 ms, and half of the target for its lateness"),
        pytest.param(480, 480 + 160, id="60 ms"),
    ],
)
def test_while_packets_are_lost_the_next_is_waited_for(frame: int, target: int) -> None:
    made = bounds()
    made.lost()
    made.follow(320, frame, 160)
    assert made.target == target
    for _ in range(16):
        made.reviewed()
    made.follow(320, frame, 160)
    assert made.target == 320


def test_a_quiet_frame_goes_at_once_when_it_is_worth_it() -> None:
    made = bounds()
    made.changed(100.0)
    assert not made.may_drop(CEILING + 80, True, 100.05)
    assert made.may_drop(CEILING + 80, True, 100.15)


def test_a_small_surplus_is_let_be_for_ten_seconds() -> None:
    made = bounds()
    made.changed(100.0)
    assert not made.may_drop(CEILING + 30, True, 109.9)
    assert made.may_drop(CEILING + 30, True, 110.1)


def test_a_surplus_that_meets_no_pause_is_stretched_away() -> None:
    made = bounds()
    for tick in range(800):
        now = 100 + tick * 0.02
        assert not made.may_drop(CEILING + 30, False, now)
        assert (made.excess(CEILING + 30, now) > 0) == (tick * 0.02 >= 15)


def test_a_surplus_that_comes_again_begins_anew() -> None:
    made = bounds()
    made.may_drop(CEILING + 30, False, 100.0)
    made.may_drop(CEILING + 30, False, 130.0)
    assert made.excess(CEILING + 30, 130.0) == 0


def test_a_loud_frame_goes_when_nobody_stretches() -> None:
    made = bounds()
    dropped_at = [
        tick for tick in range(100) if made.may_drop(CEILING + 200, False, 100 + tick * 0.02)
    ]
    assert dropped_at[0] in (50, 51)


@pytest.mark.parametrize(
    ("filled", "delay", "frames"),
    [
        pytest.param(160, 480, 1, id="one frame filled"),
        pytest.param(320, 480, 2, id="two frames filled"),
        pytest.param(320, 400, 1, id="the delay allows for one"),
        pytest.param(480, 800, 0, id="what was made up has faded"),
        pytest.param(320, 100, 0, id="more delay is wanted"),
        pytest.param(80, 480, 0, id="half a frame"),
    ],
)
def test_late_frames_are_skipped_after_a_short_wait(filled: int, delay: float, frames: int) -> None:
    assert bounds().frames_to_skip(filled, delay, 160) == frames
